// Block-wise formats: codes of 8 or 4 bits with one float per block. The Java twin is org.fettle.internal.BlockFormat.
//
//   scale = scaleOf(largest magnitude of the block) ;  code = encode(x scaled down) ;  value = decode(code) * stored scale
//
// A code is written and read as an integral float here, so that one text serves vectors (CPU) and floats (CUDA). A map's
// index is formed by arithmetic and never searched for: the values lie within two roundings of the published tables, and a
// value within rounding of a midpoint may go to either side. Sources: bitsandbytes' create_dynamic_map and its block-wise
// functions, pytorch/ao's low-bit optimizers.
//
// A block whose largest magnitude is not finite stores NaN as its scale and the codes of 0.
#pragma once

#include "core/formats.h"
#include "core/numeric.h"
#include "fettle/plan.h"

namespace fettle {
namespace FETTLE_TIER {

constexpr int64_t firstBlockFormat = FETTLE_LINEAR8;
constexpr int64_t lastBlockFormat = FETTLE_BLOCK_E4M3;

FETTLE_FN bool isBlockFormat(int64_t dtype) { return dtype >= firstBlockFormat && dtype <= lastBlockFormat; }

FETTLE_FN bool isBlocked(const fettle_operand& operand) {
  return operand.data != nullptr && isBlockFormat(operand.dtype);
}

FETTLE_FN int bitsOfCode(int64_t dtype) {
  return dtype == FETTLE_TORCHAO4 || dtype == FETTLE_TORCHAO4_POSITIVE ? 4 : 8;
}

// How a block is scaled: x / factor, or x * factor.
struct BlockScale {
  float stored;
  float factor;
  bool divides;
};

// bitsandbytes: whole blocks multiply by a reciprocal, a short one divides.
struct ReciprocalScale {
  FETTLE_FN BlockScale scaleOf(float largest, bool whole) {
    const float divisor = largest > 1e-38f ? largest : 1e-38f;
    return whole ? BlockScale{largest, 1.0f / divisor, false} : BlockScale{divisor, divisor, true};
  }
};

// pytorch/ao: always divides, by 1e-12 at least.
struct QuotientScale {
  FETTLE_FN BlockScale scaleOf(float largest, bool) {
    const float divisor = largest > 1e-12f ? largest : 1e-12f;
    return {divisor, divisor, true};
  }
};

// code * largest / 127, codes -127 .. 127 as two's complement bytes. A subnormal scale has no safe reciprocal.
struct LinearSigned {
  FETTLE_FN BlockScale scaleOf(float largest, bool) {
    const float scale = largest / 127.0f;
    return {scale, scale < 1.17549435e-38f ? 0.0f : 1.0f / scale, false};
  }
  template <class F>
  FETTLE_FN F decode(F code) {
    return select(code > F(127.0f), code - F(256.0f), code);
  }
  template <class F>
  FETTLE_FN F encode(F x) {
    const F code = clamp(nearestOf(x), F(127.0f));
    return select(code < F(0.0f), code + F(256.0f), code);
  }
};

// (code + 1) / levels: no zero, because a denominator that was rounded to 0 would throw its element far off.
template <int levels, class Scale>
struct LinearPositive : Scale {
  template <class F>
  FETTLE_FN F decode(F code) {
    return (code + F(1.0f)) * F(1.0f / float(levels));
  }
  template <class F>
  FETTLE_FN F encode(F x) {
    const F code = nearestOf(x * F(float(levels))) - F(1.0f);
    return select(code > F(0.0f), select(code < F(float(levels - 1)), code, F(float(levels - 1))), F(0.0f));
  }
};

struct UnitScale {
  FETTLE_FN BlockScale scaleOf(float largest, bool) {
    return {largest, largest < 1.17549435e-38f ? 0.0f : 1.0f / largest, false};
  }
};

// The dynamic map: decade t of `decades` holds cells(t) values, the midpoints of equal parts of [0.1, 1] times
// 10^(t - decades + 1); 0 and 1 besides. The number of a magnitude counts up from cells(0) through the decades, so its binary
// exponent tells the decade. Signed maps have no -1.
template <int decades, bool positive>
struct DynamicTables {
  float origin[8];     // the number of the decade's first value
  float step[8];       // between its values
  float start[8];      // its first value
  float threshold[8];  // midpoint between the decade before and this one
  float slope[8];      // from a magnitude to its number, to be rounded
  float offset[8];
  float last[8];  // the number of its last value

