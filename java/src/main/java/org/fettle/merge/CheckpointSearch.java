package org.fettle.merge;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.function.ToDoubleFunction;
import org.fettle.Range;

/**
 * A small evolutionary search for the coefficients of a combination of checkpoints. The idea is
 * LCSC's (arXiv:2404.02241), whose search was not released; this one is ours. The coefficients sum
 * to 1 and may be negative or larger than 1. It starts from the mean, from each checkpoint and from
 * random mixtures; a child mixes two of the best half and adds normal noise, which shrinks with the
 * generations. The same seed gives the same search.
 *
 * @param population candidates kept, at least 4; default 16
 * @param generations at least 1; default 20
 * @param deviation of the noise on a coefficient in the first generation, finite and &gt; 0;
 *     default 0.1
 * @param seed of the random numbers; default 0
 */
public record CheckpointSearch(int population, int generations, double deviation, long seed) {
  /**
   * What a search found.
   *
   * @param coefficients one per checkpoint; they sum to 1
   * @param score their score
   */
  public record Found(List<Double> coefficients, double score) {
    /** The coefficients as {@link LinearCombination#combine} takes them. */
    public double[] array() {
      return coefficients.stream().mapToDouble(Double::doubleValue).toArray();
    }
  }

  /** Checks the numbers. */
  public CheckpointSearch {
    Range.check("population", population, population >= 4, ">= 4");
    Range.check("generations", generations, generations >= 1, ">= 1");
    Range.positive("deviation", deviation);
  }

  /** A search with the defaults. */
  public CheckpointSearch() {
    this(16, 20, 0.1, 0);
  }

  private static final class Candidate {
    private final double[] coefficients;
    private final double score;

    Candidate(double[] coefficients, double score) {
      this.coefficients = coefficients;
      this.score = score;
    }

    double[] coefficients() {
      return coefficients;
    }

    double score() {
      return score;
    }
  }

  /**
   * Searches.
   *
   * @param checkpoints how many there are, at least 1
   * @param scorer the held-out score of a combination, higher is better; a NaN never wins
   */
  public Found search(int checkpoints, ToDoubleFunction<double[]> scorer) {
    Range.check("number of checkpoints", checkpoints, checkpoints >= 1, ">= 1");
    Objects.requireNonNull(scorer, "scorer");
    SplittableRandom random = new SplittableRandom(seed);
    List<Candidate> pool = new ArrayList<>();
    double[] mean = new double[checkpoints];
    Arrays.fill(mean, 1.0 / checkpoints);
    pool.add(rated(mean, scorer));
    for (int k = 0; k < checkpoints && checkpoints > 1; k++) {
      double[] one = new double[checkpoints];
      one[k] = 1;
      pool.add(rated(one, scorer));
    }
    while (pool.size() < population) {
      pool.add(rated(noisy(mean, deviation, random), scorer));
    }
    keepBest(pool);
    for (int generation = 0; generation < generations; generation++) {
      double noise = deviation * (generations - generation) / generations;
      int parents = population / 2;
      for (int child = 0; child < parents; child++) {
        double[] a = pool.get(random.nextInt(parents)).coefficients();
        double[] b = pool.get(random.nextInt(parents)).coefficients();
        double share = random.nextDouble();
        double[] mixed = new double[checkpoints];
        for (int k = 0; k < checkpoints; k++) {
          mixed[k] = share * a[k] + (1 - share) * b[k];
        }
        pool.add(rated(noisy(mixed, noise, random), scorer));
      }
      keepBest(pool);
    }
    Candidate best = pool.get(0);
    return new Found(Arrays.stream(best.coefficients()).boxed().toList(), best.score());
  }

  private void keepBest(List<Candidate> pool) {
    pool.sort(Comparator.comparingDouble(Candidate::score).reversed());
    pool.subList(Math.min(population, pool.size()), pool.size()).clear();
  }

  private static Candidate rated(double[] coefficients, ToDoubleFunction<double[]> scorer) {
    double score = scorer.applyAsDouble(coefficients.clone());
    return new Candidate(coefficients, Double.isNaN(score) ? Double.NEGATIVE_INFINITY : score);
  }

  /** Noise whose mean is taken off, so that the sum stays 1. */
  private static double[] noisy(double[] from, double deviation, SplittableRandom random) {
    double[] noise = new double[from.length];
    double sum = 0;
    for (int k = 0; k < noise.length; k++) {
      double radius = Math.sqrt(-2 * StrictMath.log(1 - random.nextDouble()));
      noise[k] = deviation * radius * StrictMath.cos(2 * Math.PI * random.nextDouble());
      sum += noise[k];
    }
    double[] result = new double[from.length];
    for (int k = 0; k < noise.length; k++) {
      result[k] = from[k] + noise[k] - sum / noise.length;
    }
    return result;
  }
}
