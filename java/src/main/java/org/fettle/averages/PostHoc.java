package org.fettle.averages;

import java.util.List;
import org.fettle.Range;
import org.fettle.Transcendental;
import org.ojalgo.matrix.decomposition.LU;
import org.ojalgo.matrix.store.R064Store;

/**
 * Post-hoc reconstruction (NVlabs/edm2, arXiv:2312.02696): the average of any profile at any time
 * as a combination of stored power-function averages. The coefficients, which sum to 1 and are
 * often negative and larger than 1, go to {@link org.fettle.merge.LinearCombination#combine} with
 * the stored averages.
 *
 * <p>They solve a symmetric system in double. How well it is conditioned depends on how far apart
 * the snapshots are; equal ones make it singular and are refused.
 */
public final class PostHoc {
  private static final System.Logger LOG = System.getLogger("org.fettle");

  private PostHoc() {}

  /**
   * A stored average, or one that is wanted.
   *
   * @param time examples or steps seen, finite and &gt; 0
   * @param profile its profile
   */
  public record Snapshot(double time, PowerProfile profile) {
    /** Checks the time. */
    public Snapshot {
      Range.positive("time", time);
    }
  }

  /**
   * The coefficients of the stored averages.
   *
   * @param stored at least one, all different
   * @param target what is wanted; later than every stored one is an extrapolation, which is logged
   * @throws IllegalArgumentException if two stored ones are equal, or the system cannot be solved
   */
  public static double[] coefficients(List<Snapshot> stored, Snapshot target) {
    int count = stored.size();
    Range.check("number of snapshots", count, count >= 1, ">= 1");
    double latest = 0;
    for (int i = 0; i < count; i++) {
      latest = Math.max(latest, stored.get(i).time());
      int earlier = stored.subList(0, i).indexOf(stored.get(i));
      if (earlier >= 0) {
        throw new IllegalArgumentException(
            "snapshots "
                + earlier
                + " and "
                + i
                + " are both "
                + stored.get(i)
                + ": expected different ones");
      }
    }
    if (target.time() > latest) {
      LOG.log(
          System.Logger.Level.WARNING,
          "the average at {0} is extrapolated: the latest snapshot is at {1}",
          target.time(),
          latest);
    }
    double[] gamma = stored.stream().mapToDouble(s -> s.profile().gamma()).toArray();
    double wanted = target.profile().gamma();
    R064Store matrix = R064Store.FACTORY.make(count, count);
    R064Store right = R064Store.FACTORY.make(count, 1);
    for (int i = 0; i < count; i++) {
      for (int j = 0; j < count; j++) {
        matrix.set(i, j, product(stored.get(i).time(), gamma[i], stored.get(j).time(), gamma[j]));
      }
      right.set(i, 0, product(stored.get(i).time(), gamma[i], target.time(), wanted));
    }
    LU<Double> decomposition = LU.R064.make(matrix);
    decomposition.decompose(matrix);
    if (!decomposition.isSolvable()) {
      throw new IllegalArgumentException(
          "the snapshots " + stored + " make a singular system: expected them further apart");
    }
    double[] solution = decomposition.getSolution(right).toRawCopy1D();
    double sum = 0;
    for (double coefficient : solution) {
      sum += coefficient;
    }
    for (int i = 0; i < count; i++) {
      solution[i] /= sum;
    }
    return solution;
  }

  /** The inner product of two profiles, with no power of a time that could overflow. */
  private static double product(double timeA, double gammaA, double timeB, double gammaB) {
    double exponent = timeA < timeB ? gammaB : -gammaA;
    double ratio = Transcendental.power(timeA / timeB, exponent);
    return (gammaA + 1) * (gammaB + 1) * ratio / ((gammaA + gammaB + 1) * Math.max(timeA, timeB));
  }
}
