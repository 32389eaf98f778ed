// ECO: steps over quantized weights without a master copy, the quantization error injected into the momentum
// (arXiv:2601.22101). The Java twin is org.fettle.internal.kernels.EcoKernels.
//
// A unit is what shares a scale: a row of FP8 E4M3 weights, or a group of 32 INT4 weights along a row, two to a byte, the
// first in the low bits, every row in whole bytes. It is gone through twice while it lies in the cache: for the largest new
// weight, then to write. The new weight and its error are formed in double: the error is a small difference.
#pragma once

#include "core/philox.h"
#include "kernels/kernel.h"

namespace fettle {
namespace FETTLE_TIER {

constexpr int64_t ecoGroup = 32;

// E4M3 of a finite or infinite magnitude, saturating.
struct EcoFp8 {
  static constexpr float largest = 448.0f;

  FETTLE_FN float decode(uint32_t code) {
    // Moving the exponent's bias by a product is exact, subnormals included.
    const float magnitude = floatOf((code & 0x7Fu) << 20) * floatOf(247u << 23);
    return (code & 0x80u) != 0 ? -magnitude : magnitude;
  }

  FETTLE_FN uint32_t nearest(float x) {
    const uint32_t magnitude = bitsOf(x) & 0x7FFFFFFFu;
    const uint32_t normal = ((magnitude + 0x7FFFFu + ((magnitude >> 20) & 1u)) >> 20) - (120u << 3);
    // Below 2^-6 the spacing is 2^-9: adding 2^14 rounds to it.
    const uint32_t subnormal = bitsOf(floatOf(magnitude) + 16384.0f) - bitsOf(16384.0f);
    return finish(x, magnitude < 0x3C800000u ? subnormal : normal);
  }

  FETTLE_FN uint32_t stochastic(float x, uint32_t word) {
    const uint32_t magnitude = bitsOf(x) & 0x7FFFFFFFu;
    if (magnitude >= 0x7F800000u) return finish(x, 0x7Fu);
    const uint32_t exponent = magnitude >= 0x00800000u ? magnitude >> 23 : 1u;
    const uint32_t significand = magnitude >= 0x00800000u ? (magnitude & 0x007FFFFFu) | 0x00800000u : magnitude;
    const uint32_t shift = exponent >= 121u ? 20u : 20u + (121u - exponent);
    uint32_t code = shift < 32u ? significand >> shift : 0u;
    if (exponent > 121u) code += (exponent - 121u) << 3;
    const uint32_t dropped = shift < 32u ? significand & ((1u << shift) - 1u) : significand;
    uint32_t fraction = 0;
    if (shift <= 24u) {
      fraction = dropped << (24u - shift);
    } else if (shift < 48u) {
      fraction = dropped >> (shift - 24u);
    }
    if ((word >> 8) + fraction >= (1u << 24)) code++;
    return finish(x, code);
  }

  FETTLE_FN uint32_t finish(float x, uint32_t code) {
    const uint32_t bits = bitsOf(x);
    return (code > 0x7Eu ? 0x7Eu : code) | ((bits >> 31) << 7);
  }

  FETTLE_FN uint32_t load(const uint8_t* codes, int64_t i) { return codes[i]; }
  FETTLE_FN void store(uint8_t* codes, int64_t i, uint32_t code) { codes[i] = uint8_t(code); }
};

// Two's complement nibbles, -7 to 7.
struct EcoInt4 {
  static constexpr float largest = 7.0f;

  FETTLE_FN float decode(uint32_t code) { return float(int32_t(code ^ 8u) - 8); }

  FETTLE_FN uint32_t nearest(float x) {
    const float limited = x > 7.0f ? 7.0f : x < -7.0f ? -7.0f : x;
    return uint32_t(int32_t((limited + 12582912.0f) - 12582912.0f)) & 15u;
  }

