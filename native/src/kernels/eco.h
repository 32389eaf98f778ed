// ECO: steps over quantized weights without a master copy, the quantization error injected into the momentum
// (arXiv:2601.22101). The Java twin is org.fettle.internal.kernels.EcoKernels.
//
// A unit is what shares a scale: a row of FP8 E4M3 weights, or a group of 32 INT4 weights along a row, two to a byte, the
// first in the low bits, every row in whole bytes. It is gone through twice while it lies in the cache: for the largest new
// weight, then to write.
//
// All of it is float32, and the error of a weight has digits all the same: it is never formed as the small difference of a weight
// and its code. With q the old code's number, q' the new one's, s the old scale times what decay leaves, s' the new one and u the
// update,
//   e / s' = q (s / s' - 1) + (q - q') + u / s',
// of which s / s' - 1 comes from doubles once per unit and q - q' is exact. The new weight itself, rounded once or twice, only
// chooses the scale and the codes; the scale is the double of the one largest weight.
#pragma once

#include "core/philox.h"
#include "kernels/kernel.h"

namespace fettle {
namespace FETTLE_TIER {

constexpr int64_t ecoGroup = 32;

// E4M3 of a finite or infinite magnitude, saturating. Numbers are those of the codes / 256: as F16 they have the same mantissa,
// which is how vectors convert them.
struct EcoFp8 {
  static constexpr float largest = 1.75f;
  static constexpr double unit = 256.0;

  FETTLE_FN float decode(uint32_t code) {
    // Moving the exponent's bias by a product is exact, subnormals included.
    const float magnitude = floatOf((code & 0x7Fu) << 20) * floatOf(239u << 23);
    return (code & 0x80u) != 0 ? -magnitude : magnitude;
  }

  FETTLE_FN uint32_t nearest(float x) {
    const uint32_t magnitude = bitsOf(x) & 0x7FFFFFFFu;
    const uint32_t normal = ((magnitude + 0x7FFFFu + ((magnitude >> 20) & 1u)) >> 20) - (112u << 3);
    // Below 2^-14 the spacing is 2^-17: adding 2^6 rounds to it.
    const uint32_t subnormal = bitsOf(floatOf(magnitude) + 64.0f) - bitsOf(64.0f);
    return finish(x, magnitude < 0x38800000u ? subnormal : normal);
  }

  FETTLE_FN uint32_t stochastic(float x, uint32_t word) {
    const uint32_t magnitude = bitsOf(x) & 0x7FFFFFFFu;
    if (magnitude >= 0x7F800000u) return finish(x, 0x7Fu);
    const uint32_t exponent = magnitude >= 0x00800000u ? magnitude >> 23 : 1u;
    const uint32_t significand = magnitude >= 0x00800000u ? (magnitude & 0x007FFFFFu) | 0x00800000u : magnitude;
    const uint32_t shift = exponent >= 113u ? 20u : 20u + (113u - exponent);
    uint32_t code = shift < 32u ? significand >> shift : 0u;
    if (exponent > 113u) code += (exponent - 113u) << 3;
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
  static constexpr double unit = 1.0;

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
  int64_t byte;  // of the codes

  FETTLE_FN EcoPlace of(const fettle_call& call, int64_t unit) {
    const int64_t columns = call.integer[0];
    if (call.integer[1] == 0) return {unit * columns, columns, unit * columns};
    const int64_t groups = unitsOf(columns, ecoGroup);
    const int64_t row = unit / groups, start = (unit - row * groups) * ecoGroup;
    return {row * columns + start, smaller(ecoGroup, columns - start), row * unitsOf(columns, 2) + start / 2};
  }
};

// The scale for a largest magnitude, in units of the format's numbers. It is a double, as an error is small beside a weight. What
// float cannot hold gives NaN, so that it shows.
FETTLE_FN double ecoScale(double largest, float code) {
  return isFinite(bitsOf(float(largest))) ? largest / double(code) : double(floatOf(0x7FC00000u));
}

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
    arrayOf<double>(call, 2)[unit] = scale / Format::unit;
    for (int64_t i = 0; i < place.count; i++) {
      Format::store(codes, i, Format::nearest(scale > 0.0 ? float(double(w[i]) / scale) : 0.0f));
    }
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
    const double scale = arrayOf<const double>(call, 1)[unit] * Format::unit;
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

// What does not change from unit to unit of a step. numbers: b1, 1 - b1, b2, 1 - b2, 1 / (1 - b2^t), eps, what the weight keeps,
// the learning rate / (1 - b1^t), the injected share of the error (times the denominator).
struct EcoConstants {
  float b1, c1, b2, c2, correction, eps;
  double keep, rate, share;

