// Number formats on the CPU, by vectors. What large tensors become is stored past the cache.
#include "cpu/byte_codes.h"
#include "cpu/field_codes.h"
#include "cpu/grid_codes.h"
#include "cpu/kernel_tier.h"
#include "kernels/formats/measures.h"
#include "kernels/formats/minifloats.h"

namespace fettle {
namespace FETTLE_TIER {
namespace {

FETTLE_FN Noise noiseOf(const CastNoise& noise) { return {noise.seed, noise.step, noise.stream}; }

template <bool stochastic>
FETTLE_FN void castUnits(const fettle_call& call, int64_t first, int64_t last) {
  const int64_t from = first * castChunk, n = smaller(last * castChunk, call.integer[0]) - from;
  MinifloatEncoder<stochastic> encoder(minifloatOf(call.integer[1], call.integer[2] != 0), noiseOf(castNoise(call, 3)));
  const bool streamed = isStreamed(call.integer[0]);
  encodeBytes(encoder, arrayOf<const float>(call, 0) + from, n, arrayOf<uint8_t>(call, 1) + from, from, streamed, readAhead);
  fence(streamed);
}

}  // namespace

template <>
struct CpuKernel<MinifloatEncode> {
  static inline __attribute__((always_inline)) void range(const fettle_call& call, int64_t first, int64_t last) {
    if (castNoise(call, 3).stochastic) {
      castUnits<true>(call, first, last);
    } else {
      castUnits<false>(call, first, last);
    }
  }
};

template <>
struct CpuKernel<MinifloatDecode> {
  static inline __attribute__((always_inline)) void range(const fettle_call& call, int64_t first, int64_t last) {
    if (call.integer[1] == formatE8M0) {
      for (int64_t unit = first; unit < last; unit++) MinifloatDecode::unit(call, unit);
      return;
    }
    const int64_t from = first * castChunk, n = smaller(last * castChunk, call.integer[0]) - from;
    const PlainMinifloatDecoder decoder(minifloatOf(call.integer[1], true));
    const bool streamed = isStreamed(call.integer[0]);
    decodeBytes(decoder, arrayOf<const uint8_t>(call, 1) + from, n, arrayOf<float>(call, 0) + from, streamed);
    fence(streamed);
  }
};

namespace {

// The scales of a unit's blocks first, so that no block waits for its own.
template <bool stochastic>
FETTLE_FN void microscaleUnits(const fettle_call& call, int64_t first, int64_t last) {
  const Minifloat f = minifloatOf(call.integer[1], true);
  MinifloatEncoder<stochastic> encoder(f, noiseOf(castNoise(call, 3)));
  const float* x = arrayOf<const float>(call, 0);
  uint8_t* codes = arrayOf<uint8_t>(call, 1);
  for (int64_t unit = first; unit < last; unit++) {
    const int64_t from = unit * blocksOfUnit, count = smaller(from + blocksOfUnit, call.integer[0]) - from;
    int32_t largest[blocksOfUnit];
    for (int64_t k = 0; k < count; k++) {
      const float* block = x + (from + k) * 32;
      for (int i = 0; i < 32; i += 16) _mm_prefetch(reinterpret_cast<const char*>(block + i + blocksOfUnit * 32), _MM_HINT_T0);
      largest[k] = extremesOf<false>(block, 32).high;
    }
    for (int64_t k = 0; k < count; k++) {
      const int32_t byte = microscale(f, call.integer[2], uint32_t(largest[k]));
      const int64_t at = (from + k) * 32;
      arrayOf<uint8_t>(call, 2)[from + k] = uint8_t(byte);
      if (byte == 255) {
        memset(codes + at, f.nanCode < 0 ? 0 : f.nanCode, 32);
      } else {
        encoder.set(decodeE8m0(254 - byte), 0);
        encodeBytes(encoder, x + at, 32, codes + at, at, false, 0);
      }
    }
  }
}

}  // namespace

template <>
struct CpuKernel<MicroscalingEncode> {
  static inline __attribute__((always_inline)) void range(const fettle_call& call, int64_t first, int64_t last) {
    if (castNoise(call, 3).stochastic) {
      microscaleUnits<true>(call, first, last);
    } else {
      microscaleUnits<false>(call, first, last);
    }
  }
};

template <>
struct CpuKernel<MicroscalingDecode> {
  static inline __attribute__((always_inline)) void range(const fettle_call& call, int64_t first, int64_t last) {
    MinifloatDecoder decoder(minifloatOf(call.integer[1], true));
    const int64_t end = smaller(last * blocksOfUnit, call.integer[0]);
    for (int64_t block = first * blocksOfUnit; block < end; block++) {
      decoder.set(decodeE8m0(arrayOf<const uint8_t>(call, 2)[block]), 0.0f);
      decodeBytes(decoder, arrayOf<const uint8_t>(call, 1) + block * 32, 32, arrayOf<float>(call, 0) + block * 32);
    }
  }
};

namespace {

// The scales of a unit first, as a loop of its own.
template <bool stochastic>
FETTLE_FN void nvfp4Units(const fettle_call& call, int64_t first, int64_t last) {
  const Minifloat scaleFormat = minifloatOf(formatE4M3, true);
  MinifloatEncoder<stochastic> encoder(minifloatOf(formatE2M1, true), noiseOf(castNoise(call, 3)));
  const float* x = arrayOf<const float>(call, 0);
  uint8_t* codes = arrayOf<uint8_t>(call, 1);
  const bool twoLevels = call.array[3] != nullptr;
  const float global = twoLevels ? arrayOf<const float>(call, 3)[0] : 1.0f;
  const bool finite = isFinite(bitsOf(global));
  const bool usable = finite && !(twoLevels && global < smallestNormalFloat);
  const float inverse = 1.0f / global;
  for (int64_t unit = first; unit < last; unit++) {
    const int64_t from = unit * blocksOfUnit, count = smaller(from + blocksOfUnit, call.integer[0]) - from;
    uint32_t largest[blocksOfUnit];
    float reciprocal[blocksOfUnit];
    int32_t scale[blocksOfUnit];
    for (int64_t k = 0; k < count; k++) {
      const float* block = x + (from + k) * 16;
      _mm_prefetch(reinterpret_cast<const char*>(block + blocksOfUnit * 16), _MM_HINT_T0);
      largest[k] = uint32_t(extremesOf<false>(block, 16).high);
    }
    for (int64_t k = 0; k < count; k++) {
      const float b = floatOf(largest[k]) / 6.0f;
      const float s = b / global;
      const int32_t code = encodeNearest(scaleFormat, s > 448.0f ? 448.0f : s > 0.015625f ? s : 0.015625f);
      scale[k] = finite && isFinite(largest[k]) ? code : 0x7F;
      reciprocal[k] = inverse / decodeMinifloat(scaleFormat, scale[k]);
    }
    for (int64_t k = 0; k < count; k++) {
      const int64_t at = (from + k) * 16;
      arrayOf<uint8_t>(call, 2)[from + k] = uint8_t(scale[k]);
      if (scale[k] == 0x7F || !usable) {
        memset(codes + at, 0, 16);
      } else {
        encoder.set(reciprocal[k], 0);
        encoder.keepZero();
        encodeBytes(encoder, x + at, 16, codes + at, at, false, 0);
      }
    }
  }
}

}  // namespace

template <>
struct CpuKernel<Nvfp4Encode> {
  static inline __attribute__((always_inline)) void range(const fettle_call& call, int64_t first, int64_t last) {
    if (castNoise(call, 3).stochastic) {
      nvfp4Units<true>(call, first, last);
    } else {
      nvfp4Units<false>(call, first, last);
    }
  }
};

template <>
struct CpuKernel<Nvfp4Decode> {
  static inline __attribute__((always_inline)) void range(const fettle_call& call, int64_t first, int64_t last) {
    const Minifloat scaleFormat = minifloatOf(formatE4M3, true);
    TwiceScaledDecoder decoder(minifloatOf(formatE2M1, true),
                               call.array[3] != nullptr ? arrayOf<const float>(call, 3)[0] : 1.0f);
    const int64_t end = smaller(last * blocksOfUnit, call.integer[0]);
    for (int64_t block = first * blocksOfUnit; block < end; block++) {
      decoder.set(decodeMinifloat(scaleFormat, arrayOf<const uint8_t>(call, 2)[block]), 0.0f);
      decodeBytes(decoder, arrayOf<const uint8_t>(call, 1) + block * 16, 16, arrayOf<float>(call, 0) + block * 16);
    }
  }
};

// Whole units by vectors, a last one that is not the plain way. Six bits, too.
template <>
struct CpuKernel<FieldsPack> {
  static inline __attribute__((always_inline)) void range(const fettle_call& call, int64_t first, int64_t last) {
    for (int64_t unit = first; unit < last; unit++) {
      if (call.integer[1] == 6 || (unit + 1) * fieldsOfUnit > call.integer[0]) {
        FieldsPack::unit(call, unit);
      } else {
        packFields(int(call.integer[1]), call.integer[2] != 0, arrayOf<const uint8_t>(call, 0) + unit * fieldsOfUnit, fieldsOfUnit,
                   arrayOf<uint8_t>(call, 1) + unit * fieldsOfUnit * call.integer[1] / 8);
      }
    }
  }
};

template <>
struct CpuKernel<FieldsUnpack> {
  static inline __attribute__((always_inline)) void range(const fettle_call& call, int64_t first, int64_t last) {
    for (int64_t unit = first; unit < last; unit++) {
      if (call.integer[1] == 6 || (unit + 1) * fieldsOfUnit > call.integer[0]) {
        FieldsUnpack::unit(call, unit);
      } else {
        unpackFields(int(call.integer[1]), call.integer[2] != 0, call.integer[3] != 0,
                     arrayOf<const uint8_t>(call, 1) + unit * fieldsOfUnit * call.integer[1] / 8, fieldsOfUnit,
                     arrayOf<uint8_t>(call, 0) + unit * fieldsOfUnit);
      }
    }
  }
};

template <>
struct CpuKernel<CastTranspose> {
  static inline __attribute__((always_inline)) void range(const fettle_call& call, int64_t first, int64_t last) {
    const int64_t rows = call.integer[0], columns = call.integer[1], across = unitsOf(columns, castTile);
    const float* x = arrayOf<const float>(call, 0);
    uint8_t* codes = arrayOf<uint8_t>(call, 1);
    uint8_t* transposed = arrayOf<uint8_t>(call, 2);
    MinifloatEncoder<false> encoder(minifloatOf(call.integer[2], true), Noise{0, 0, 0});
    const float factor = call.array[3] != nullptr ? arrayOf<const float>(call, 3)[call.integer[3]] : 1.0f;
    encoder.set(factor, 0);
    encoder.keepZero();
    for (int64_t unit = first; unit < last; unit++) {
      const int64_t firstRow = unit / across * castTile, firstColumn = unit % across * castTile;
      const int64_t height = smaller(castTile, rows - firstRow), width = smaller(castTile, columns - firstColumn);
      Lanes32 most = lanesOf(0);
      for (int64_t row = firstRow; row < firstRow + height; row++) {
        const int64_t at = row * columns + firstColumn;
        int64_t i = 0;
        for (; i + Vector::lanes <= width; i += Vector::lanes) {
          most = largerOf(most, both(bitsOf(Vector::load(x + at + i)), lanesOf(0x7FFFFFFFu)));
        }
        if (i < width) most = largerOf(most, both(bitsOf(Vector::loadPart(x + at + i, int(width - i))), lanesOf(0x7FFFFFFFu)));
        // The next tile to the right comes meanwhile.
        encodeBytes(encoder, x + at, width, codes + at, at, false, castTile);
      }
      if (transposed != nullptr) {
        transposeBytes(codes + firstRow * columns + firstColumn, columns, height, width, transposed + firstColumn * rows + firstRow,
                       rows);
      }
      if (call.array[4] != nullptr) arrayOf<float>(call, 4)[unit] = floatOf(uint32_t(largestLane(most)));
    }
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle

#define FETTLE_FAMILY "fettle/kernels/formats.def"
#include "cpu/kernel_family.h"