  static constexpr double cells(int t) { return double(positive ? 2 << t : 1 << t); }
  static constexpr double power(int t) {
    double result = 1.0;
    for (int k = t; k < decades - 1; k++) result /= 10.0;
    return result;
  }
  static constexpr double first(int t) { return t == decades ? 1.0 : power(t) * (0.1 + 0.45 / cells(t)); }

  constexpr DynamicTables() : origin(), step(), start(), threshold(), slope(), offset(), last() {
    for (int t = 0; t < 8; t++) {
      const int d = t < decades ? t : decades;
      const double n = cells(d);
      origin[t] = float(n);
      start[t] = float(first(d));
      threshold[t] = float(d == 0 ? first(0) / 2.0 : (power(d - 1) * (1.0 - 0.45 / cells(d - 1)) + first(d)) / 2.0);
      step[t] = d == decades ? 0.0f : float(0.9 * power(d) / n);
      slope[t] = d == decades ? 0.0f : float(n / (0.9 * power(d)));
      offset[t] = d == decades ? float(n + 0.5) : float(n - n / 9.0);
      last[t] = d == decades ? float(n) : float(2.0 * n - 1.0);
    }
  }
};

template <int decades, bool positive>
constexpr DynamicTables<decades, positive> dynamicTables{};

#if defined(__CUDACC__)
// A device cannot look up in the host's constants.
template <int decades, bool positive>
__device__ const DynamicTables<decades, positive> deviceDynamicTables{};
#endif

template <int decades, bool positive>
FETTLE_FN const DynamicTables<decades, positive>& dynamicTablesHere() {
#if defined(__CUDA_ARCH__)
  return deviceDynamicTables<decades, positive>;
#else
  return dynamicTables<decades, positive>;
#endif
}

template <int decades, bool positive, class Scale>
struct DynamicMap : Scale {
  // A signed code is this much above its number, whose sign it has; an unsigned one is one below.
  static constexpr float zero = float((1 << decades) - 1);

  template <class F>
  FETTLE_FN F decode(F code) {
    const DynamicTables<decades, positive>& table = dynamicTablesHere<decades, positive>();
    const F number = positive ? code + F(1.0f) : absolute(code - F(zero));
    const F decade = exponentOf(number) - F(positive ? 1.0f : 0.0f);
    const F t = select(decade > F(0.0f), decade, F(0.0f));
    const F magnitude = fma(lookUp(table.step, t), number - lookUp(table.origin, t), lookUp(table.start, t));
    const F value = select(number < F(positive ? 2.0f : 1.0f), F(0.0f), magnitude);
    return positive ? value : select(code < F(zero), -value, value);
  }

