// The elementwise estimators. Sources: LSQ arXiv:1902.08153, LSQ+ arXiv:2004.09576, PACT arXiv:1805.06085, OFQ
// (StatsQ, CGA) arXiv:2302.02210, BinaryConnect arXiv:1511.00363, XNOR-Net arXiv:1603.05279, ReSTE arXiv:2303.12565, BiPer
// arXiv:2404.01278, oscillations arXiv:2203.11086.
#pragma once

#include "core/math.h"
#include "kernels/estimators/chunks.h"

namespace fettle {
namespace FETTLE_TIER {

// To the nearest integer, ties to even, for |x| <= 2^22; NaN stays.
template <class F>
FETTLE_FN F nearestInteger(F x) {
  return (x + F(12582912.0f)) - F(12582912.0f);
}

template <class F>
FETTLE_FN F between(F x, F low, F high) {
  return select(x > high, high, select(x < low, low, x));
}

// x -> s rne(clamp((x - offset) / s)) + offset. c: low, high, offset; row: s, at least 1e-5.
struct LearnedStepForward : ChunkDefaults {
  static constexpr int rowValues = 1;
  FETTLE_FN void prepare(float* c, const float* row) { c[8] = row[0] < 1e-5f ? 1e-5f : row[0]; }
  template <class F>
  FETTLE_FN void apply(const float* c, const F* in, F* out, Terms<F>&) {
    const F v = (in[0] - F(c[2])) / F(c[8]);
    out[0] = fma(F(c[8]), nearestInteger(between(v, F(c[0]), F(c[1]))), F(c[2]));
  }
};

// x, g -> g inside the range, 0 outside; sums for s and for the offset.
struct LearnedStepBackward : LearnedStepForward {
  static constexpr int inputs = 2;
  static constexpr int sums = 2;
  template <class F>
  FETTLE_FN void apply(const float* c, const F* in, F* out, Terms<F>& terms) {
    const F v = (in[0] - F(c[2])) / F(c[8]);
    const F g = in[1], low = F(c[0]), high = F(c[1]), zero = F(0.0f);
    const F inside = nearestInteger(between(v, low, high)) - v;
    out[0] = select(v < low, zero, select(v > high, zero, g));
    terms.a[0] = g;
    terms.b[0] = select(v < low, low, select(v > high, high, inside));
    terms.a[1] = select(v < low, g, select(v > high, g, zero));
    terms.b[1] = F(1.0f);
  }
};

// x -> rne(clamp(x, 0, alpha) levels / alpha) alpha / levels. c: levels; row: alpha.
struct ClippedActivationForward : ChunkDefaults {
  static constexpr int rowValues = 1;
  FETTLE_FN void prepare(float* c, const float* row) { c[8] = row[0]; }
  template <class F>
  FETTLE_FN void apply(const float* c, const F* in, F* out, Terms<F>&) {
    const F clipped = between(in[0], F(0.0f), F(c[8]));
    out[0] = nearestInteger(clipped * F(c[0]) / F(c[8])) * F(c[8]) / F(c[0]);
  }
};

// x, g -> g where 0 < x < alpha; the sum of g where x >= alpha.
struct ClippedActivationBackward : ClippedActivationForward {
  static constexpr int inputs = 2;
  static constexpr int sums = 1;
  template <class F>
  FETTLE_FN void apply(const float* c, const F* in, F* out, Terms<F>& terms) {
    const F zero = F(0.0f);
    out[0] = select(in[0] > zero, select(in[0] < F(c[8]), in[1], zero), zero);
    terms.a[0] = select(in[0] >= F(c[8]), in[1], zero);
    terms.b[0] = F(1.0f);
  }
};

// k clamp(w / s, -1, 1 - 1e-6) - 1/2, whose nearest integer is the code; a row of scale 0 is as if w were 0.
template <class F>
FETTLE_FN F statisticsPosition(const float* c, F w) {
  const F u = between(w / F(c[8]), F(-1.0f), F(1.0f - 1e-6f));
  return fma(F(c[9]) * u, F(c[0]), F(-0.5f));
}

// w -> s (rne(u k - 1/2) + 1/2) / k. c: k; row: s.
struct StatisticsForward : ChunkDefaults {
  static constexpr int rowValues = 1;
  FETTLE_FN void prepare(float* c, const float* row) {
    c[8] = row[0] == 0.0f ? 1.0f : row[0];
    c[9] = row[0] == 0.0f ? 0.0f : 1.0f;
    c[10] = row[0];
  }
  template <class F>
  FETTLE_FN void apply(const float* c, const F* in, F* out, Terms<F>&) {
    out[0] = F(c[10]) * (nearestInteger(statisticsPosition(c, in[0])) + F(0.5f)) / F(c[0]);
  }
};

struct StatisticsCode : StatisticsForward {
  template <class F>
  FETTLE_FN void apply(const float* c, const F* in, F* out, Terms<F>&) {
    out[0] = nearestInteger(statisticsPosition(c, in[0]));
  }
};

// w -> 0 where the position lies within c[3] of a boundary i + 1/2 with c[1] <= i <= c[2] - 1, else 1.
struct ConfidenceFreeze : StatisticsForward {
  template <class F>
  FETTLE_FN void apply(const float* c, const F* in, F* out, Terms<F>&) {
    const F t = statisticsPosition(c, in[0]);
    const F i = nearestInteger(t - F(0.5f));
    const F one = F(1.0f);
    const F near = select(absolute(t - (i + F(0.5f))) <= F(c[3]), F(0.0f), one);
    out[0] = select(i >= F(c[1]), select(i < F(c[2]), near, one), one);
  }
};

// frozen, g -> g where frozen is 0, else 0
struct ZeroWhere : ChunkDefaults {
  static constexpr int inputs = 2;
  template <class F>
  FETTLE_FN void apply(const float*, const F* in, F* out, Terms<F>&) {
    out[0] = select(in[0] == F(0.0f), in[1], F(0.0f));
  }
};

// frozen, kept, w -> w where frozen is 0, else kept
struct KeepWhere : ChunkDefaults {
  static constexpr int inputs = 3;
  template <class F>
  FETTLE_FN void apply(const float*, const F* in, F* out, Terms<F>&) {
    out[0] = select(in[0] == F(0.0f), in[2], in[1]);
  }
};

struct MagnitudeSum : ChunkDefaults {
  static constexpr int outputs = 0;
  static constexpr int sums = 1;
  template <class F>
  FETTLE_FN void apply(const float*, const F* in, F*, Terms<F>& terms) {
    terms.a[0] = absolute(in[0]);
    terms.b[0] = F(1.0f);
  }
};

// w, g: the sum of sign(w) g
struct SignedSum : ChunkDefaults {
  static constexpr int inputs = 2;
  static constexpr int outputs = 0;
  static constexpr int sums = 1;
  template <class F>
  FETTLE_FN void apply(const float*, const F* in, F*, Terms<F>& terms) {
    terms.a[0] = sign(in[0]);
    terms.b[0] = in[1];
  }
};

// w -> s sign(w); row: s
struct ScaledSign : ChunkDefaults {
  static constexpr int rowValues = 1;
  FETTLE_FN void prepare(float* c, const float* row) { c[8] = row[0]; }
  template <class F>
  FETTLE_FN void apply(const float* c, const F* in, F* out, Terms<F>&) {
    out[0] = F(c[8]) * sign(in[0]);
  }
};

// w, g -> g where |w| <= c[0]
struct StraightThrough : ChunkDefaults {
  static constexpr int inputs = 2;
  template <class F>
  FETTLE_FN void apply(const float* c, const F* in, F* out, Terms<F>&) {
    out[0] = select(absolute(in[0]) <= F(c[0]), in[1], F(0.0f));
  }
};

// w, g -> g (alpha [|w| < 1] + c[0]) c[1]; row: alpha
struct XnorBackward : ScaledSign {
  static constexpr int inputs = 2;
  template <class F>
  FETTLE_FN void apply(const float* c, const F* in, F* out, Terms<F>&) {
    out[0] = in[1] * select(absolute(in[0]) < F(1.0f), F(c[8] + c[0]), F(c[0])) * F(c[1]);
  }
};

// w -> w limited to [-1, 1]
struct ClampUnit : ChunkDefaults {
  template <class F>
  FETTLE_FN void apply(const float*, const F* in, F* out, Terms<F>&) {
    out[0] = clamp(in[0], F(1.0f));
  }
};

// w -> sign(w) |w|^c[0], 0 < c[0] <= 1
struct PowerSignForward : ChunkDefaults {
  template <class F>
  FETTLE_FN void apply(const float* c, const F* in, F* out, Terms<F>&) {
    const F a = absolute(in[0]), one = F(1.0f);
    const F t = F(c[0]) * logarithm(a);
    const F e = expNegative(-absolute(t));
    const F power = select(a > one, one / e, e);
    const F finite = select(a > F(3.4028235e38f), a, select(a == F(0.0f), F(0.0f), power));
    out[0] = sign(in[0]) * select(a == one, one, finite);
  }
};

// w, g -> c[6] g factor(|w|) + c[7] sign(w); the factor is c[2] up to c[4], then c[5] (|w| / c[4])^c[1] up to c[3], then 0
struct PowerSignBackward : ChunkDefaults {
  static constexpr int inputs = 2;
  template <class F>
  FETTLE_FN void apply(const float* c, const F* in, F* out, Terms<F>&) {
    const F a = absolute(in[0]);
    const F power = F(c[5]) * expNegative(F(c[1]) * logarithm(a / F(c[4])));
    const F factor = select(a <= F(c[4]), F(c[2]), select(a <= F(c[3]), power, F(0.0f)));
    const F direct = F(c[6]) * in[1] * factor;
    out[0] = c[7] == 0.0f ? direct : fma(F(c[7]), sign(in[0]), direct);
  }
};

// x: the sums of x and x^2
struct Moments : ChunkDefaults {
  static constexpr int outputs = 0;
  static constexpr int sums = 2;
  template <class F>
  FETTLE_FN void apply(const float*, const F* in, F*, Terms<F>& terms) {
    terms.a[0] = terms.a[1] = terms.b[1] = in[0];
    terms.b[0] = F(1.0f);
  }
};

// x, g -> g max(0, 2 - 2 |r x|), and the sum of that times x; row: r
struct SoftSignBackward : ScaledSign {
  static constexpr int inputs = 2;
  static constexpr int sums = 1;
  template <class F>
  FETTLE_FN void apply(const float* c, const F* in, F* out, Terms<F>& terms) {
    const F slope = fma(F(-2.0f), absolute(F(c[8]) * in[0]), F(2.0f));
    out[0] = terms.a[0] = in[1] * select(slope < F(0.0f), F(0.0f), slope);
    terms.b[0] = in[0];
  }
};

// h, x -> r h + k (x - mean); row: r, k, mean
struct NormalizeBackward : ChunkDefaults {
  static constexpr int inputs = 2;
  static constexpr int rowValues = 3;
  FETTLE_FN void prepare(float* c, const float* row) {
    for (int i = 0; i < 3; i++) c[8 + i] = row[i];
  }
  template <class F>
  FETTLE_FN void apply(const float* c, const F* in, F* out, Terms<F>&) {
    out[0] = fma(F(c[9]), in[1] - F(c[10]), F(c[8]) * in[0]);
  }
};

// x -> s x; row: s
struct RowScale : ScaledSign {
  template <class F>
  FETTLE_FN void apply(const float* c, const F* in, F* out, Terms<F>&) {
    out[0] = F(c[8]) * in[0];
  }
};

// x, g -> s g, and the sum of x g; row: s
struct RowScaleBackward : ScaledSign {
  static constexpr int inputs = 2;
  static constexpr int sums = 1;
  template <class F>
  FETTLE_FN void apply(const float* c, const F* in, F* out, Terms<F>& terms) {
    out[0] = F(c[8]) * in[1];
    terms.a[0] = in[0];
    terms.b[0] = in[1];
  }
};

// w / s, x, direction, frequency, average, frozen, held -> the last six after a step. c: low, high, momentum, 1 - momentum,
// threshold (0: tracking only), 1 if the average is kept, 1 in the first step.
struct Oscillation : ChunkDefaults {
  static constexpr int inputs = 7;
  static constexpr int outputs = 6;
  template <class F>
  FETTLE_FN void apply(const float* c, const F* in, F* out, Terms<F>&) {
    const F zero = F(0.0f), one = F(1.0f);
    const F free = nearestInteger(between(in[0], F(c[0]), F(c[1])));
    const F x = select(in[5] == zero, free, in[6]);
    if (c[6] != 0.0f) {
      out[0] = x;
      out[1] = out[2] = zero;
      out[3] = c[4] > 0.0f && c[5] != 0.0f ? x : zero;
      out[4] = in[5];
      out[5] = in[6];
      return;
    }
    const F d = sign(in[1] - x);
    const F turned = select(d * in[2] == F(-1.0f), F(c[2]), zero);
    const F frequency = fma(F(c[3]), in[3], turned);
    out[0] = x;
    out[1] = select(d == zero, in[2], d);
    out[2] = frequency;
    out[3] = in[4];
    out[4] = in[5];
    out[5] = in[6];
    if (c[4] > 0.0f) {
      const F held = c[5] != 0.0f ? nearestInteger(in[4]) : x;
      out[4] = select(frequency > F(c[4]), one, in[5]);
      out[5] = select(frequency > F(c[4]), held, in[6]);
      if (c[5] != 0.0f) out[3] = movingAverage(in[4], x, F(c[3]), F(c[2]));
    }
  }
};

// w -> c[3] (w - q) inside [c[4], c[5]], 0 outside, q = s rne(clamp(w / s)); the sum of (q - clamp(w))^2. c: low, high, s.
struct Dampening : ChunkDefaults {
  static constexpr int sums = 1;
  template <class F>
  FETTLE_FN void apply(const float* c, const F* in, F* out, Terms<F>& terms) {
    const F w = in[0], low = F(c[4]), high = F(c[5]);
    const F q = F(c[2]) * nearestInteger(between(w / F(c[2]), F(c[0]), F(c[1])));
    const F distance = q - between(w, low, high);
    out[0] = select(w < low, F(0.0f), select(w > high, F(0.0f), F(c[3]) * (w - q)));
    terms.a[0] = terms.b[0] = distance;
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
