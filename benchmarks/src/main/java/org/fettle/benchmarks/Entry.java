package org.fettle.benchmarks;

import java.util.EnumMap;
import java.util.Map;

/**
 * One task on the page, with everybody who did it.
 *
 * @param name of the case
 * @param size of the case; empty where the name says it
 * @param threads the most threads
 * @param bytes counted bytes per element, or per multiply-add of a product
 * @param product whether it is a product of matrices, whose operations are known
 * @param marks where it lies, by who did it
 * @param ofCeiling Fettle's bytes per second over those of the memory ceiling measured in turn with
 *     it; NaN for products
 * @param speedUps how many times as fast as a peer Fettle was, in turn with it
 * @param goal what {@code ofCeiling} should reach; empty if nothing is said
 * @param peer what the peer ran; empty where its name says it
 */
record Entry(
    String name,
    String size,
    int threads,
    double bytes,
    boolean product,
    Map<Who, Mark> marks,
    double ofCeiling,
    Map<Who, Double> speedUps,
    String goal,
    String peer) {

  /**
   * Where a task lies.
   *
   * @param intensity operations per byte of a product, else elements per byte
   * @param rate 1e9 operations or elements per second
   * @param nanos per element, or per multiply-add of the dense product
   */
  record Mark(double intensity, double rate, double nanos) {}

  static Entry of(Result result) {
    Map<Who, Mark> marks = new EnumMap<>(Who.class);
    Map<Who, Double> speedUps = new EnumMap<>(Who.class);
    String ours = result.ours();
    for (String contestant : result.contestants()) {
      Who who = Who.of(contestant, ours);
      if (who != null) {
        double nanos = result.nanosPerElement(contestant);
        marks.put(who, new Mark(1 / result.bytesPerElement(), 1 / nanos, nanos));
        if (who.isPeer()) {
          speedUps.put(who, result.speed(ours, contestant));
        }
      }
    }
    return new Entry(
        result.name(),
        "",
        result.threads(),
        result.bytesPerElement(),
        false,
        marks,
        result.speed(ours, Result.CEILING),
        speedUps,
        Goals.text(result.name() + "." + Result.CEILING),
        "");
  }

  static Entry of(KernelResult result) {
    Map<Who, Mark> marks = new EnumMap<>(Who.class);
    Map<Who, Double> speedUps = new EnumMap<>(Who.class);
    double work = result.isProduct() ? result.operations() : 1;
    marks.put(Who.FETTLE, mark(work, result.bytes(), result.nanos()));
    if (!result.peer().isEmpty()) {
      double peerWork = result.peerOperations() > 0 ? result.peerOperations() : work;
      double peerBytes = result.peerBytes() > 0 ? result.peerBytes() : result.bytes();
      marks.put(Who.LIBTORCH, mark(peerWork, peerBytes, result.nanos() * result.timesPeer()));
      speedUps.put(Who.LIBTORCH, result.timesPeer());
    }
    return new Entry(
        result.name(),
        result.size(),
        1,
        result.bytes(),
        result.isProduct(),
        marks,
        result.ofCeiling(),
        speedUps,
        "",
        result.peer());
  }

  private static Mark mark(double work, double bytes, double nanos) {
    return new Mark(work / bytes, work / nanos, nanos);
  }

  /** What people call it. */
  String title() {
    return name + (size.isEmpty() ? "" : ", " + size);
  }
}