  FETTLE_FN uint32_t stochastic(float x, uint32_t word) {
    const float magnitude = x < 0.0f ? -x : x;
    const float limited = magnitude > 7.0f ? 7.0f : magnitude;
    int32_t code = int32_t(limited);
    const uint32_t fraction = uint32_t((limited - float(code)) * 16777216.0f);
    if ((word >> 8) + fraction >= (1u << 24)) code++;
    code = code > 7 ? 7 : code;
    return uint32_t(x < 0.0f ? -code : code) & 15u;
  }

  FETTLE_FN uint32_t load(const uint8_t* codes, int64_t i) { return (codes[i >> 1] >> ((i & 1) * 4)) & 15u; }
  // In order: an even element clears the byte's other half.
  FETTLE_FN void store(uint8_t* codes, int64_t i, uint32_t code) {
    codes[i >> 1] = uint8_t((i & 1) == 0 ? code : codes[i >> 1] | (code << 4));
  }
};

// Where a unit lies. integers 0: columns, 1: 1 for INT4.
struct EcoPlace {
  int64_t first;  // element of the tensor
  int64_t count;
  int64_t byte;   // of the codes

  FETTLE_FN EcoPlace of(const fettle_call& call, int64_t unit) {
    const int64_t columns = call.integer[0];
    if (call.integer[1] == 0) return {unit * columns, columns, unit * columns};
    const int64_t groups = unitsOf(columns, ecoGroup);
    const int64_t row = unit / groups, start = (unit - row * groups) * ecoGroup;
    return {row * columns + start, smaller(ecoGroup, columns - start), row * unitsOf(columns, 2) + start / 2};
  }
};

// The scale for a largest magnitude, kept in double: the error is then exact. What float cannot hold gives NaN, so that it
// shows.
FETTLE_FN double ecoScale(double largest, float code) {
  return isFinite(bitsOf(float(largest))) ? largest / double(code) : double(floatOf(0x7FC00000u));
}

// x / s, and 0 where there is no usable scale.
FETTLE_FN float ecoQuotient(double x, double scale) { return scale > 0.0 ? float(x / scale) : 0.0f; }

// The first weights, to the nearest. arrays: F32 weights, codes, F64 scales.
struct EcoStart {
  template <class Format>
  FETTLE_FN void encode(const fettle_call& call, int64_t unit) {
    const EcoPlace place = EcoPlace::of(call, unit);
    const float* w = arrayOf<const float>(call, 0) + place.first;
    uint8_t* codes = arrayOf<uint8_t>(call, 1) + place.byte;
    float largest = 0.0f;
    for (int64_t i = 0; i < place.count; i++) largest = larger(largest, absolute(w[i]));
    const double scale = ecoScale(double(largest), Format::largest);
    arrayOf<double>(call, 2)[unit] = scale;
    for (int64_t i = 0; i < place.count; i++) Format::store(codes, i, Format::nearest(ecoQuotient(double(w[i]), scale)));
  }
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    if (call.integer[1] == 0) {
      encode<EcoFp8>(call, unit);
    } else {
      encode<EcoInt4>(call, unit);
    }
  }
};

// arrays: codes, F64 scales, F32 weights.
struct EcoDecode {
  template <class Format>
  FETTLE_FN void decode(const fettle_call& call, int64_t unit) {
    const EcoPlace place = EcoPlace::of(call, unit);
    const uint8_t* codes = arrayOf<const uint8_t>(call, 0) + place.byte;
    const double scale = arrayOf<const double>(call, 1)[unit];
    float* w = arrayOf<float>(call, 2) + place.first;
    for (int64_t i = 0; i < place.count; i++) w[i] = float(double(Format::decode(Format::load(codes, i))) * scale);
  }
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    if (call.integer[1] == 0) {
      decode<EcoFp8>(call, unit);
    } else {
      decode<EcoInt4>(call, unit);
    }
  }
};

// arrays: codes, F64 scales, gradient, momentum, second moment (none for SGD), error (if it is asked for).
// integers 2: 1 for stochastic rounding, 3: seed, 4: step, 5: stream.
// numbers: b1, 1 - b1, b2, 1 - b2, 1 / (1 - b2^t), eps, what the weight keeps, the learning rate / (1 - b1^t), the injected
// share of the error (times the denominator).
struct EcoStep {
  struct Constants {
    float b1, c1, b2, c2, correction, eps;
    double keep, rate, share;
  };
  struct Updated {
    double weight;
    float momentum, second, denominator;
  };

