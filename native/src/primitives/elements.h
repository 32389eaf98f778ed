// Elementwise primitives: gradient transforms, ascents, projections, Weight Compander. The Java twin is
// org.fettle.internal.Primitive.
#pragma once

#include "core/math.h"
#include "primitives/primitive.h"

namespace fettle {
namespace FETTLE_TIER {

// g -> factor * g
struct Scale : ElementsDefaults {
  static constexpr int outputs = 1;
  template <class F>
  FETTLE_FN void apply(const float* c, const F* in, F* out, Terms<F>&) {
    out[0] = in[0] * F(c[0]);
  }
};

// g -> factor * g; the sum is 0 if every value is finite, before and after, and NaN otherwise.
struct Unscale : ElementsDefaults {
  static constexpr int outputs = 1;
  static constexpr int sums = 1;
  template <class F>
  FETTLE_FN void apply(const float* c, const F* in, F* out, Terms<F>& terms) {
    out[0] = in[0] * F(c[0]);
    // 0 * x is 0 for a finite x and NaN otherwise.
    terms.a[0] = F(0.0f) * in[0] + F(0.0f) * out[0];
    terms.b[0] = F(1.0f);
  }
};

// g -> g limited to [-limit, limit]
struct ClipValue : ElementsDefaults {
  static constexpr int outputs = 1;
  template <class F>
  FETTLE_FN void apply(const float* c, const F* in, F* out, Terms<F>&) {
    out[0] = clamp(in[0], F(c[0]));
  }
};

struct SquareSum : ElementsDefaults {
  static constexpr int sums = 1;
  template <class F>
  FETTLE_FN void apply(const float*, const F* in, F*, Terms<F>& terms) {
    terms.a[0] = terms.b[0] = in[0];
  }
};

struct AbsoluteSum : ElementsDefaults {
  static constexpr int sums = 1;
  template <class F>
  FETTLE_FN void apply(const float*, const F* in, F*, Terms<F>& terms) {
    terms.a[0] = absolute(in[0]);
    terms.b[0] = F(1.0f);
  }
};

struct AbsoluteMax : ElementsDefaults {
  static constexpr int sums = 1;
  static constexpr bool maximum = true;
  template <class F>
  FETTLE_FN void apply(const float*, const F* in, F*, Terms<F>& terms) {
    terms.a[0] = absolute(in[0]);
    terms.b[0] = F(1.0f);
  }
};

// Copies array 0 to array 1, byte for byte.
struct Copy : ElementsDefaults {
  static constexpr bool saves = true;
  template <class F>
  FETTLE_FN void apply(const float*, const F*, F*, Terms<F>&) {}
};

// p, g -> p + factor * g; saves p
struct Ascend : ElementsDefaults {
  static constexpr int inputs = 2;
  static constexpr int outputs = 1;
  static constexpr bool saves = true;
  template <class F>
  FETTLE_FN void apply(const float* c, const F* in, F* out, Terms<F>&) {
    out[0] = fma(F(c[0]), in[1], in[0]);
  }
};

// p, g: the sum of (T * g)^2, T = |p| + eta
struct WeightedSquareSum : ElementsDefaults {
  static constexpr int inputs = 2;
  static constexpr int sums = 1;
  template <class F>
  FETTLE_FN void apply(const float* c, const F* in, F*, Terms<F>& terms) {
    terms.a[0] = terms.b[0] = (absolute(in[0]) + F(c[0])) * in[1];
  }
};

// p, g -> p + factor * T * T * g, T = |p| + eta; factors eta, factor; saves p
struct WeightedAscend : ElementsDefaults {
  static constexpr int inputs = 2;
  static constexpr int outputs = 1;
  static constexpr bool saves = true;
  template <class F>
  FETTLE_FN void apply(const float* c, const F* in, F* out, Terms<F>&) {
    const F t = absolute(in[0]) + F(c[0]);
    out[0] = fma(F(c[1]) * t, t * in[1], in[0]);
  }
};

// w, x: the sums of w^2 and (x - w)^2
struct ProxySums : ElementsDefaults {
  static constexpr int inputs = 2;
  static constexpr int sums = 2;
  template <class F>
  FETTLE_FN void apply(const float*, const F* in, F*, Terms<F>& terms) {
    terms.a[0] = terms.b[0] = in[0];
    terms.a[1] = terms.b[1] = in[1] - in[0];
  }
};

// w, x -> factor * (x - w)
struct ProxyDirection : ElementsDefaults {
  static constexpr int inputs = 2;
  static constexpr int outputs = 1;
  template <class F>
  FETTLE_FN void apply(const float* c, const F* in, F* out, Terms<F>&) {
    out[0] = F(c[0]) * (in[1] - in[0]);
  }
};

// w, x -> w + factor * (x - w); saves w
struct ProxyAscend : ElementsDefaults {
  static constexpr int inputs = 2;
  static constexpr int outputs = 1;
  static constexpr bool saves = true;
  template <class F>
  FETTLE_FN void apply(const float* c, const F* in, F* out, Terms<F>&) {
    out[0] = fma(F(c[0]), in[1] - in[0], in[0]);
  }
};

// p, g: <p,g>, <p,p>, <g,g>
struct ProjectionSums : ElementsDefaults {
  static constexpr int inputs = 2;
  static constexpr int sums = 3;
  template <class F>
  FETTLE_FN void apply(const float*, const F* in, F*, Terms<F>& terms) {
    terms.a[0] = terms.a[1] = terms.b[1] = in[0];
    terms.b[0] = terms.a[2] = terms.b[2] = in[1];
  }
};

// p, g: the sum of (g - a * p)^2; factor -a
struct ResidualSum : ElementsDefaults {
  static constexpr int inputs = 2;
  static constexpr int sums = 1;
  template <class F>
  FETTLE_FN void apply(const float* c, const F* in, F*, Terms<F>& terms) {
    terms.a[0] = terms.b[0] = fma(F(c[0]), in[0], in[1]);
  }
};

// p, g -> factor * (g - a * p); factors -a, factor
struct Residual : ElementsDefaults {
  static constexpr int inputs = 2;
  static constexpr int outputs = 1;
  template <class F>
  FETTLE_FN void apply(const float* c, const F* in, F* out, Terms<F>&) {
    out[0] = fma(F(c[0]), in[0], in[1]) * F(c[1]);
  }
};

// v -> a * atan(v / b); factors a, b
struct Compander : ElementsDefaults {
  static constexpr int outputs = 1;
  template <class F>
  FETTLE_FN void apply(const float* c, const F* in, F* out, Terms<F>&) {
    out[0] = F(c[0]) * arctangent(in[0] / F(c[1]));
  }
};

// v, dw -> dv = dw * (a / b) / (1 + t^2), t = v / b; the sums of dw * atan(t) and dw * t / (1 + t^2); factors a / b, b
struct CompanderGradient : ElementsDefaults {
  static constexpr int inputs = 2;
  static constexpr int outputs = 1;
  static constexpr int sums = 2;
  template <class F>
  FETTLE_FN void apply(const float* c, const F* in, F* out, Terms<F>& terms) {
    const F t = in[0] / F(c[1]);
    const F denominator = fma(t, t, F(1.0f));
    out[0] = in[1] * (F(c[0]) / denominator);
    terms.a[0] = terms.a[1] = in[1];
    terms.b[0] = arctangent(t);
    terms.b[1] = t / denominator;
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