  template <class F>
  FETTLE_FN F encode(F x) {
    const DynamicTables<decades, positive>& table = dynamicTablesHere<decades, positive>();
    const F magnitude = absolute(x);
    F t(0.0f);
    for (int k = 1; k <= decades; k++) t = select(magnitude > F(table.threshold[k]), F(float(k)), t);
    const F position = fma(magnitude, lookUp(table.slope, t), lookUp(table.offset, t));
    const F up = ceilingOf(position) - F(1.0f);
    const F last = lookUp(table.last, t);
    const F inside = select(up < last, up, last);
    const F number = select(magnitude > F(table.threshold[0]), inside, F(positive ? 1.0f : 0.0f));
    if (positive) return select(x < F(0.0f), F(0.0f), number - F(1.0f));
    const F down = F(zero) - number;
    return select(x < F(0.0f), select(down > F(0.0f), down, F(0.0f)), F(zero) + number);
  }
};

// E4M3 of x / scale with scale = max(largest, 1e-12) / 448.
struct BlockE4m3 {
  FETTLE_FN BlockScale scaleOf(float largest, bool) {
    const float scale = (largest > 1e-12f ? largest : 1e-12f) / 448.0f;
    return {scale, scale, true};
  }
  template <class F>
  FETTLE_FN F decode(F code) {
    const F magnitude = select(code < F(128.0f), code, code - F(128.0f));
    const F field = floorOf(magnitude * F(0.125f));
    const F low = magnitude - field * F(8.0f);
    const F normal = (low + F(8.0f)) * powerOfTwo(field - F(10.0f));
    const F value = select(field > F(0.0f), normal, low * F(0.001953125f));
    const F number = select(magnitude == F(127.0f), F(__builtin_nanf("")), value);
    return select(code < F(128.0f), number, -number);
  }
  template <class F>
  FETTLE_FN F encode(F x) {
    const F magnitude = absolute(x);
    const F held = select(magnitude < F(448.0f), magnitude, F(448.0f));
    const F exponent = exponentOf(held);
    const F e = select(exponent > F(-6.0f), exponent, F(-6.0f));
    const F code = fma(e + F(6.0f), F(8.0f), nearestOf(held * powerOfTwo(F(3.0f) - e)));
    return select(isNegative(x), code + F(128.0f), code);
  }
};

// Calls with the codec of a block format: with(Codec()).
template <class With>
FETTLE_FN void withCodec(int64_t dtype, With with) {
  switch (dtype) {
    case FETTLE_LINEAR8: return with(LinearSigned());
    case FETTLE_LINEAR8_POSITIVE: return with(LinearPositive<256, UnitScale>());
    case FETTLE_DYNAMIC8: return with(DynamicMap<7, false, ReciprocalScale>());
    case FETTLE_DYNAMIC8_POSITIVE: return with(DynamicMap<7, true, ReciprocalScale>());
    case FETTLE_TORCHAO8: return with(DynamicMap<7, false, QuotientScale>());
    case FETTLE_TORCHAO8_POSITIVE: return with(DynamicMap<7, true, QuotientScale>());
    case FETTLE_TORCHAO4: return with(DynamicMap<3, false, QuotientScale>());
    case FETTLE_TORCHAO4_POSITIVE: return with(LinearPositive<16, QuotientScale>());
    case FETTLE_BLOCK_E4M3: return with(BlockE4m3());
  }
}

// Bits of a codec's codes.
template <class Codec>
constexpr int codeBits = 8;
template <class Scale>
constexpr int codeBits<DynamicMap<3, false, Scale>> = 4;
template <class Scale>
constexpr int codeBits<LinearPositive<16, Scale>> = 4;

// Where a stretch of a blocked operand lies: rows start their blocks and their bytes anew.
struct BlockSpan {
  uint8_t* codes;
  float* scales;
  int64_t size;  // elements of a block
  int64_t left;  // elements of the row from here on
};

struct BlockRows {
  int64_t count;
  int64_t length;
};

FETTLE_FN BlockRows blockRowsOf(const fettle_tensor& tensor) { return {tensor.rows, tensor.row_length}; }

// `first` is the start of a block.
FETTLE_FN BlockSpan blocksAt(BlockRows rows, const fettle_operand& operand, int64_t first) {
  const int64_t length = rows.length;
  const int64_t row = rows.count == 1 ? 0 : first / length;
  const int64_t within = first - row * length;
  const int64_t size = operand.block_size;
  const int bits = bitsOfCode(operand.dtype);
  const int64_t rowBytes = bits == 8 ? length : (length + 1) / 2;
  const int64_t rowBlocks = (length + size - 1) / size;
  return {static_cast<uint8_t*>(operand.data) + row * rowBytes + within * bits / 8,
          static_cast<float*>(operand.scales) + row * rowBlocks + within / size, size, length - within};
}

}  // namespace FETTLE_TIER
}  // namespace fettle
