package org.fettle.averages;

import org.fettle.Range;
import org.fettle.Transcendental;

/**
 * The factor of an average with a half-life in examples (NVlabs/edm2, TraditionalEMA): {@code a =
 * 0.5^(batch / max(h, 1e-8))}, {@code h = min(halfLife, seen * rampUp)}.
 *
 * @param examples the half-life, finite and &gt;= 0; default 500,000
 * @param rampUp limits the half-life to that share of the examples seen, finite and &gt; 0;
 *     infinity for no ramp-up; default 0.09
 */
public record HalfLife(double examples, double rampUp) {
  /** Checks the numbers. */
  public HalfLife {
    Range.nonNegative("examples", examples);
    Range.check("rampUp", rampUp, rampUp > 0, "> 0");
  }

  /** With a ramp-up of 0.09. */
  public HalfLife(double examples) {
    this(examples, 0.09);
  }

  /**
   * The factor a of a step.
   *
   * @param batch examples of this step, &gt; 0
   * @param seen examples seen, this step's included
   */
  public double factor(double batch, double seen) {
    Range.positive("batch", batch);
    Range.check("seen", seen, seen >= batch && Double.isFinite(seen), ">= batch");
    double halfLife = Math.min(examples, seen * rampUp);
    return Transcendental.power(0.5, batch / Math.max(halfLife, 1e-8));
  }
}
