// Riemannian Adam and AdaGrad on the Poincare ball and the sphere, one point per row. A row's arithmetic is double, in the order
// written; parameter and first moment are stored as float.
//
//   e = g + wd * x ;  r = Riemannian gradient of e ;  m <- ema(m, r, beta1) ;  v <- ema(v, <r, r>_x, beta2) ;  amsgrad: its maximum
//   w = -lr * (m / c1) / (sqrt(v / c2) + eps) ;  x' = retraction or exponential map of w at x ;  m <- m moved from x to x'
//   AdaGrad: acc <- acc + <r, r>_x ;  x' = exponential map of -lr * r / (sqrt(acc) + eps)
//
// Source: arXiv:1810.00760; geoopt/geoopt. v, its maximum and acc are one double per row. A row of zeros on the sphere, and a row of
// no elements, stays as it is; its norm tells. Twin of org.fettle.internal.kernels.RiemannianKernels.
#pragma once

#include "core/math.h"
#include "kernels/kernel.h"
#include "kernels/steps/row_sum.h"
#include "kernels/steps/trigonometry.h"

namespace fettle {
namespace FETTLE_TIER {

struct Riemannian {
  enum Array { parameter, gradient, moment, second, largest, scratch, norms };
  enum Integer { length, sphere, exact, amsgrad, adagrad };
  enum Number { lr, beta1, beta2, eps, weightDecay, curvature, boundary, correction1, correction2 };

  FETTLE_FN double dot(const double* a, const double* b, int64_t n) {
    RowSum sum;
    for (int64_t i = 0; i < n; i++) sum.add(a[i] * b[i]);
    return sum.finish();
  }

  FETTLE_FN void scale(double* x, double factor, int64_t n) {
    for (int64_t i = 0; i < n; i++) x[i] = factor * x[i];
  }

  FETTLE_FN double atLeast(double x, double least) { return x < least ? least : x; }

  // Back into the ball.
  FETTLE_FN void project(double* x, int64_t n, double c, double margin) {
    const double norm = rootOf(dot(x, x, n));
    const double limit = (1.0 - margin) / rootOf(c);
    if (norm > limit) scale(x, limit / norm, n);
  }

  FETTLE_FN double conformal(double square, double c) { return 2.0 / atLeast(1.0 - c * square, 1e-15); }

  // y <- x (+) y on the ball.
  FETTLE_FN void add(const double* x, double* y, int64_t n, double c) {
    const double xx = dot(x, x, n);
    const double yy = dot(y, y, n);
    const double xy = dot(x, y, n);
    const double denominator = atLeast(1.0 + 2.0 * c * xy + c * c * xx * yy, 1e-15);
    const double a = (1.0 + 2.0 * c * xy + c * yy) / denominator;
    const double b = (1.0 - c * xx) / denominator;
    for (int64_t i = 0; i < n; i++) y[i] = a * x[i] + b * y[i];
  }

  // m <- gyr[u, -x] m * factor: what the transport from x to u makes of m.
  FETTLE_FN void transport(const double* u, const double* x, double* m, int64_t n, double c, double factor) {
    const double uu = dot(u, u, n);
    const double vv = dot(x, x, n);
    const double uv = -dot(u, x, n);
    const double uw = dot(u, m, n);
    const double vw = -dot(x, m, n);
    const double a = -c * c * uw * vv + c * vw + 2.0 * c * c * uv * vw;
    const double b = -c * c * vw * uu - c * uw;
    const double denominator = atLeast(1.0 + 2.0 * c * uv + c * c * uu * vv, 1e-15);
    for (int64_t i = 0; i < n; i++) m[i] = factor * (m[i] + 2.0 * (a * u[i] - b * x[i]) / denominator);
  }

  // w <- the point that the step w leads to from x.
  FETTLE_FN void moveOnBall(const double* x, double* w, int64_t n, double c, double margin, bool map) {
    if (map) {
      const double square = dot(w, w, n);
      const double norm = rootOf(square);
      if (norm > 0.0) {
        const double argument = rootOf(c) * conformal(dot(x, x, n), c) * norm / 2.0;
        scale(w, hyperbolicTangent(argument) / (rootOf(c) * norm), n);
      }
      add(x, w, n, c);
    } else {
      for (int64_t i = 0; i < n; i++) w[i] = x[i] + w[i];
    }
    project(w, n, c, margin);
  }

