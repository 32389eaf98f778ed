// Codes of a byte by vectors: what kernels/formats says of one element, with the same bits.
#pragma once

#include "core/minifloat.h"
#include "cpu/lanes.h"
#include "cpu/stream.h"
#include "cpu/words.h"
#include "kernels/formats/grid.h"

namespace fettle {
namespace FETTLE_TIER {

// Integers of a grid. An encoder's lanes() are the codes of a vector's elements.
template <bool divides, bool twoSided, bool stochastic>
class IntegerEncoder {
 public:
  static constexpr bool isSigned = !twoSided;
  // Whether by a factor of 0 all codes are 0, whatever the elements are.
  static constexpr bool zeroFactorIsNothing = false;

  FETTLE_INLINE explicit IntegerEncoder(const GridCodec& c)
      : factor_(0.0f), zero_(0.0f), window_({c.seed, c.step, c.stream}), lowest_(c.lowest), highest_(c.highest),
        levels_(c.levels) {}

  FETTLE_INLINE void set(float factor, int32_t zero) {
    factor_ = Vector(factor);
    zero_ = Vector(float(zero));
  }
  // A factor for each lane.
  FETTLE_INLINE void setEach(const float* factor, const float* zero) {
    factor_ = Vector::load(factor);
    zero_ = Vector::load(zero);
  }
  // Whether all codes are 0.
  FETTLE_FN bool nothing() { return false; }

  FETTLE_INLINE Lanes32 lanes(Vector x, int64_t element) {
    Vector v = zeroForNan(divides ? x / factor_ : x * factor_);
    if (twoSided && !stochastic) v = v * Vector(levels_);
    if (stochastic) {
      const Vector magnitude = lesser(absolute(v), Vector(65536.0f));
      const Vector whole = floorOf(magnitude);
      const Mask up = roundsUp(magnitude, whole, window_.at(element, Vector::lanes));
      v = signedAs(select(up, whole + Vector(1.0f), whole), v);
    } else if (twoSided) {
      const Vector nearest = nearestOf(v);
      const bool sure = largestLane(bitsOf(absolute(v - nearest))) <= int32_t(fettle::FETTLE_TIER::bitsOf(surelyRounded));
      v = sure ? nearest : nearestOfDoubles(x, factor_, levels_);
    }
    if (twoSided) v = v + zero_;
    // Limits are integers: rounding may come behind them.
    return roundedTo32(greater(lesser(v, Vector(highest_)), Vector(lowest_)));
  }

 private:
  FETTLE_FN Vector nearestOfDoubles(Vector given, Vector factors, float levels) {
    float x[Vector::lanes], factor[Vector::lanes];
    given.store(x);
    factors.store(factor);
    for (int k = 0; k < Vector::lanes; k++) x[k] = nearestQuotient(x[k], factor[k], levels);
    return zeroForNan(Vector::load(x));
  }

  Vector factor_, zero_;
  WordWindow window_;
  float lowest_, highest_, levels_;
};

template <bool stochastic>
class MinifloatEncoder {
 public:
  static constexpr bool isSigned = false;
  static constexpr bool zeroFactorIsNothing = true;

  FETTLE_INLINE MinifloatEncoder(const Minifloat& f, const Noise& noise)
      : factor_(1.0f), window_(noise), smallest_(smallestNormal(f)), shift_(uint32_t(23 - f.mantissaBits)),
        mantissaBits_(uint32_t(f.mantissaBits)), offset_(smallest_ >> shift_), nan_(f.nanCode < 0 ? 0u : uint32_t(f.nanCode)),
        limit_(floatOf(uint32_t(f.overflowCode) << shift_) * floatOf(uint32_t(254 - f.bias) << 23)), signShift_(0),
        hasNan_(f.nanCode >= 0), nothing_(false) {
    while (f.signBit << signShift_ != 0x80) signShift_++;
    signShift_ += 24;
  }

  FETTLE_INLINE explicit MinifloatEncoder(const GridCodec& c) : MinifloatEncoder(c.minifloat, {c.seed, c.step, c.stream}) {}

  FETTLE_INLINE void set(float factor, int32_t) {
    factor_ = Vector(factor);
    nothing_ = factor == 0.0f;
  }
  FETTLE_INLINE void setEach(const float* factor, const float*) {
    factor_ = Vector::load(factor);
    nothing_ = false;
  }
  // In a cast, a factor of 0 keeps signs and NaN.
  FETTLE_INLINE void keepZero() { nothing_ = false; }
  FETTLE_INLINE bool nothing() const { return nothing_; }

