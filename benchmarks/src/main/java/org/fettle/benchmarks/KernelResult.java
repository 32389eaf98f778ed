package org.fettle.benchmarks;

import java.util.Locale;

/**
 * What was measured of a kernel.
 *
 * @param name the case's
 * @param size of the case
 * @param bytes counted bytes per element; 0 for products
 * @param nanos ours, nanoseconds per element, or per multiply-add of a product
 * @param ofCeiling counted bytes per second over those of the memory ceiling; NaN for products
 * @param peer what the peer ran; empty where it has no such operation
 * @param timesPeer how many times as fast ours is; NaN without a peer
 */
record KernelResult(
    String name,
    String size,
    double bytes,
    double nanos,
    double ofCeiling,
    String peer,
    double timesPeer) {
  boolean isProduct() {
    return bytes == 0;
  }

  /** One line of the table. */
  String line() {
    return String.format(
        Locale.ROOT,
        "%-24s %-14s %8s %10.4f %10s %8s  %s",
        name,
        size,
        isProduct() ? "" : String.format(Locale.ROOT, "%.2f", bytes),
        nanos,
        isProduct() ? String.format(Locale.ROOT, "%.0f Gop/s", 2 / nanos) : number(ofCeiling),
        number(timesPeer),
        peer);
  }

  /** The same for Markdown. */
  String markdown() {
    return String.format(
        Locale.ROOT,
        "| %s | %s | %s | %.3f | %s | %s | %s |",
        name,
        size,
        isProduct() ? "" : String.format(Locale.ROOT, "%.2f", bytes),
        nanos,
        isProduct() ? String.format(Locale.ROOT, "%.0f Gop/s", 2 / nanos) : number(ofCeiling),
        number(timesPeer),
        peer);
  }

  static String header() {
    return String.format(
        "%-24s %-14s %8s %10s %10s %8s  %s",
        "kernel", "size", "B/el", "ns/el", "of ceiling", "x peer", "peer");
  }

  private static String number(double x) {
    return Double.isNaN(x) ? "" : String.format(Locale.ROOT, "%.2f", x);
  }
}
