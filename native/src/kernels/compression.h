// Compressed communication: what a worker sends, what it keeps, and how a receiver adds. The Java twin is
// org.fettle.internal.kernels.CompressionKernels.
//
// 1-bit: arXiv:2102.02888; majority vote: arXiv:1810.05291; top-k with memory: arXiv:1809.07599. A unit is a chunk of
// 4,096 elements unless said otherwise; integer 0 counts the elements.
#pragma once

#include "core/tree.h"
#include "kernels/kernel.h"

namespace fettle {
namespace FETTLE_TIER {

constexpr int64_t compressionChunk = 4096;

FETTLE_FN int64_t chunkEnd(const fettle_call& call, int64_t unit) {
  return smaller(call.integer[0], (unit + 1) * compressionChunk);
}

// error <- value + error, and the sum of its squares. arrays: value, error; array 2: F64 partial sums.
struct MemoryAdd {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const float* value = arrayOf<const float>(call, 0);
    float* error = arrayOf<float>(call, 1);
    const int64_t end = chunkEnd(call, unit);
    double lanes[reductionLanes] = {};
    for (int64_t at = unit * compressionChunk; at < end; at += reductionLanes) {
      const int64_t count = smaller(reductionLanes, end - at);
      for (int64_t i = 0; i < count; i++) {
        const float b = value[at + i] + error[at + i];
        error[at + i] = b;
        lanes[i] += double(b) * double(b);
      }
    }
    arrayOf<double>(call, 2)[unit] = treeSum(lanes, reductionLanes);
  }
};

// b = value + error; s = amax / 127; code = rne(b / s) by the reciprocal; error = b - code s. A unit is a block.
// arrays: value, error, codes I8, scales F32. integers: elements, block.
struct ResidualEncode {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const int64_t first = unit * call.integer[1];
    const int64_t end = smaller(call.integer[0], first + call.integer[1]);
    const float* value = arrayOf<const float>(call, 0);
    float* error = arrayOf<float>(call, 1);
    int8_t* codes = arrayOf<int8_t>(call, 2);
    uint32_t largest = 0;
    for (int64_t i = first; i < end; i++) {
      const float b = value[i] + error[i];
      error[i] = b;
      // Magnitudes order as their bits do, NaN above all.
      const uint32_t bits = bitsOf(b) & 0x7FFFFFFFu;
      largest = bits > largest ? bits : largest;
    }
    const float scale = isFinite(largest) ? floatOf(largest) / 127.0f : floatOf(0x7FC00000u);
    const float inverse = scale >= 0x1p-126f ? 1.0f / scale : 0.0f;
    arrayOf<float>(call, 3)[unit] = scale;
    for (int64_t i = first; i < end; i++) {
      const float b = error[i];
      const float scaled = inverse == 0.0f ? 0.0f : b * inverse;
      const float code = (scaled + 12582912.0f) - 12582912.0f;
      codes[i] = int8_t(int32_t(code));
      error[i] = b - code * scale;
    }
  }
};

// out <- out + weight (code s). A unit is a block. arrays: codes, scales, out. integers: elements, block; number 0: weight.
struct ResidualDecodeAdd {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const int64_t first = unit * call.integer[1];
    const int64_t end = smaller(call.integer[0], first + call.integer[1]);
    const int8_t* codes = arrayOf<const int8_t>(call, 0);
    const float scale = arrayOf<const float>(call, 1)[unit], weight = float(call.number[0]);
    float* out = arrayOf<float>(call, 2);
    for (int64_t i = first; i < end; i++) out[i] = fma(weight, float(codes[i]) * scale, out[i]);
  }
};

// The bits "not below 0" of up to eight elements; bits behind the end are 0.
FETTLE_FN uint8_t signBits(const float* x, int64_t count) {
  uint32_t bits = 0;
  for (int64_t i = 0; i < count; i++) bits |= (x[i] < 0.0f ? 0u : 1u) << i;
  return uint8_t(bits);
}

FETTLE_FN bool bitOf(const uint8_t* bits, int64_t element) { return (bits[element >> 3] >> (element & 7) & 1) != 0; }

// Sends signs, keeps error - s sign. arrays: error, bits. number 0: s.
struct SignEncode {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    float* error = arrayOf<float>(call, 0);
    uint8_t* bits = arrayOf<uint8_t>(call, 1);
    const float scale = float(call.number[0]);
    const int64_t end = chunkEnd(call, unit);
    for (int64_t at = unit * compressionChunk; at < end; at += 8) {
      const int64_t count = smaller(8, end - at);
      bits[at >> 3] = signBits(error + at, count);
      for (int64_t i = 0; i < count; i++) error[at + i] = error[at + i] - (error[at + i] < 0.0f ? -scale : scale);
    }
  }
};

