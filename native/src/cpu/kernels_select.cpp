// Selection on the CPU: keys are compared a vector at a time, and only what a bracket holds is touched one by one.
#include "cpu/kernel_tier.h"
#include "cpu/keys.h"
#include "kernels/select/select.h"
#include "kernels/select/topk.h"

namespace fettle {
namespace FETTLE_TIER {

// The lanes of some bits one behind the other; up to as many lanes as a vector has may be written.
FETTLE_FN void packKeys(Keys keys, uint32_t bits, int32_t* to) {
#if defined(__AVX512F__)
  _mm512_storeu_si512(to, _mm512_maskz_compress_epi32(__mmask16(bits), keys.v));
#else
  int32_t lane[Keys::lanes];
  keys.store(lane);
  for (int at = 0; bits != 0; bits &= bits - 1) to[at++] = lane[__builtin_ctz(bits)];
#endif
}

template <int64_t dtype, int64_t kind>
struct BracketRange {
  FETTLE_FN void range(const fettle_call& call, int64_t first, int64_t last) {
    for (int64_t unit = first; unit < last; unit++) {
      const int32_t low = int32_t(call.integer[3]);
      const int32_t high = int32_t(call.integer[4]);
      const int64_t capacity = call.integer[5];
      const uint8_t* mask = arrayOf<const uint8_t>(call, 1);
      int32_t* collected = arrayOf<int32_t>(call, 3) + unit * capacity;
      int64_t aboveCount = 0;
      int64_t inside = 0;
      int64_t i = unit * selectUnit;
      const int64_t end = smaller(i + selectUnit, call.integer[2]);
      const Keys highKeys = Keys::of(high);
      const Keys lowKeys = Keys::of(low);
      for (; i + Keys::lanes <= end; i += Keys::lanes) {
        const Keys keys = loadKeys<dtype, kind>(call.array[0], i);
        const uint32_t part = partBits(mask, call.integer[1], i);
        const uint32_t over = above(keys, highKeys) & part;
        uint32_t within = ~above(lowKeys, keys) & part & ~over;
        aboveCount += __builtin_popcount(over);
        const int count = __builtin_popcount(within);
        if (inside + Keys::lanes <= capacity) {
          // What follows the collected ones is overwritten or not looked at.
          packKeys(keys, within, collected + inside);
        } else if (count != 0 && inside + count <= capacity) {
          int32_t lane[Keys::lanes];
          keys.store(lane);
          for (int64_t at = inside; within != 0; within &= within - 1) collected[at++] = lane[__builtin_ctz(within)];
        }
        inside += count;
      }
      for (; i < end; i++) {
        if (!takesPart(mask, call.integer[1], i)) continue;
        const int32_t key = keyAt<dtype>(call.array[0], i, kind);
        if (key > high) {
          aboveCount++;
        } else if (key >= low) {
          if (inside < capacity) collected[inside] = key;
          inside++;
        }
      }
      arrayOf<int64_t>(call, 2)[2 * unit] = aboveCount;
      arrayOf<int64_t>(call, 2)[2 * unit + 1] = inside;
    }
  }
};

template <>
struct CpuKernel<SelectBracket> {
  FETTLE_FN void range(const fettle_call& call, int64_t first, int64_t last) {
    rangeByKey<BracketRange>(call, first, last);
  }
};

template <int64_t dtype, int64_t kind>
struct HistogramRange {
  // Neighbours are often alike: counters in turn spare the wait for the store before.
  static constexpr int turns = 4;
  static constexpr int mostBins = 2048;

  FETTLE_FN void range(const fettle_call& call, int64_t first, int64_t last) {
    for (int64_t unit = first; unit < last; unit++) one(call, unit);
  }

