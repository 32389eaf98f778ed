package org.fettle.benchmarks;

import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * What was measured of one case, over all forks.
 *
 * @param name the case's
 * @param rule its rule's id
 * @param passes over the arrays
 * @param elements of all tensors together
 * @param tensors how many
 * @param threads the most threads
 * @param bytesPerElement counted bytes: what is updated in place counts twice
 * @param forks one JVM each
 */
record Result(
    String name,
    String rule,
    int passes,
    long elements,
    int tensors,
    int threads,
    double bytesPerElement,
    List<Fork> forks) {
  /** The contestant that "of ceiling" refers to. */
  static final String CEILING = "ceiling";

  /**
   * What one JVM measured.
   *
   * @param ours the name of Fettle's contestant that the ratios are about
   * @param nanos per contestant, nanoseconds per step in every round
   */
  record Fork(String ours, Map<String, double[]> nanos) {
    double nanosPerStep(String contestant) {
      return median(nanos.get(contestant));
    }

    /** How many times as fast as `other` the contestant is: the median over the rounds. */
    double speed(String contestant, String other) {
      double[] own = nanos.get(contestant);
      double[] others = nanos.get(other);
      double[] ratios = new double[own.length];
      for (int i = 0; i < ratios.length; i++) {
        ratios[i] = others[i] / own[i];
      }
      return median(ratios);
    }
  }

  String ours() {
    return forks.get(0).ours;
  }

  Set<String> contestants() {
    return forks.get(0).nanos.keySet();
  }

  double nanosPerStep(String contestant) {
    return median(forks.stream().mapToDouble(fork -> fork.nanosPerStep(contestant)).toArray());
  }

  double nanosPerElement(String contestant) {
    return nanosPerStep(contestant) / elements;
  }

  /** Counted bytes, so that a step that moves more than it must looks slow and not busy. */
  double gigabytesPerSecond(String contestant) {
    return bytesPerElement / nanosPerElement(contestant);
  }

  /** How many times as fast as `other` the contestant is: the median over the forks' medians. */
  double speed(String contestant, String other) {
    return median(speeds(contestant, other));
  }

  /** The same of every fork, sorted. */
  double[] speeds(String contestant, String other) {
    return forks.stream().mapToDouble(fork -> fork.speed(contestant, other)).sorted().toArray();
  }

  static double median(double[] values) {
    double[] sorted = values.clone();
    java.util.Arrays.sort(sorted);
    int middle = sorted.length / 2;
    return sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  }
}
