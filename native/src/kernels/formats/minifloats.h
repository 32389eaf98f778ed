// Casts to and from floating formats of at most 8 bits, microscaling (OCP MX), NVFP4. Twin: org.fettle.internal.kernels.MinifloatKernels.
#pragma once

#include "core/minifloat.h"
#include "core/philox.h"
#include "kernels/kernel.h"

namespace fettle {
namespace FETTLE_TIER {

constexpr int64_t castChunk = 4096;
constexpr int64_t blocksOfUnit = 64;

struct CastNoise {
  bool stochastic;
  uint64_t seed;
  uint32_t step, stream;
};

// integers from `first` on: rounding, seed, step, stream
FETTLE_FN CastNoise castNoise(const fettle_call& call, int first) {
  return {call.integer[first] != 0, uint64_t(call.integer[first + 1]), uint32_t(call.integer[first + 2]),
          uint32_t(call.integer[first + 3])};
}

FETTLE_FN void castRun(const Minifloat& format, const CastNoise& noise, const float* __restrict x, float factor, int64_t first,
                       int64_t last, uint8_t* __restrict codes) {
  if (noise.stochastic) {
    for (int64_t i = first; i < last; i++) {
      const Words words = philox(noise.seed, uint64_t(i) >> 2, noise.step, noise.stream);
      codes[i] = uint8_t(encodeStochastic(format, scaledBy(x[i], factor), words.word[i & 3]));
    }
  } else {
    const Minifloat f = format;
    for (int64_t i = first; i < last; i++) codes[i] = uint8_t(encodeNearest(f, scaledBy(x[i], factor)));
  }
}

// arrays: 0 F32 values, 1 codes. integers: 0 elements, 1 format, 2 saturating, 3 rounding, 4 seed, 5 step, 6 stream.
// A unit is 4,096 elements.
struct MinifloatEncode {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const int64_t first = unit * castChunk;
    castRun(minifloatOf(call.integer[1], call.integer[2] != 0), castNoise(call, 3), arrayOf<const float>(call, 0), 1.0f, first,
            smaller(first + castChunk, call.integer[0]), arrayOf<uint8_t>(call, 1));
  }
};

// arrays: 0 F32 values (written), 1 codes. integers: 0 elements, 1 format.
struct MinifloatDecode {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const int64_t first = unit * castChunk, last = smaller(first + castChunk, call.integer[0]);
    float* __restrict y = arrayOf<float>(call, 0);
    const uint8_t* __restrict codes = arrayOf<const uint8_t>(call, 1);
    if (call.integer[1] == formatE8M0) {
      for (int64_t i = first; i < last; i++) y[i] = decodeE8m0(codes[i]);
    } else {
      const Minifloat f = minifloatOf(call.integer[1], true);
      for (int64_t i = first; i < last; i++) y[i] = decodeMinifloat(f, codes[i]);
    }
  }
};

enum MicroscalingRule { scaleFloor = 0, scaleEven = 1, scaleCeil = 2, scaleRceil = 3 };

// The E8M0 byte of a block by its largest magnitude's bits.
FETTLE_FN int32_t microscale(const Minifloat& f, int64_t rule, uint32_t largest) {
  if (largest >= 0x7F800000u) return 255;
  // The largest exponent of the element format: that of its largest code.
  const int32_t most = (f.largestCode >> f.mantissaBits) - f.bias;
  int32_t byte;
  if (rule == scaleRceil) {
    const float reciprocal = 1.0f / decodeMinifloat(f, f.largestCode);
    const uint32_t bits = bitsOf(floatOf(largest) * reciprocal);
    const uint32_t mantissa = bits & 0x7FFFFFu;
    byte = int32_t(bits >> 23);
    if (byte == 0) {
      if (mantissa > 0x400000u) byte = 1;
    } else if (mantissa != 0) {
      byte++;
    }
  } else {
    const uint32_t rounded = rule == scaleEven ? largest + (1u << (22 - f.mantissaBits)) : largest;
    byte = int32_t(rounded >> 23) - most;
    if (rule == scaleCeil && (largest & 0x7FFFFFu) != 0) byte++;
  }
  return byte < 0 ? 0 : byte > 254 ? 254 : byte;
}

FETTLE_FN uint32_t largestBits(const float* x, int64_t n) {
  uint32_t largest = 0;
  for (int64_t i = 0; i < n; i++) {
    const uint32_t magnitude = bitsOf(x[i]) & 0x7FFFFFFFu;
    largest = magnitude > largest ? magnitude : largest;
  }
  return largest;
}

