package org.fettle.benchmarks;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * What was measured of a kernel.
 *
 * @param name the case's
 * @param size of the case
 * @param bytes counted bytes per element, or per multiply-add of a product
 * @param operations per multiply-add of the dense product; 0 where they are not counted
 * @param nanos ours, nanoseconds per element, or per multiply-add of a product
 * @param ofCeiling counted bytes per second over those of the memory ceiling; NaN for products
 * @param ofOwn the same, over those of passes of its own shape, with plain stores or past the
 *     caches, whichever was faster; NaN for products
 * @param peer what the peer ran; empty where it has no such operation
 * @param timesPeer how many times as fast ours is; NaN without a peer
 * @param peerOperations as {@code operations}, of the peer; 0: the same
 * @param peerBytes as {@code bytes}, of the peer; 0: the same
 */
record KernelResult(
    String name,
    String size,
    double bytes,
    double operations,
    double nanos,
    double ofCeiling,
    double ofOwn,
    String peer,
    double timesPeer,
    double peerOperations,
    double peerBytes) {
  boolean isProduct() {
    return operations > 0;
  }

  /** Whether zeros are left out that the peer multiplies by. */
  boolean isSparse() {
    return isProduct() && operations < 2;
  }

  private static final List<String> COLUMNS =
      List.of("kernel", "size", "B/el", "ns/el", "of ceiling", "of its passes", "x peer", "peer");

  private List<String> cells() {
    return List.of(
        name,
        size,
        isProduct() ? "" : number(bytes),
        String.format(Locale.ROOT, "%.4f", nanos),
        isProduct() ? String.format(Locale.ROOT, "%.0f Gop/s", 2 / nanos) : number(ofCeiling),
        number(ofOwn),
        number(timesPeer),
        peer);
  }

  /** The table for a terminal, a line each. */
  static List<String> table(List<KernelResult> results) {
    List<List<String>> rows = rows(results);
    return rows.stream()
        .map(row -> String.format("%-24s %-14s %8s %10s %10s %13s %8s  %s", row.toArray()))
        .toList();
  }

  /** The table in Markdown. */
  static String markdown(List<KernelResult> results) {
    List<String> lines = new ArrayList<>();
    rows(results).forEach(row -> lines.add("| " + String.join(" | ", row) + " |\n"));
    lines.add(1, "|---".repeat(COLUMNS.size()) + "|\n");
    return String.join("", lines);
  }

  private static List<List<String>> rows(List<KernelResult> results) {
    List<List<String>> rows = new ArrayList<>();
    rows.add(COLUMNS);
    results.forEach(result -> rows.add(result.cells()));
    return rows;
  }

  private static String number(double x) {
    return Double.isNaN(x) ? "" : String.format(Locale.ROOT, "%.2f", x);
  }
}