  FETTLE_INLINE Lanes32 lanes(Vector given, int64_t element) {
    const Vector x = given * factor_;
    // What is beyond the largest becomes the overflow's code, which is the largest or the next.
    const Vector magnitude = lesser(absolute(x), Vector(limit_));
    const Lanes32 binade = largerOf(both(bitsOf(magnitude), lanesOf(0x7F800000u)), lanesOf(smallest_));
    Lanes32 inSpacings;
    if (stochastic) {
      const Vector scaled = magnitude * floatsOfBits(minus(lanesOf((254u + mantissaBits_) << 23), binade));
      const Vector whole = floorOf(scaled);
      const Mask up = roundsUp(scaled, whole, window_.at(element, Vector::lanes));
      inSpacings = roundedTo32(select(up, whole + Vector(1.0f), whole));
    } else {
      // A power of two whose last place is the spacing: adding it rounds.
      const Lanes32 aligner = plus(binade, lanesOf(shift_ << 23));
      inSpacings = minus(bitsOf(magnitude + floatsOfBits(aligner)), aligner);
    }
    const Lanes32 code = minus(plus(inSpacings, shiftedRight(binade, lanesOf(shift_))), lanesOf(offset_));
    // A NaN has the sign of what was given: scaledBy.
    const Lanes32 signBits = hasNan_ ? unlessNan(x, bitsOf(x), bitsOf(given)) : bitsOf(x);
    const Lanes32 sign = both(shiftedRight(signBits, lanesOf(signShift_)), lanesOf(0x80000000u >> signShift_));
    if (hasNan_) return either(unlessNan(x, code, lanesOf(nan_)), sign);
    return unlessNan(x, either(code, sign), lanesOf(0));
  }

 private:
  Vector factor_;
  WordWindow window_;
  uint32_t smallest_, shift_, mantissaBits_, offset_, nan_;
  float limit_;
  uint32_t signShift_;
  bool hasNan_, nothing_;
};

// Codes of n elements, of which the first is an element of the tensor. What lies `ahead` floats further on comes meanwhile, if
// that is not 0.
template <class Encoder>
FETTLE_FN void encodeBytes(Encoder& encoder, const float* __restrict x, int64_t n, uint8_t* __restrict codes, int64_t element,
                           bool streamed, int64_t ahead) {
  if (encoder.nothing()) {
    memset(codes, 0, size_t(n));
    return;
  }
  constexpr int64_t step = 4 * Vector::lanes;
  int64_t i = 0;
  const auto part = [&](int64_t count) {
    uint8_t bytes[16];
    _mm_storeu_si128(reinterpret_cast<__m128i*>(bytes), bytesOfLanes<Encoder::isSigned>(
                                                            encoder.lanes(Vector::loadPart(x + i, int(count)), element + i)));
    memcpy(codes + i, bytes, size_t(count));
    return count;
  };
  const auto four = [&] {
    for (int k = 0; k < step && ahead > 0; k += 16) {
      _mm_prefetch(reinterpret_cast<const char*>(x + i + k + ahead), _MM_HINT_T0);
    }
    Lanes32 of[4];
    for (int k = 0; k < 4; k++) of[k] = encoder.lanes(Vector::load(x + i + k * Vector::lanes), element + i + k * Vector::lanes);
    return bytesOfLanes<Encoder::isSigned>(of[0], of[1], of[2], of[3]);
  };
  if (streamed && n >= 4 * step) {
    const int64_t head = int64_t((0u - reinterpret_cast<uintptr_t>(codes)) & uintptr_t(step - 1));
    while (i < head) i += part(smaller(Vector::lanes, head - i));
    for (; i + step <= n; i += step) streamBytes(codes + i, four());
  } else {
    for (; i + step <= n; i += step) storeBytes(codes + i, four());
  }
  for (; i + Vector::lanes <= n; i += Vector::lanes) {
    const __m128i bytes = bytesOfLanes<Encoder::isSigned>(encoder.lanes(Vector::load(x + i), element + i));
    memcpy(codes + i, &bytes, Vector::lanes);
  }
  if (i < n) part(n - i);
}

// value() is what a vector of codes stands for.
template <bool twoSided>
class IntegerDecoder {
 public:
  FETTLE_INLINE IntegerDecoder() : scale_(0.0f), zero_(0.0f) {}
  FETTLE_INLINE void set(float scale, float zero) {
    scale_ = Vector(scale);
    zero_ = Vector(zero);
  }
  FETTLE_INLINE void setEach(const float* scale, const float* zero) {
    scale_ = Vector::load(scale);
    zero_ = Vector::load(zero);
  }
  FETTLE_INLINE Vector value(__m128i bytes) const {
    return twoSided ? (toFloats(unsignedLanes(bytes)) - zero_) * scale_ : toFloats(signedLanes(bytes)) * scale_;
  }