  FETTLE_FN void one(const fettle_call& call, int64_t unit) {
    const uint32_t flip = kind == signedKey ? 0x80000000u : 0u;
    const int shift = int(call.integer[3]);
    const int64_t bins = call.integer[4];
    const int prefixShift = int(call.integer[5]);
    const uint64_t prefix = uint64_t(call.integer[6]);
    const uint8_t* mask = arrayOf<const uint8_t>(call, 1);
    int32_t counts[turns][mostBins];
    for (int turn = 0; turn < turns; turn++) memset(counts[turn], 0, size_t(bins) * sizeof(int32_t));
    const auto count = [&](uint32_t key, int turn) {
      key ^= flip;
      if (uint64_t(key) >> prefixShift == prefix) counts[turn][(key >> shift) & uint32_t(bins - 1)]++;
    };
    int64_t i = unit * histogramUnit;
    const int64_t end = smaller(i + histogramUnit, call.integer[2]);
    for (; i + Keys::lanes <= end; i += Keys::lanes) {
      int32_t lane[Keys::lanes];
      loadKeys<dtype, kind>(call.array[0], i).store(lane);
      uint32_t part = partBits(mask, call.integer[1], i);
      if (mask == nullptr) {
        for (int k = 0; k < Keys::lanes; k++) count(uint32_t(lane[k]), k % turns);
      } else {
        for (; part != 0; part &= part - 1) count(uint32_t(lane[__builtin_ctz(part)]), 0);
      }
    }
    for (; i < end; i++) {
      if (takesPart(mask, call.integer[1], i)) count(uint32_t(keyAt<dtype>(call.array[0], i, kind)), 0);
    }
    int32_t* out = arrayOf<int32_t>(call, 2) + unit * bins;
    for (int64_t k = 0; k < bins; k++) out[k] = counts[0][k] + counts[1][k] + counts[2][k] + counts[3][k];
  }
};

template <>
struct CpuKernel<SelectHistogram> {
  FETTLE_FN void range(const fettle_call& call, int64_t first, int64_t last) {
    rangeByKey<HistogramRange>(call, first, last);
  }
};

// The lowest `most` of some bits.
FETTLE_FN uint32_t lowestBits(uint32_t bits, int64_t most) {
  uint32_t kept = 0;
  for (; bits != 0 && most > 0; most--, bits &= bits - 1) kept |= bits & (0u - bits);
  return kept;
}

template <int64_t dtype, int64_t kind>
struct MaskRange {
  FETTLE_FN void range(const fettle_call& call, int64_t first, int64_t last) {
    const int32_t threshold = int32_t(call.integer[3]);
    const Keys thresholds = Keys::of(threshold);
    const uint8_t* mask = arrayOf<const uint8_t>(call, 1);
    uint8_t* out = arrayOf<uint8_t>(call, 3);
    for (int64_t unit = first; unit < last; unit++) {
      int64_t left = arrayOf<const int64_t>(call, 2)[unit];
      int64_t i = unit * selectUnit;
      const int64_t end = smaller(i + selectUnit, call.integer[2]);
      for (; i + Keys::lanes <= end; i += Keys::lanes) {
        const Keys keys = loadKeys<dtype, kind>(call.array[0], i);
        const uint32_t part = partBits(mask, call.integer[1], i);
        uint32_t kept = above(keys, thresholds) & part;
        const uint32_t same = equal(keys, thresholds) & part;
        if (same != 0) {
          const int count = __builtin_popcount(same);
          kept |= count <= left ? same : lowestBits(same, left);
          left -= count;
        }
        out[i / 8] = uint8_t(kept);
        if (Keys::lanes == 16) out[i / 8 + 1] = uint8_t(kept >> 8);
      }
      for (; i < end; i += 8) {
        unsigned bits = 0;
        for (int64_t j = i; j < smaller(i + 8, end); j++) {
          if (!takesPart(mask, call.integer[1], j)) continue;
          const int32_t key = keyAt<dtype>(call.array[0], j, kind);
          const bool kept = key > threshold || (key == threshold && left-- > 0);
          bits |= unsigned(kept) << (j - i);
        }
        out[i / 8] = uint8_t(bits);
      }
    }
  }
};

template <>
struct CpuKernel<SelectMask> {
  FETTLE_FN void range(const fettle_call& call, int64_t first, int64_t last) {
    rangeByKey<MaskRange>(call, first, last);
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle

#define FETTLE_FAMILY "fettle/kernels/select.def"
#include "cpu/kernel_family.h"
