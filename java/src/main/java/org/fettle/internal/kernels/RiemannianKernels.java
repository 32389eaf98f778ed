package org.fettle.internal.kernels;

import org.fettle.internal.JavaCall;
import org.fettle.internal.Kernel;

/** Riemannian steps: twin of {@code native/src/kernels/steps/riemannian.h}. */
public final class RiemannianKernels {
  /**
   * A step on the ball or the sphere, one unit per row. Arrays: x, g, m (F32; m null for AdaGrad),
   * v, its maximum (F64, one per row; the latter may be null), scratch (F64, three times the
   * elements), norms (F64, one per row). Integers: length of a row, sphere, exact map, amsgrad,
   * adagrad. Numbers: lr, beta1, beta2, eps, weight decay, curvature, margin of the boundary, 1 -
   * beta1^t, 1 - beta2^t.
   */
  public static final Kernel RIEMANNIAN = new Kernel("riemannian", RiemannianKernels::run);

  private RiemannianKernels() {}

  private static void run(JavaCall call, long first, long last) {
    RowStep step = new RowStep(call);
    for (long unit = first; unit < last; unit++) {
      step.unit(unit);
    }
  }

  /** One participant's rows. */
  private static final class RowStep {
    private final JavaCall call;
    private final Runs runs = new Runs();
    private final RowSum sum = new RowSum();
    private final double[] one = new double[1];
    private final int n;
    private final boolean sphere;
    private final boolean exact;
    private final double c;
    private final double margin;
    private final float[] floats;
    private final double[] x;
    private final double[] w;
    private final double[] m;

    RowStep(JavaCall call) {
      this.call = call;
      n = Math.toIntExact(call.integer(0));
      sphere = call.integer(1) != 0;
      exact = call.integer(2) != 0;
      c = call.number(5);
      margin = call.number(6);
      floats = new float[n];
      x = new double[n];
      w = new double[n];
      m = new double[n];
    }

    void unit(long unit) {
      if (!readPoint(unit)) {
        return;
      }
      boolean adagrad = call.integer(4) != 0;
      double factor = conformal(dot(x, x));
      double square = turn(factor);
      call.array(3).getDoubles(unit, one, 1);
      if (adagrad) {
        double v = one[0] + square;
        one[0] = v;
        call.array(3).putDoubles(unit, one, 1);
        scale(w, -call.number(0) / (Math.sqrt(v) + call.number(3)));
      } else {
        double v = call.number(2) * one[0] + (1.0 - call.number(2)) * square;
        one[0] = v;
        call.array(3).putDoubles(unit, one, 1);
        if (call.integer(3) != 0) {
          call.array(4).getDoubles(unit, one, 1);
          v = one[0] > v ? one[0] : v;
          one[0] = v;
          call.array(4).putDoubles(unit, one, 1);
        }
        average(unit, v);
      }
      if (sphere) {
        moveOnSphere();
      } else {
        moveOnBall();
      }
      if (!adagrad) {
        carry(factor);
        for (int i = 0; i < n; i++) {
          floats[i] = (float) m[i];
        }
        runs.write(call.array(2), unit * n, floats, n);
      }
      for (int i = 0; i < n; i++) {
        floats[i] = (float) w[i];
      }
      runs.write(call.array(0), unit * n, floats, n);
    }

    private void average(long unit, double v) {
      double size =
          -call.number(0) / call.number(7) / (Math.sqrt(v / call.number(8)) + call.number(3));
      runs.read(call.array(2), unit * n, floats, n);
      double keep = call.number(1);
      for (int i = 0; i < n; i++) {
        m[i] = keep * (double) floats[i] + (1.0 - keep) * w[i];
        w[i] = size * m[i];
      }
    }