  FETTLE_FN void moveOnSphere(const double* x, double* w, int64_t n, bool map) {
    const double norm = rootOf(dot(w, w, n));
    if (map && norm > 2.220446049250313e-16) {
      const double along = cosine(norm);
      const double across = sine(norm) / norm;
      for (int64_t i = 0; i < n; i++) w[i] = x[i] * along + w[i] * across;
    } else {
      for (int64_t i = 0; i < n; i++) w[i] = x[i] + w[i];
      scale(w, 1.0 / rootOf(dot(w, w, n)), n);
    }
  }

  FETTLE_FN void readPoint(const fettle_call& call, int64_t unit, double* x, double* e, int64_t n) {
    const float* p = arrayOf<float>(call, parameter) + unit * n;
    const float* g = arrayOf<float>(call, gradient) + unit * n;
    for (int64_t i = 0; i < n; i++) x[i] = double(p[i]);
    if (call.integer[sphere] != 0) {
      const double norm = rootOf(dot(x, x, n));
      arrayOf<double>(call, norms)[unit] = norm;
      if (norm == 0.0) return;
      scale(x, 1.0 / norm, n);
    } else {
      arrayOf<double>(call, norms)[unit] = 1.0;
      project(x, n, call.number[curvature], call.number[boundary]);
    }
    const double wd = call.number[weightDecay];
    for (int64_t i = 0; i < n; i++) e[i] = wd == 0.0 ? double(g[i]) : double(g[i]) + wd * x[i];
  }

  // e <- the Riemannian gradient; answers its square in the metric at x.
  FETTLE_FN double turn(const fettle_call& call, const double* x, double* e, int64_t n, double factor) {
    if (call.integer[sphere] != 0) {
      const double along = dot(x, e, n);
      for (int64_t i = 0; i < n; i++) e[i] = e[i] - along * x[i];
      return dot(e, e, n);
    }
    scale(e, 1.0 / (factor * factor), n);
    return factor * factor * dot(e, e, n);
  }

  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const int64_t n = call.integer[length];
    double* x = arrayOf<double>(call, scratch) + unit * 3 * n;
    double* w = x + n;
    double* m = w + n;
    const double c = call.number[curvature];
    readPoint(call, unit, x, w, n);
    if (arrayOf<double>(call, norms)[unit] == 0.0) return;
    const double factor = conformal(dot(x, x, n), c);
    const double square = turn(call, x, w, n, factor);
    double* v = arrayOf<double>(call, second) + unit;
    float* kept = arrayOf<float>(call, moment) + unit * n;
    if (call.integer[adagrad] != 0) {
      *v = *v + square;
      scale(w, -call.number[lr] / (rootOf(*v) + call.number[eps]), n);
    } else {
      *v = call.number[beta2] * *v + (1.0 - call.number[beta2]) * square;
      double used = *v;
      if (call.integer[amsgrad] != 0) {
        double* most = arrayOf<double>(call, largest) + unit;
        *most = *most > used ? *most : used;
        used = *most;
      }
      const double size =
          -call.number[lr] / call.number[correction1] / (rootOf(used / call.number[correction2]) + call.number[eps]);
      for (int64_t i = 0; i < n; i++) {
        m[i] = call.number[beta1] * double(kept[i]) + (1.0 - call.number[beta1]) * w[i];
        w[i] = size * m[i];
      }
    }
    if (call.integer[sphere] != 0) {
      moveOnSphere(x, w, n, call.integer[exact] != 0);
    } else {
      moveOnBall(x, w, n, c, call.number[boundary], call.integer[exact] != 0);
    }
    if (call.integer[adagrad] == 0) {
      if (call.integer[sphere] != 0) {
        const double along = dot(w, m, n);
        for (int64_t i = 0; i < n; i++) m[i] = m[i] - along * w[i];
      } else {
        transport(w, x, m, n, c, factor / conformal(dot(w, w, n), c));
      }
      for (int64_t i = 0; i < n; i++) kept[i] = float(m[i]);
    }
    float* p = arrayOf<float>(call, parameter) + unit * n;
    for (int64_t i = 0; i < n; i++) p[i] = float(w[i]);
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