// arrays: values, bits.
struct SignPack {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const float* x = arrayOf<const float>(call, 0);
    uint8_t* bits = arrayOf<uint8_t>(call, 1);
    const int64_t end = chunkEnd(call, unit);
    for (int64_t at = unit * compressionChunk; at < end; at += 8) bits[at >> 3] = signBits(x + at, smaller(8, end - at));
  }
};

// out <- out + weight s sign. arrays: bits, out. numbers: s, weight.
struct SignDecodeAdd {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const uint8_t* bits = arrayOf<const uint8_t>(call, 0);
    float* out = arrayOf<float>(call, 1);
    const float scale = float(call.number[0]), weight = float(call.number[1]);
    const int64_t end = chunkEnd(call, unit);
    for (int64_t i = unit * compressionChunk; i < end; i++) out[i] = fma(weight, bitOf(bits, i) ? scale : -scale, out[i]);
  }
};

// The sum of +-1 over workers, and its sign. arrays: bits, a row of whole bytes per worker; votes I32; direction I8.
// integers: elements, workers.
struct SignMajority {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const uint8_t* bits = arrayOf<const uint8_t>(call, 0);
    int32_t* votes = arrayOf<int32_t>(call, 1);
    int8_t* direction = arrayOf<int8_t>(call, 2);
    const int64_t end = chunkEnd(call, unit), stride = unitsOf(call.integer[0], 8);
    for (int64_t i = unit * compressionChunk; i < end; i++) {
      int32_t vote = 0;
      for (int64_t w = 0; w < call.integer[1]; w++) vote += bitOf(bits + w * stride, i) ? 1 : -1;
      votes[i] = vote;
      direction[i] = int8_t(vote > 0 ? 1 : vote < 0 ? -1 : 0);
    }
  }
};

FETTLE_FN uint32_t magnitudeBits(float x) { return bitsOf(x) & 0x7FFFFFFFu; }

// How often each next byte stands behind a prefix of the magnitude's bits. arrays: values, counts I32 [units, 256].
// integers: elements, shift of the byte, prefix.
struct LargestHistogram {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const float* x = arrayOf<const float>(call, 0);
    int32_t* counts = arrayOf<int32_t>(call, 1) + unit * 256;
    for (int i = 0; i < 256; i++) counts[i] = 0;
    const uint64_t shift = uint64_t(call.integer[1]), prefix = uint64_t(call.integer[2]);
    const int64_t end = chunkEnd(call, unit);
    for (int64_t i = unit * compressionChunk; i < end; i++) {
      const uint64_t bits = magnitudeBits(x[i]);
      if (bits >> (shift + 8) == prefix) counts[(bits >> shift) & 255]++;
    }
  }
};

// Elements above and at the threshold. arrays: values, counts I32 [units, 2]. integers: elements, threshold bits.
struct LargestCount {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const float* x = arrayOf<const float>(call, 0);
    const uint32_t threshold = uint32_t(call.integer[1]);
    int32_t above = 0, equal = 0;
    const int64_t end = chunkEnd(call, unit);
    for (int64_t i = unit * compressionChunk; i < end; i++) {
      above += magnitudeBits(x[i]) > threshold ? 1 : 0;
      equal += magnitudeBits(x[i]) == threshold ? 1 : 0;
    }
    arrayOf<int32_t>(call, 1)[2 * unit] = above;
    arrayOf<int32_t>(call, 1)[2 * unit + 1] = equal;
  }
};

// Moves what is sent out of the error. arrays: error, plan I32 [units, 2] of first place and how many of the equal ones go,
// indices I32, values F32. integers: elements, threshold bits.
struct LargestTake {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    float* error = arrayOf<float>(call, 0);
    const uint32_t threshold = uint32_t(call.integer[1]);
    int64_t place = arrayOf<const int32_t>(call, 1)[2 * unit];
    int32_t equal = arrayOf<const int32_t>(call, 1)[2 * unit + 1];
    const int64_t end = chunkEnd(call, unit);
    for (int64_t i = unit * compressionChunk; i < end; i++) {
      const uint32_t bits = magnitudeBits(error[i]);
      if (bits < threshold || (bits == threshold && equal-- <= 0)) continue;
      arrayOf<int32_t>(call, 2)[place] = int32_t(i);
      arrayOf<float>(call, 3)[place] = error[i];
      error[i] = 0.0f;
      place++;
    }
  }
};

// out[index] <- out[index] + weight value; indices differ. arrays: indices, values, out. integer 0: how many; number 0:
// weight.
struct SparseDecodeAdd {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const int32_t* indices = arrayOf<const int32_t>(call, 0);
    const float* values = arrayOf<const float>(call, 1);
    float* out = arrayOf<float>(call, 2);
    const float weight = float(call.number[0]);
    const int64_t end = chunkEnd(call, unit);
    for (int64_t i = unit * compressionChunk; i < end; i++) out[indices[i]] = fma(weight, values[i], out[indices[i]]);
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