    private boolean readPoint(long unit) {
      runs.read(call.array(0), unit * n, floats, n);
      for (int i = 0; i < n; i++) {
        x[i] = (double) floats[i];
      }
      one[0] = sphere ? Math.sqrt(dot(x, x)) : 1.0;
      call.array(6).putDoubles(unit, one, 1);
      if (one[0] == 0.0) {
        return false;
      }
      if (sphere) {
        scale(x, 1.0 / one[0]);
      } else {
        project(x);
      }
      runs.read(call.array(1), unit * n, floats, n);
      double wd = call.number(4);
      for (int i = 0; i < n; i++) {
        w[i] = wd == 0.0 ? (double) floats[i] : (double) floats[i] + wd * x[i];
      }
      return true;
    }

    /** w becomes the Riemannian gradient; answers its square in the metric at x. */
    private double turn(double factor) {
      if (sphere) {
        double along = dot(x, w);
        for (int i = 0; i < n; i++) {
          w[i] = w[i] - along * x[i];
        }
        return dot(w, w);
      }
      scale(w, 1.0 / (factor * factor));
      return factor * factor * dot(w, w);
    }

    private void moveOnBall() {
      if (exact) {
        double norm = Math.sqrt(dot(w, w));
        if (norm > 0.0) {
          double argument = Math.sqrt(c) * conformal(dot(x, x)) * norm / 2.0;
          scale(w, Trigonometry.hyperbolicTangent(argument) / (Math.sqrt(c) * norm));
        }
        add();
      } else {
        for (int i = 0; i < n; i++) {
          w[i] = x[i] + w[i];
        }
      }
      project(w);
    }

    private void moveOnSphere() {
      double norm = Math.sqrt(dot(w, w));
      if (exact && norm > 2.220446049250313e-16) {
        double along = Trigonometry.cosine(norm);
        double across = Trigonometry.sine(norm) / norm;
        for (int i = 0; i < n; i++) {
          w[i] = x[i] * along + w[i] * across;
        }
      } else {
        for (int i = 0; i < n; i++) {
          w[i] = x[i] + w[i];
        }
        scale(w, 1.0 / Math.sqrt(dot(w, w)));
      }
    }

    /** m moves along with the point, from x to w. */
    private void carry(double factor) {
      if (sphere) {
        double along = dot(w, m);
        for (int i = 0; i < n; i++) {
          m[i] = m[i] - along * w[i];
        }
        return;
      }
      double uu = dot(w, w);
      double ratio = factor / conformal(uu);
      double vv = dot(x, x);
      double uv = -dot(w, x);
      double uw = dot(w, m);
      double vw = -dot(x, m);
      double a = -c * c * uw * vv + c * vw + 2.0 * c * c * uv * vw;
      double b = -c * c * vw * uu - c * uw;
      double denominator = atLeast(1.0 + 2.0 * c * uv + c * c * uu * vv);
      for (int i = 0; i < n; i++) {
        m[i] = ratio * (m[i] + 2.0 * (a * w[i] - b * x[i]) / denominator);
      }
    }

    /** w becomes x (+) w on the ball. */
    private void add() {
      double xx = dot(x, x);
      double yy = dot(w, w);
      double xy = dot(x, w);
      double denominator = atLeast(1.0 + 2.0 * c * xy + c * c * xx * yy);
      double a = (1.0 + 2.0 * c * xy + c * yy) / denominator;
      double b = (1.0 - c * xx) / denominator;
      for (int i = 0; i < n; i++) {
        w[i] = a * x[i] + b * w[i];
      }
    }

    private void project(double[] point) {
      double norm = Math.sqrt(dot(point, point));
      double limit = (1.0 - margin) / Math.sqrt(c);
      if (norm > limit) {
        scale(point, limit / norm);
      }
    }

    private double conformal(double square) {
      return 2.0 / atLeast(1.0 - c * square);
    }

    private static double atLeast(double value) {
      return value < 1e-15 ? 1e-15 : value;
    }

    private double dot(double[] a, double[] b) {
      for (int i = 0; i < n; i++) {
        sum.add(a[i] * b[i]);
      }
      return sum.finish();
    }

    private void scale(double[] point, double factor) {
      for (int i = 0; i < n; i++) {
        point[i] = factor * point[i];
      }
    }
  }
}
