// Elementwise passes of the steps that need sums over all tensors, or products of matrices, between their passes. The Java twin is
// org.fettle.internal.Primitive.
#pragma once

#include "core/numeric.h"
#include "primitives/primitive.h"

namespace fettle {
namespace FETTLE_TIER {

// x, y: <x, y>
struct Dot : ElementsDefaults {
  static constexpr int inputs = 2;
  static constexpr int sums = 1;
  template <class F>
  FETTLE_FN void apply(const float*, const F* in, F*, Terms<F>& terms) {
    terms.a[0] = in[0];
    terms.b[0] = in[1];
  }
};

// p, q, g: <p - q, g>, |p - q|^2, |g|^2
struct DifferenceSums : ElementsDefaults {
  static constexpr int inputs = 3;
  static constexpr int sums = 3;
  template <class F>
  FETTLE_FN void apply(const float*, const F* in, F*, Terms<F>& terms) {
    const F d = in[0] - in[1];
    terms.a[0] = terms.a[1] = terms.b[1] = d;
    terms.b[0] = terms.a[2] = terms.b[2] = in[2];
  }
};

// x, y -> a * x + b * y; factors a, b
struct Linear : ElementsDefaults {
  static constexpr int inputs = 2;
  static constexpr int outputs = 1;
  template <class F>
  FETTLE_FN void apply(const float* c, const F* in, F* out, Terms<F>&) {
    out[0] = fma(F(c[0]), in[0], F(c[1]) * in[1]);
  }
};

// p, x -> p + a * x; factor a
struct AddScaled : ElementsDefaults {
  static constexpr int inputs = 2;
  static constexpr int outputs = 1;
  template <class F>
  FETTLE_FN void apply(const float* c, const F* in, F* out, Terms<F>&) {
    out[0] = fma(F(c[0]), in[1], in[0]);
  }
};

// p, x, y, z -> p + a * x + b * y + c * z; factors a, b, c
struct AddThree : ElementsDefaults {
  static constexpr int inputs = 4;
  static constexpr int outputs = 1;
  template <class F>
  FETTLE_FN void apply(const float* c, const F* in, F* out, Terms<F>&) {
    out[0] = fma(F(c[0]), in[1], fma(F(c[1]), in[2], fma(F(c[2]), in[3], in[0])));
  }
};

// p, g -> p - a * sign(g); factor -a
struct SignStep : ElementsDefaults {
  static constexpr int inputs = 2;
  static constexpr int outputs = 1;
  template <class F>
  FETTLE_FN void apply(const float* c, const F* in, F* out, Terms<F>&) {
    out[0] = fma(F(c[0]), sign(in[1]), in[0]);
  }
};

// x, g -> x + a * sign(g), not below low and not above high; factors a, low, high. NaN stays.
struct BoundedSignStep : ElementsDefaults {
  static constexpr int inputs = 2;
  static constexpr int outputs = 1;
  template <class F>
  FETTLE_FN void apply(const float* c, const F* in, F* out, Terms<F>&) {
    const F moved = fma(F(c[0]), sign(in[1]), in[0]);
    out[0] = select(moved < F(c[1]), F(c[1]), select(moved > F(c[2]), F(c[2]), moved));
  }
};

// B, g, p -> B = mu * B + g, p = p - lr * (g + mu * B); factors mu, -lr
struct Nesterov : ElementsDefaults {
  static constexpr int inputs = 3;
  static constexpr int outputs = 2;
  template <class F>
  FETTLE_FN void apply(const float* c, const F* in, F* out, Terms<F>&) {
    out[0] = fma(F(c[0]), in[0], in[1]);
    out[1] = fma(F(c[1]), fma(F(c[0]), out[0], in[1]), in[2]);
  }
};

// x, mask -> x where the mask is not 0, else 0
struct WhereNonzero : ElementsDefaults {
  static constexpr int inputs = 2;
  static constexpr int outputs = 1;
  template <class F>
  FETTLE_FN void apply(const float*, const F* in, F* out, Terms<F>&) {
    out[0] = select(in[1] == F(0.0f), F(0.0f), in[0]);
  }
};

// p, z -> p + a * (z - p), the switch of Schedule-Free; factor a
struct MoveTowards : ElementsDefaults {
  static constexpr int inputs = 2;
  static constexpr int outputs = 1;
  template <class F>
  FETTLE_FN void apply(const float* c, const F* in, F* out, Terms<F>&) {
    out[0] = fma(F(c[0]), in[1] - in[0], in[0]);
  }
};

// Polyak's step with a moving direction. d, g: |beta * d + g|^2; factor beta
struct PolyakSum : ElementsDefaults {
  static constexpr int inputs = 2;
  static constexpr int sums = 1;
  template <class F>
  FETTLE_FN void apply(const float* c, const F* in, F*, Terms<F>& terms) {
    terms.a[0] = terms.b[0] = fma(F(c[0]), in[0], in[1]);
  }
};

// p, d, g -> p * decay - tau * d, d = beta * d + g; factors beta, -tau, decay
struct PolyakStep : ElementsDefaults {
  static constexpr int inputs = 3;
  static constexpr int outputs = 2;
  template <class F>
  FETTLE_FN void apply(const float* c, const F* in, F* out, Terms<F>&) {
    const F d = fma(F(c[0]), in[1], in[2]);
    out[0] = fma(F(c[1]), d, in[0] * F(c[2]));
    out[1] = d;
  }
};

// p, previous, g -> p - tau * g + beta * (p - previous), p; factors beta, -tau
struct HeavyBall : ElementsDefaults {
  static constexpr int inputs = 3;
  static constexpr int outputs = 2;
  template <class F>
  FETTLE_FN void apply(const float* c, const F* in, F* out, Terms<F>&) {
    out[0] = fma(F(c[1]), in[2], fma(F(c[0]), in[0] - in[1], in[0]));
    out[1] = in[0];
  }
};

// Prodigy's estimate. g, p, p0, s -> s = beta3 * s + a * g; sums <g, p0 - p>, |s|_1; factors beta3, a, coupled decay
struct ProdigySums : ElementsDefaults {
  static constexpr int inputs = 4;
  static constexpr int outputs = 1;
  static constexpr int sums = 2;
  template <class F>
  FETTLE_FN void apply(const float* c, const F* in, F* out, Terms<F>& terms) {
    const F g = withCoupledDecay(in[0], in[1], F(c[2]));
    out[0] = fma(F(c[0]), in[3], F(c[1]) * g);
    terms.a[0] = g;
    terms.b[0] = in[2] - in[1];
    terms.a[1] = absolute(out[0]);
    terms.b[1] = F(1.0f);
  }
};

// g, p, m, v -> m = beta1 * m + a * g, v = beta2 * v + b * g * g; factors beta1, a, beta2, b, coupled decay
struct ProdigyMoments : ElementsDefaults {
  static constexpr int inputs = 4;
  static constexpr int outputs = 2;
  template <class F>
  FETTLE_FN void apply(const float* c, const F* in, F* out, Terms<F>&) {
    const F g = withCoupledDecay(in[0], in[1], F(c[4]));
    out[0] = movingAverage(in[2], g, F(c[0]), F(c[1]));
    out[1] = movingAverage(in[3], g * g, F(c[2]), F(c[3]));
  }
};

// p, m, v -> p * decay - a * m / (sqrt(v) + eps); factors -a, eps, decay
struct AdamStep : ElementsDefaults {
  static constexpr int inputs = 3;
  static constexpr int outputs = 1;
  template <class F>
  FETTLE_FN void apply(const float* c, const F* in, F* out, Terms<F>&) {
    out[0] = fma(F(c[0]), in[1] / (root(in[2]) + F(c[1])), in[0] * F(c[2]));
  }
};

// Both in one. g, p, m, v -> m = beta1 * m + a * g, v = beta2 * v + b * g * g, p = p * decay - s * m / (sqrt(v) + eps); factors
// beta1, a, beta2, b, coupled decay, -s, eps, decay
struct AdamUpdate : ElementsDefaults {
  static constexpr int inputs = 4;
  static constexpr int outputs = 3;
  template <class F>
  FETTLE_FN void apply(const float* c, const F* in, F* out, Terms<F>&) {
    const F g = withCoupledDecay(in[0], in[1], F(c[4]));
    out[0] = movingAverage(in[2], g, F(c[0]), F(c[1]));
    out[1] = movingAverage(in[3], g * g, F(c[2]), F(c[3]));
    out[2] = fma(F(c[5]), out[0] / (root(out[1]) + F(c[6])), in[1] * F(c[7]));
  }
};

// m, v, g -> m, v and a * m / (sqrt(v) + eps); factors beta1, 1 - beta1, beta2, 1 - beta2, a, eps
struct AdamDirection : ElementsDefaults {
  static constexpr int inputs = 3;
  static constexpr int outputs = 3;
  template <class F>
  FETTLE_FN void apply(const float* c, const F* in, F* out, Terms<F>&) {
    out[0] = movingAverage(in[0], in[2], F(c[0]), F(c[1]));
    out[1] = movingAverage(in[1], in[2] * in[2], F(c[2]), F(c[3]));
    out[2] = F(c[4]) * (out[0] / (root(out[1]) + F(c[5])));
  }
};

// FRUGAL in a subspace. p, g, lifted g, lifted u -> p * decay + u - b * f(g - lifted g), f = sign (kind 1), identity (2), nothing (0);
// factors decay, -b, kind
struct SubspaceStep : ElementsDefaults {
  static constexpr int inputs = 4;
  static constexpr int outputs = 1;
  template <class F>
  FETTLE_FN void apply(const float* c, const F* in, F* out, Terms<F>&) {
    const F e = in[1] - in[2];
    const F f = select(F(c[2]) == F(1.0f), sign(e), select(F(c[2]) == F(2.0f), e, F(0.0f)));
    out[0] = fma(F(c[1]), f, fma(in[0], F(c[0]), in[3]));
  }
};

// m, D, g, p -> m = ema(m, g, beta), D = D + pi * (change of m), p = p - lr * D; factors beta, 1 - beta, pi, -lr
struct MultiMomentum : ElementsDefaults {
  static constexpr int inputs = 4;
  static constexpr int outputs = 3;
  template <class F>
  FETTLE_FN void apply(const float* c, const F* in, F* out, Terms<F>&) {
    out[0] = movingAverage(in[0], in[2], F(c[0]), F(c[1]));
    out[1] = fma(F(c[2]), out[0] - in[0], in[1]);
    out[2] = fma(F(c[3]), out[1], in[3]);
  }
};

// SAMO. p, g, z: the sum of squares of h = a * g + b * z, times |p| where it is adaptive; factors a, b, adaptive
struct SamoSum : ElementsDefaults {
  static constexpr int inputs = 3;
  static constexpr int sums = 1;
  template <class F>
  FETTLE_FN F mixed(const float* c, const F* in) {
    return select(F(c[1]) == F(0.0f), F(c[0]) * in[1], fma(F(c[0]), in[1], F(c[1]) * in[2]));
  }
  template <class F>
  FETTLE_FN void apply(const float* c, const F* in, F*, Terms<F>& terms) {
    const F h = mixed(c, in);
    terms.a[0] = terms.b[0] = select(F(c[2]) > F(0.0f), absolute(in[0]) * h, h);
  }
};

// p, g, z -> s * h, or s * p * p * h where it is adaptive; factors a, b, adaptive, s
struct SamoPerturbation : SamoSum {
  static constexpr int outputs = 1;
  static constexpr int sums = 0;
  template <class F>
  FETTLE_FN void apply(const float* c, const F* in, F* out, Terms<F>&) {
    const F h = F(c[3]) * mixed(c, in);
    out[0] = select(F(c[2]) > F(0.0f), in[0] * in[0] * h, h);
  }
};

// Muon. B, g -> B = ema(B, g, mu), U = ema(B, g, mu) or B; the sum |U|^2; factors mu, 1 - mu, nesterov
struct MuonMomentum : ElementsDefaults {
  static constexpr int inputs = 2;
  static constexpr int outputs = 2;
  static constexpr int sums = 1;
  template <class F>
  FETTLE_FN void apply(const float* c, const F* in, F* out, Terms<F>& terms) {
    out[0] = movingAverage(in[0], in[1], F(c[0]), F(c[1]));
    out[1] = select(F(c[2]) > F(0.0f), movingAverage(out[0], in[1], F(c[0]), F(c[1])), out[0]);
    terms.a[0] = terms.b[0] = out[1];
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
