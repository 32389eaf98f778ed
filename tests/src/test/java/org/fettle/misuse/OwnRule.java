package org.fettle.misuse;

import java.util.List;
import java.util.stream.IntStream;
import org.fettle.Rule;

/**
 * A rule that nobody registered: p = p - g, or a failure where the test wants one.
 *
 * @param id the name that it goes by
 * @param stateCount how many states it says it has
 * @param scalarCount how many scalars it says it has
 * @param sums how many sums it says it forms
 */
record OwnRule(String id, int stateCount, int scalarCount, int sums) implements Rule {
  /** A gradient that makes {@link #update} fail. */
  static final float POISON = 12345f;

  @Override
  public double lr() {
    return 1;
  }

  @Override
  public List<String> states() {
    return names("state", stateCount);
  }

  @Override
  public List<String> scalars() {
    return names("scalar", scalarCount);
  }

  private static List<String> names(String what, int count) {
    return IntStream.range(0, count).mapToObj(i -> what + i).toList();
  }

  @Override
  public double[] hyper() {
    return new double[] {1};
  }

  @Override
  public void coefficients(StepContext step, float[] c) {}

  @Override
  public void update(float[] c, int n, float[] p, float[] g, float[][] state) {
    for (int i = 0; i < n; i++) {
      if (g[i] == POISON) {
        throw new ArithmeticException("poison");
      }
      p[i] -= g[i];
    }
  }
}
