package org.fettle.steps;

import org.fettle.Range;

/**
 * Where the rows of a parameter live.
 *
 * @param kind ball or sphere
 * @param curvature c of the ball: its radius is 1 / sqrt(c); positive; default 1
 * @param margin how near to the ball's boundary a point may come, relative; in (0, 1); default
 *     1e-5. geoopt takes 4e-3 for float32, which rows in double do not need
 */
public record Manifold(Kind kind, double curvature, double margin) {
  /** The kinds. */
  public enum Kind {
    /** The Poincare ball. */
    BALL,
    /** The unit sphere. */
    SPHERE
  }

  /** Checks the numbers. */
  public Manifold {
    java.util.Objects.requireNonNull(kind, "kind");
    Range.positive("curvature", curvature);
    Range.check("margin", margin, margin > 0 && margin < 1, "in (0, 1)");
  }

  /** The Poincare ball of radius 1. */
  public static Manifold ball() {
    return new Manifold(Kind.BALL, 1, 1e-5);
  }

  /** The unit sphere. */
  public static Manifold sphere() {
    return new Manifold(Kind.SPHERE, 1, 1e-5);
  }
}
