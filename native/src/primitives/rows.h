// Primitives with a sum per row: norm loss, mean magnitude and StableMax. The Java twin is org.fettle.internal.RowPrimitive.
#pragma once

#include "core/math.h"
#include "primitives/primitive.h"

namespace fettle {
namespace FETTLE_TIER {

// The sum over rows of (1 - |w|)^2.
struct NormLoss : RowsDefaults {
  template <class F>
  FETTLE_FN void term(F w, F& a, F& b) {
    a = b = w;
  }
  FETTLE_FN double begin(const double*, double square, float, RowFactors&) {
    const double excess = 1.0 - rootOf(square);
    return excess * excess;
  }
  template <class F>
  FETTLE_FN void apply(const RowFactors&, const F*, F*) {}
};

// w -> 2 lambda (1 - 1 / |w|) w, 0 for a zero row; factor lambda. The sum as NormLoss.
struct NormLossGradient : NormLoss {
  static constexpr int outputs = 1;
  FETTLE_FN double begin(const double* f, double square, float at, RowFactors& row) {
    const double norm = rootOf(square);
    const double up = liftOf(norm);
    row.c[0] = square == 0.0 ? 0.0f : float(2.0 * f[0] * (1.0 - 1.0 / norm) / up);
    row.c[1] = float(up);
    return NormLoss::begin(f, square, at, row);
  }
  template <class F>
  FETTLE_FN void apply(const RowFactors& row, const F* in, F* out) {
    out[0] = F(row.c[0]) * (in[0] * F(row.c[1]));
  }
};

// w, g -> g + 2 lambda (1 - 1 / |w|) w; factor lambda. The sum as NormLoss.
struct NormLossAdd : NormLossGradient {
  static constexpr int inputs = 2;
  template <class F>
  FETTLE_FN void apply(const RowFactors& row, const F* in, F* out) {
    out[0] = fma(F(row.c[0]), in[0] * F(row.c[1]), in[1]);
  }
};

// w -> w * (1 - lr * 2 lambda (1 - 1 / (|w| + eps))); factors lambda, lr, eps. The sum as NormLoss.
struct NormLossDecay : NormLossGradient {
  FETTLE_FN double begin(const double* f, double square, float at, RowFactors& row) {
    const double norm = rootOf(square) + f[2];
    const double up = square == 0.0 ? 1.0 : liftOf(norm);
    row.c[0] = square == 0.0 ? 1.0f : float((1.0 - f[1] * 2.0 * f[0] * (1.0 - 1.0 / norm)) / up);
    row.c[1] = float(up);
    return NormLoss::begin(f, square, at, row);
  }
};

// x -> the row's mean magnitude, everywhere; factor the row's length
struct AbsoluteMean : RowsDefaults {
  static constexpr int outputs = 1;
  template <class F>
  FETTLE_FN void term(F x, F& a, F& b) {
    a = absolute(x);
    b = F(1.0f);
  }
  FETTLE_FN double begin(const double* f, double sum, float, RowFactors& row) {
    row.c[0] = float(sum / f[0]);
    return 0.0;
  }
  template <class F>
  FETTLE_FN void apply(const RowFactors& row, const F*, F* out) {
    out[0] = F(row.c[0]);
  }
};

// s(x) = x + 1 for x >= 0, 1 / (1 - x) below
template <class F>
FETTLE_FN F stableOf(F x) {
  const F d = F(1.0f) + absolute(x);
  return select(x >= F(0.0f), d, F(1.0f) / d);
}

// y * s'(x), which is 1 for x >= 0 and s(x)^2 below; the square by itself may be no float.
template <class F>
FETTLE_FN F timesStableSlope(F y, F x) {
  const F s = stableOf(x);
  return select(x >= F(0.0f), y, s * (s * y));
}

// x -> s(x) / sum of s
struct StableMax : RowsDefaults {
  static constexpr int outputs = 1;
  template <class F>
  FETTLE_FN void term(F x, F& a, F& b) {
    a = stableOf(x);
    b = F(1.0f);
  }
  FETTLE_FN double begin(const double*, double sum, float, RowFactors& row) {
    row.c[0] = float(sum);
    return 0.0;
  }
  template <class F>
  FETTLE_FN void apply(const RowFactors& row, const F* in, F* out) {
    out[0] = stableOf(in[0]) / F(row.c[0]);
  }
};

// x -> ln s(x) - ln(sum of s)
struct LogStableMax : StableMax {
  FETTLE_FN double begin(const double*, double sum, float, RowFactors& row) {
    row.c[0] = float(logOf(sum));
    row.c[1] = float(sum);
    return 0.0;
  }
  template <class F>
  FETTLE_FN void apply(const RowFactors& row, const F* in, F* out) {
    // The difference of two large logarithms has lost what a small one would have, so the quotient comes first, as long as it is normal.
    // Then ln s is -ln(1 - x) below 0.
    const F d = F(1.0f) + absolute(in[0]);
    const auto above = in[0] >= F(0.0f);
    const F quotient = select(above, d, F(1.0f) / d) / F(row.c[1]);
    const auto tiny = quotient < F(0x1p-100f);
    const F y = logarithm(select(tiny, d, quotient));
    out[0] = select(tiny, select(above, y, -y) - F(row.c[0]), y);
  }
};

// The sum over rows of ln(sum of s) - ln s(x), x at the label.
struct StableMaxLoss : StableMax {
  static constexpr int outputs = 0;
  static constexpr bool labelled = true;
  FETTLE_FN double begin(const double*, double sum, float at, RowFactors&) {
    // Of s as the sum has it: where the label has nearly all of the sum, the loss is what the roundings leave of the difference.
    return logOf(sum) - logOf(double(stableOf(at)));
  }
  template <class F>
  FETTLE_FN void apply(const RowFactors&, const F*, F*) {}
  FETTLE_FN float applyLabel(const RowFactors&, float at) { return at; }
};

// x -> s'(x) * (1 / sum - [at the label] / s(x)) * factor. The sum as StableMaxLoss.
struct StableMaxLossGradient : StableMaxLoss {
  static constexpr int outputs = 1;
  FETTLE_FN double begin(const double* f, double sum, float at, RowFactors& row) {
    row.c[0] = float(f[0] / sum);
    row.c[1] = float(f[0] * (1.0 / sum - 1.0 / double(stableOf(at))));
    return StableMaxLoss::begin(f, sum, at, row);
  }
  template <class F>
  FETTLE_FN void apply(const RowFactors& row, const F* in, F* out) {
    out[0] = timesStableSlope(F(row.c[0]), in[0]);
  }
  FETTLE_FN float applyLabel(const RowFactors& row, float at) { return timesStableSlope(row.c[1], at); }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
