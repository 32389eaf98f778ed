package org.fettle.benchmarks;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The interleaved measurement: in every round each contestant has a turn of a few steps, so that a
 * noisy machine disturbs all of them alike. Ratios are formed within a round.
 */
final class Rounds {
  /**
   * How long to measure.
   *
   * @param warmSeconds per contestant, before the first round
   * @param seconds of all rounds together
   * @param turnSeconds a turn takes at least one step and about this long
   * @param least rounds, even if they take longer
   * @param most rounds, even if they take less
   */
  record Settings(double warmSeconds, double seconds, double turnSeconds, int least, int most) {}

  private static final long PAUSE_MILLIS = 30;

  private Rounds() {}

  /** Nanoseconds per step of every contestant in every round. */
  static Map<String, double[]> run(List<Contestant> contestants, Settings settings, boolean pause)
      throws InterruptedException {
    int[] steps = warm(contestants, settings);
    List<double[]> rounds = new ArrayList<>();
    long start = System.nanoTime();
    long end = start + (long) (settings.seconds * 1e9);
    while (rounds.size() < settings.least
        || (rounds.size() < settings.most && System.nanoTime() < end)) {
      double[] round = new double[contestants.size()];
      for (int i = 0; i < round.length; i++) {
        // Everyone follows everyone: the order rotates.
        int k = (i + rounds.size()) % round.length;
        round[k] = turn(contestants.get(k), steps[k]);
        if (pause && contestants.get(k).spinsAfterwards()) {
          Thread.sleep(PAUSE_MILLIS);
        }
      }
      rounds.add(round);
    }
    Map<String, double[]> result = new LinkedHashMap<>();
    for (int k = 0; k < contestants.size(); k++) {
      int index = k;
      result.put(
          contestants.get(k).name(), rounds.stream().mapToDouble(round -> round[index]).toArray());
    }
    return result;
  }

  /** Runs every contestant for a while; answers how many steps make a turn. */
  private static int[] warm(List<Contestant> contestants, Settings settings) {
    int[] steps = new int[contestants.size()];
    for (int k = 0; k < steps.length; k++) {
      long start = System.nanoTime();
      long end = start + (long) (settings.warmSeconds * 1e9);
      double best = Double.POSITIVE_INFINITY;
      int batch = 1;
      do {
        double nanos = turn(contestants.get(k), batch);
        best = Math.min(best, nanos);
        batch = (int) Math.max(1, Math.min(1000, settings.turnSeconds * 1e9 / nanos));
      } while (System.nanoTime() < end);
      steps[k] = (int) Math.max(1, settings.turnSeconds * 1e9 / best);
    }
    return steps;
  }

  /**
   * One step that does not count, because it pays for what the one before left in the caches; then
   * `steps`.
   */
  private static double turn(Contestant contestant, int steps) {
    contestant.step();
    long start = System.nanoTime();
    for (int i = 0; i < steps; i++) {
      contestant.step();
    }
    return (double) (System.nanoTime() - start) / steps;
  }
}