  FETTLE_FN EcoConstants of(const fettle_call& call) {
    const double* n = call.number;
    return {float(n[0]), float(n[1]), float(n[2]), float(n[3]), float(n[4]), float(n[5]), n[6], n[7], n[8]};
  }
};

// What the elements of a unit share once its new scale is known, which is the unit of what follows.
struct EcoChange {
  double scale;         // of the unit, as stored
  float measure;        // what 1 stands for
  float ratio, growth;  // what an old number is worth, and that less 1
  float rate, share;
  bool usable;  // or codes are zero

  // `kept`: what an old number is worth, a float's product with it.
  FETTLE_FN EcoChange of(const EcoConstants& c, double kept, double scale, double unit) {
    EcoChange change = inUnits(c, kept, scale);
    change.scale = scale / unit;
    // A smaller scale's reciprocal is out of range; of products that are, a weight is not worth anything in what it becomes.
    change.usable =
        change.scale >= double(floatOf(0x00800000u)) && isFinite(bitsOf(change.ratio)) && isFinite(bitsOf(change.rate));
    if (!change.usable) {
      const EcoChange plain = inUnits(c, kept, scale != scale ? scale : 1.0);
      change = {change.scale, plain.measure, plain.ratio, plain.ratio, plain.rate, plain.share, false};
    }
    return change;
  }

  FETTLE_FN EcoChange inUnits(const EcoConstants& c, double kept, double measure) {
    const double reciprocal = 1.0 / measure;
    return {0.0,
            float(measure),
            float(kept * reciprocal),
            float((kept - measure) * reciprocal),
            float(-c.rate * reciprocal),
            float(c.share * measure),
            true};
  }
};

// arrays: codes, F64 scales, gradient, momentum, second moment (none for SGD), error (if it is asked for).
// integers 2: 1 for stochastic rounding, 3: seed, 4: step, 5: stream.
struct EcoStep {
  struct Moments {
    float momentum, second, denominator, direction;
  };

  FETTLE_FN Moments update(const EcoConstants& c, float g, float m, float v, bool adaptive) {
    Moments next;
    next.momentum = movingAverage(m, g, c.b1, c.c1);
    next.second = adaptive ? movingAverage(v, g * g, c.b2, c.c2) : 0.0f;
    next.denominator = adaptive ? root(next.second * c.correction) + c.eps : 1.0f;
    next.direction = adaptive ? next.momentum / next.denominator : next.momentum;
    return next;
  }

  // The magnitude of an element's new weight.
  FETTLE_FN double magnitude(double kept, float number, float moved) {
    const double weight = kept * double(number) + double(moved);
    return weight < 0.0 ? -weight : weight;
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
    const EcoConstants c = EcoConstants::of(call);
    const double kept = c.keep * scales[unit] * Format::unit;
    const float rate = float(-c.rate);
    float largest = 0.0f;
    double exact = 0.0;
    for (int64_t i = 0; i < place.count; i++) {
      const float number = Format::decode(Format::load(codes, i));
      const float moved = rate * update(c, gradient[i], momentum[i], adaptive ? second[i] : 0.0f, adaptive).direction;
      const float weight = absolute(fma(number, float(kept), moved));
      // The first of the largest.
      if (weight > largest || weight != weight) {
        largest = weight;
        exact = magnitude(kept, number, moved);
      }
      if (weight != weight) break;
    }
    const double scale = isFinite(bitsOf(largest)) ? ecoScale(exact, Format::largest) : double(floatOf(0x7FC00000u));
    const EcoChange change = EcoChange::of(c, kept, scale, Format::unit);
    scales[unit] = change.scale;
    const bool stochastic = call.integer[2] != 0;
    Words words = {{0, 0, 0, 0}};
    for (int64_t i = 0; i < place.count; i++) {
      const int64_t element = place.first + i;
      if (stochastic && (i == 0 || (element & 3) == 0)) {
        words = philox(uint64_t(call.integer[3]), uint64_t(element) >> 2, uint32_t(call.integer[4]),
                       uint32_t(call.integer[5]));
      }
      const float number = Format::decode(Format::load(codes, i));
      const Moments next = update(c, gradient[i], momentum[i], adaptive ? second[i] : 0.0f, adaptive);
      const float moved = change.rate * next.direction;
      const float x = change.usable ? fma(number, change.ratio, moved) : 0.0f;
      const uint32_t code = stochastic ? Format::stochastic(x, words.word[element & 3]) : Format::nearest(x);
      // Without a -0, which would make a difference to the sign of a zero.
      const float lost = change.usable ? number - (Format::decode(code) + 0.0f) : 0.0f;
      const float error = fma(number, change.growth, lost + moved);
      // The byte's second weight is still to be read when the first is written.
      storeKeeping<Format>(codes, i, code);
      momentum[i] = fma(change.share * next.denominator, error, next.momentum);
      if (adaptive) second[i] = next.second;
      if (keepsError) errors[i] = error * change.measure;
    }
  }

  template <class Format>
  FETTLE_FN void storeKeeping(uint8_t* codes, int64_t i, uint32_t code) {
    if (Format::unit == EcoFp8::unit) {
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