// arrays: 0 F32 values, 1 codes, 2 E8M0 scales. integers: 0 blocks, 1 format, 2 rule, 3 rounding, 4 seed, 5 step, 6 stream.
// A unit is 64 blocks of 32 elements.
struct MicroscalingEncode {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const Minifloat f = minifloatOf(call.integer[1], true);
    const CastNoise noise = castNoise(call, 3);
    const float* x = arrayOf<const float>(call, 0);
    uint8_t* codes = arrayOf<uint8_t>(call, 1);
    const int64_t last = smaller((unit + 1) * blocksOfUnit, call.integer[0]);
    for (int64_t block = unit * blocksOfUnit; block < last; block++) {
      const int64_t first = block * 32;
      const int32_t byte = microscale(f, call.integer[2], largestBits(x + first, 32));
      arrayOf<uint8_t>(call, 2)[block] = uint8_t(byte);
      if (byte == 255) {
        for (int64_t i = first; i < first + 32; i++) codes[i] = uint8_t(f.nanCode < 0 ? 0 : f.nanCode);
      } else {
        castRun(f, noise, x, decodeE8m0(254 - byte), first, first + 32, codes);
      }
    }
  }
};

// arrays: 0 F32 values (written), 1 codes, 2 E8M0 scales. integers: 0 blocks, 1 format.
struct MicroscalingDecode {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const Minifloat f = minifloatOf(call.integer[1], true);
    const int64_t last = smaller((unit + 1) * blocksOfUnit, call.integer[0]);
    float* __restrict y = arrayOf<float>(call, 0);
    const uint8_t* __restrict codes = arrayOf<const uint8_t>(call, 1);
    for (int64_t block = unit * blocksOfUnit; block < last; block++) {
      const float scale = decodeE8m0(arrayOf<const uint8_t>(call, 2)[block]);
      for (int64_t i = block * 32; i < block * 32 + 32; i++) y[i] = decodeMinifloat(f, codes[i]) * scale;
    }
  }
};

// arrays: 0 F32 values, 1 E2M1 codes, 2 E4M3 scales, 3 F32 global scale or none. integers: 0 blocks, 3 rounding, 4 seed, 5 step,
// 6 stream. A unit is 64 blocks of 16 elements. The rule is pytorch/ao's.
struct Nvfp4Encode {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const Minifloat element = minifloatOf(formatE2M1, true);
    const Minifloat scaleFormat = minifloatOf(formatE4M3, true);
    const CastNoise noise = castNoise(call, 3);
    const float* x = arrayOf<const float>(call, 0);
    uint8_t* codes = arrayOf<uint8_t>(call, 1);
    const bool twoLevels = call.array[3] != nullptr;
    const float global = twoLevels ? arrayOf<const float>(call, 3)[0] : 1.0f;
    const int64_t last = smaller((unit + 1) * blocksOfUnit, call.integer[0]);
    for (int64_t block = unit * blocksOfUnit; block < last; block++) {
      const int64_t first = block * 16;
      const uint32_t largest = largestBits(x + first, 16);
      int32_t code = 0x7F;
      if (isFinite(largest) && isFinite(bitsOf(global))) {
        const float b = floatOf(largest) / 6.0f;
        const float s = twoLevels ? b / global : b;
        code = encodeNearest(scaleFormat, s > 448.0f ? 448.0f : s > 0.015625f ? s : 0.015625f);
      }
      arrayOf<uint8_t>(call, 2)[block] = uint8_t(code);
      const float scale = decodeMinifloat(scaleFormat, code);
      const float reciprocal = twoLevels ? (1.0f / global) / scale : 1.0f / scale;
      if (code == 0x7F || (twoLevels && global < 1.17549435e-38f)) {
        for (int64_t i = first; i < first + 16; i++) codes[i] = 0;
      } else {
        castRun(element, noise, x, reciprocal, first, first + 16, codes);
      }
    }
  }
};

// arrays: 0 F32 values (written), 1 E2M1 codes, 2 E4M3 scales, 3 F32 global scale or none. integers: 0 blocks.
struct Nvfp4Decode {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const Minifloat element = minifloatOf(formatE2M1, true);
    const Minifloat scaleFormat = minifloatOf(formatE4M3, true);
    const float global = call.array[3] != nullptr ? arrayOf<const float>(call, 3)[0] : 1.0f;
    const int64_t last = smaller((unit + 1) * blocksOfUnit, call.integer[0]);
    float* __restrict y = arrayOf<float>(call, 0);
    const uint8_t* __restrict codes = arrayOf<const uint8_t>(call, 1);
    for (int64_t block = unit * blocksOfUnit; block < last; block++) {
      const float scale = decodeMinifloat(scaleFormat, arrayOf<const uint8_t>(call, 2)[block]);
      for (int64_t i = block * 16; i < block * 16 + 16; i++) y[i] = (decodeMinifloat(element, codes[i]) * scale) * global;
    }
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