 private:
  Vector scale_, zero_;
};

class MinifloatDecoder {
 public:
  FETTLE_INLINE explicit MinifloatDecoder(const Minifloat& f)
      : signBit_(uint32_t(f.signBit)), shift_(uint32_t(23 - f.mantissaBits)), largest_(uint32_t(f.largestCode)),
        infinity_(uint32_t(f.infinityCode)), bias_(floatOf(uint32_t(254 - f.bias) << 23)), signShift_(0), scale_(1.0f) {
    while (signBit_ << signShift_ != 0x80000000u) signShift_++;
  }
  FETTLE_INLINE void set(float scale, float) { scale_ = Vector(scale); }
  FETTLE_INLINE void setEach(const float* scale, const float*) { scale_ = Vector::load(scale); }
  // Without a scale.
  FETTLE_INLINE Vector plain(__m128i bytes) const {
    const Lanes32 code = unsignedLanes(bytes);
    const Lanes32 magnitude = both(code, lanesOf(signBit_ - 1u));
    const Lanes32 sign = shiftedLeft(both(code, lanesOf(signBit_)), lanesOf(signShift_));
    const Lanes32 finite = bitsOf(floatsOfBits(shiftedLeft(magnitude, lanesOf(shift_))) * Vector(bias_));
    const Lanes32 special = equalTo(magnitude, lanesOf(infinity_), lanesOf(0x7F800000u), lanesOf(0x7FC00000u));
    return floatsOfBits(either(sign, above(magnitude, lanesOf(largest_), special, finite)));
  }
  FETTLE_INLINE Vector value(__m128i bytes) const { return plain(bytes) * scale_; }

 private:
  uint32_t signBit_, shift_, largest_, infinity_;
  float bias_;
  uint32_t signShift_;
  Vector scale_;
};

// A decoder whose values are not scaled.
class PlainMinifloatDecoder : public MinifloatDecoder {
 public:
  FETTLE_INLINE explicit PlainMinifloatDecoder(const Minifloat& f) : MinifloatDecoder(f) {}
  FETTLE_INLINE Vector value(__m128i bytes) const { return plain(bytes); }
};

// Two scales, one product after the other.
class TwiceScaledDecoder : public MinifloatDecoder {
 public:
  FETTLE_INLINE TwiceScaledDecoder(const Minifloat& f, float global) : MinifloatDecoder(f), global_(global) {}
  FETTLE_INLINE Vector value(__m128i bytes) const { return MinifloatDecoder::value(bytes) * global_; }

 private:
  Vector global_;
};

// What n codes stand for. Past the cache if that is asked for and there is room for it; codes then come a page ahead.
template <class Decoder>
FETTLE_FN void decodeBytes(const Decoder& given, const uint8_t* __restrict codes, int64_t n, float* __restrict y,
                           bool streamed = false) {
  const Decoder decoder = given;
  constexpr int64_t step = 64;
  int64_t i = 0;
  const auto valueAt = [&](int64_t at, size_t count) {
    __m128i bytes = _mm_setzero_si128();
    memcpy(&bytes, codes + at, count);
    return decoder.value(bytes);
  };
  if (streamed && n >= 4 * step) {
    const int64_t head = floatsToBoundary(y);
    valueAt(0, size_t(Vector::lanes)).store(y);
    for (i = head; i + step <= n; i += step) {
      _mm_prefetch(reinterpret_cast<const char*>(codes + i + readAhead), _MM_HINT_T0);
      for (int64_t k = 0; k < step; k += Vector::lanes) streamVector(y + i + k, valueAt(i + k, size_t(Vector::lanes)));
    }
  }
  for (; i + Vector::lanes <= n; i += Vector::lanes) valueAt(i, size_t(Vector::lanes)).store(y + i);
  if (i < n) valueAt(i, size_t(n - i)).storePart(y + i, int(n - i));
}

// A block of bytes, transposed: 16 x 16 in registers, the edges one by one.
FETTLE_FN void transpose16(const uint8_t* from, int64_t fromStride, uint8_t* to, int64_t toStride) {
  __m128i a[16], b[16];
  for (int k = 0; k < 16; k++) a[k] = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + k * fromStride));
  // Interleaving rows k and k + 8 four times over brings every byte to its place.
  for (int round = 0; round < 4; round++) {
    for (int k = 0; k < 8; k++) {
      b[2 * k] = _mm_unpacklo_epi8(a[k], a[k + 8]);
      b[2 * k + 1] = _mm_unpackhi_epi8(a[k], a[k + 8]);
    }
    for (int k = 0; k < 16; k++) a[k] = b[k];
  }
  for (int k = 0; k < 16; k++) _mm_storeu_si128(reinterpret_cast<__m128i*>(to + k * toStride), a[k]);
}

// from has rows x columns bytes, to is columns x rows.
FETTLE_FN void transposeBytes(const uint8_t* from, int64_t fromStride, int64_t rows, int64_t columns, uint8_t* to,
                              int64_t toStride) {
  const int64_t wholeRows = rows - rows % 16, wholeColumns = columns - columns % 16;
  for (int64_t column = 0; column < wholeColumns; column += 16) {
    for (int64_t row = 0; row < wholeRows; row += 16) {
      transpose16(from + row * fromStride + column, fromStride, to + column * toStride + row, toStride);
    }
  }
  for (int64_t column = 0; column < columns; column++) {
    const int64_t first = column < wholeColumns ? wholeRows : 0;
    for (int64_t row = first; row < rows; row++) to[column * toStride + row] = from[row * fromStride + column];
  }
}

}  // namespace FETTLE_TIER
}  // namespace fettle
