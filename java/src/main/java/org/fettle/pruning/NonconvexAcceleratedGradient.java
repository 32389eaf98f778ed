package org.fettle.pruning;

import java.util.Objects;
import org.fettle.Range;

/**
 * Accelerated gradient for a loss with a SCAD or MCP penalty, coordinate 0 (the intercept) free of
 * it.
 *
 * <pre>
 * beta = 0.99 / L, L = max(lipschitz, 1 / (a - 1) or 1 / gamma)
 * alpha = 2 / (1 + sqrt(1 + 4 / alpha^2)), 1 in a restart ;  step = beta / alpha
 * md = (1 - alpha) ag + alpha x ;  d = gradient of the loss and of the penalty's concave part at md
 * x = soft(x - step d, step lambda) ;  ag = soft(md - beta d, beta lambda)
 * </pre>
 *
 * <p>It restarts where md's movement has shrunk and three steps have passed since the last restart.
 * In double, on the host. Each step: {@link #middle}, the caller's gradient there, {@link #step}.
 * Source: Yang et al., arXiv:2009.10629; Kaiyangshi-Ito/nonconvexAG, the original single file (the
 * newer package flips a sign).
 */
public final class NonconvexAcceleratedGradient {
  private static final int LEAST_STEPS = 3;

  private final Penalty penalty;
  private final double lambda;
  private final double beta;
  private double[] x;
  private double[] ag;
  private double[] middle;
  private double alpha = 1;
  private double oldMovement;
  private double movement = 1;
  private long step;
  private long restart;
  private boolean waiting;

  /**
   * A penalty by its shape.
   *
   * @param isScad whether it is SCAD; MCP otherwise
   * @param shape a of SCAD, more than 2 (3.7 by default), or gamma of MCP, more than 0 (2 by
   *     default)
   */
  public record Penalty(boolean isScad, double shape) {
    /** Checks the shape. */
    public Penalty {
      Range.check(isScad ? "a" : "gamma", shape, shape > (isScad ? 2 : 0), isScad ? "> 2" : "> 0");
    }

    /** Smoothly clipped absolute deviation. */
    public static Penalty scad(double a) {
      return new Penalty(true, a);
    }

    /** Minimax concave penalty. */
    public static Penalty mcp(double gamma) {
      return new Penalty(false, gamma);
    }

    private double curvature() {
      return isScad ? 1 / (shape - 1) : 1 / shape;
    }

    /** The gradient of the concave part. */
    private double concaveSlope(double value, double lambda) {
      double sign = Math.signum(value);
      double magnitude = Math.abs(value);
      if (!isScad) {
        return magnitude < shape * lambda ? -value / shape : -lambda * sign;
      }
      if (magnitude <= lambda) {
        return 0;
      }
      return magnitude < shape * lambda
          ? (lambda * sign - sign * magnitude) / (shape - 1)
          : -lambda * sign;
    }
  }

  /**
   * Starts.
   *
   * @param penalty the penalty
   * @param lambda its weight, at least 0
   * @param lipschitz of the loss's gradient, more than 0
   * @param start the coordinates, the intercept first; copied
   */
  public NonconvexAcceleratedGradient(
      Penalty penalty, double lambda, double lipschitz, double[] start) {
    this.penalty = Objects.requireNonNull(penalty, "penalty");
    Range.nonNegative("lambda", lambda);
    Range.positive("lipschitz", lipschitz);
    this.lambda = lambda;
    beta = 0.99 / Math.max(lipschitz, penalty.curvature());
    x = start.clone();
    ag = start.clone();
    middle = start.clone();
  }

  /** Where the gradient of the loss is wanted next; a copy. */
  public double[] middle() {
    if (!waiting) {
      step++;
      if (oldMovement > movement && step - restart >= LEAST_STEPS) {
        alpha = 1;
        restart = step;
      } else {
        alpha = 2 / (1 + Math.sqrt(1 + 4 / (alpha * alpha)));
      }
      double square = 0;
      double[] next = new double[x.length];
      for (int i = 0; i < x.length; i++) {
        next[i] = (1 - alpha) * ag[i] + alpha * x[i];
        square += (next[i] - middle[i]) * (next[i] - middle[i]);
      }
      oldMovement = movement;
      movement = Math.sqrt(square);
      middle = next;
      waiting = true;
    }
    return middle.clone();
  }

  /**
   * One step.
   *
   * @param gradient of the loss at {@link #middle}
   */
  public void step(double[] gradient) {
    if (!waiting) {
      throw new IllegalStateException("expected a call of middle before every step");
    }
    if (gradient.length != x.length) {
      throw new IllegalArgumentException(
          "gradient has " + gradient.length + " coordinates: expected " + x.length);
    }
    double size = beta / alpha;
    for (int i = 0; i < x.length; i++) {
      double slope = gradient[i] + (i == 0 ? 0 : penalty.concaveSlope(middle[i], lambda));
      x[i] = soft(i, x[i] - size * slope, size * lambda);
      ag[i] = soft(i, middle[i] - beta * slope, beta * lambda);
    }
    waiting = false;
  }

  private static double soft(int coordinate, double value, double threshold) {
    if (coordinate == 0) {
      return value;
    }
    return Math.abs(value) > threshold ? value - Math.signum(value) * threshold : 0;
  }

  /** The main sequence; a copy. */
  public double[] main() {
    return x.clone();
  }

  /** The aggregate sequence, which is the solution; a copy. */
  public double[] aggregate() {
    return ag.clone();
  }

  /** The last step's alpha. */
  public double alpha() {
    return alpha;
  }
}