  FETTLE_FN Updated update(const Constants& c, double weight, float g, float m, float v, bool adaptive) {
    Updated u;
    u.momentum = movingAverage(m, g, c.b1, c.c1);
    u.second = adaptive ? movingAverage(v, g * g, c.b2, c.c2) : 0.0f;
    u.denominator = adaptive ? root(u.second * c.correction) + c.eps : 1.0f;
    const double step = double(u.momentum) / double(u.denominator);
    u.weight = c.keep * weight - c.rate * step;
    return u;
  }

  template <class Format>
  FETTLE_FN void step(const fettle_call& call, int64_t unit) {
    const EcoPlace place = EcoPlace::of(call, unit);
    uint8_t* codes = arrayOf<uint8_t>(call, 0) + place.byte;
    double* scales = arrayOf<double>(call, 1);
    const float* gradient = arrayOf<const float>(call, 2) + place.first;
    float* momentum = arrayOf<float>(call, 3) + place.first;
    const bool adaptive = call.array[4] != nullptr, keepsError = call.array[5] != nullptr;
    float* second = adaptive ? arrayOf<float>(call, 4) + place.first : nullptr;
    float* errors = keepsError ? arrayOf<float>(call, 5) + place.first : nullptr;
    const double* n = call.number;
    const Constants c = {float(n[0]), float(n[1]), float(n[2]), float(n[3]), float(n[4]),
                         float(n[5]), n[6],        n[7],        n[8]};
    const double oldScale = scales[unit];
    double largest = 0.0;
    for (int64_t i = 0; i < place.count; i++) {
      const double weight = double(Format::decode(Format::load(codes, i))) * oldScale;
      const double w = update(c, weight, gradient[i], momentum[i], adaptive ? second[i] : 0.0f, adaptive).weight;
      const double magnitude = w < 0.0 ? -w : w;
      largest = magnitude > largest || magnitude != magnitude ? magnitude : largest;
      if (largest != largest) break;
    }
    const double scale = ecoScale(largest, Format::largest);
    scales[unit] = scale;
    const bool stochastic = call.integer[2] != 0;
    Words words = {{0, 0, 0, 0}};
    for (int64_t i = 0; i < place.count; i++) {
      const int64_t element = place.first + i;
      if (stochastic && (i == 0 || (element & 3) == 0)) {
        words = philox(uint64_t(call.integer[3]), uint64_t(element) >> 2, uint32_t(call.integer[4]),
                       uint32_t(call.integer[5]));
      }
      const double weight = double(Format::decode(Format::load(codes, i))) * oldScale;
      const Updated u = update(c, weight, gradient[i], momentum[i], adaptive ? second[i] : 0.0f, adaptive);
      const float quotient = ecoQuotient(u.weight, scale);
      const uint32_t code = stochastic ? Format::stochastic(quotient, words.word[element & 3]) : Format::nearest(quotient);
      const double error = u.weight - double(Format::decode(code)) * scale;
      // The byte's second weight is still to be read when the first is written.
      storeKeeping<Format>(codes, i, code);
      momentum[i] = float(double(u.momentum) + c.share * double(u.denominator) * error);
      if (adaptive) second[i] = u.second;
      if (keepsError) errors[i] = float(error);
    }
  }

  template <class Format>
  FETTLE_FN void storeKeeping(uint8_t* codes, int64_t i, uint32_t code) {
    if (Format::largest == EcoFp8::largest) {
      codes[i] = uint8_t(code);
    } else {
      const int32_t shift = int32_t(i & 1) * 4;
      codes[i >> 1] = uint8_t((codes[i >> 1] & (0xF0 >> shift)) | (code << shift));
    }
  }

  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    if (call.integer[1] == 0) {
      step<EcoFp8>(call, unit);
    } else {
      step<EcoInt4>(call, unit);
    }
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
