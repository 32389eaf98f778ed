// The k-th largest key and the mask of the k largest, over tensors of any size. The Java twin is
// org.fettle.internal.kernels.SelectKernels; org.fettle.internal.Selector makes the serial steps between the calls.
//
// Of every call: array 0: values, F32, BF16 or F16; array 1: BIT mask of what takes part, or null.
// integer 0: the kind of key; integer 1: 1 if the mask's complement takes part; integer 2: elements.
#pragma once

#include "kernels/select/keys.h"

namespace fettle {
namespace FETTLE_TIER {

constexpr int64_t selectUnit = 65536;
constexpr int64_t histogramUnit = 262144;
constexpr int64_t sampleUnit = 1024;

// Where in its stretch of `stride` elements sample j is taken: scattered, so that no period of the data meets it.
FETTLE_FN int64_t sampleAt(int64_t j, int64_t stride) {
  uint64_t h = uint64_t(j) * 0x9E3779B97F4A7C15u;
  h ^= h >> 29;
  h *= 0xBF58476D1CE4E5B9u;
  h ^= h >> 32;
  return j * stride + int64_t((h & 0x7FFFFFFFu) % uint64_t(stride));
}

template <int64_t format>
struct SelectSampleOf {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const int64_t elements = call.integer[2];
    const int64_t stride = call.integer[3];
    int32_t* keys = arrayOf<int32_t>(call, 2);
    const int64_t last = smaller((unit + 1) * sampleUnit, unitsOf(elements, stride));
    for (int64_t j = unit * sampleUnit; j < last; j++) {
      const int64_t i = smaller(sampleAt(j, stride), elements - 1);
      keys[j] = takesPart(arrayOf<const uint8_t>(call, 1), call.integer[1], i)
                    ? keyAt<format>(call.array[0], i, call.integer[0])
                    : noKey;
    }
  }
};

// Keys of a sample. array 2: I32 keys, one per stretch; integer 3: elements of a stretch. A unit is 1,024 stretches.
struct SelectSample {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) { byFormat<SelectSampleOf>(call, unit); }
};

template <int64_t format>
struct SelectBracketOf {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const int32_t low = int32_t(call.integer[3]);
    const int32_t high = int32_t(call.integer[4]);
    const int64_t capacity = call.integer[5];
    int32_t* collected = arrayOf<int32_t>(call, 3) + unit * capacity;
    int64_t above = 0;
    int64_t inside = 0;
    const int64_t last = smaller((unit + 1) * selectUnit, call.integer[2]);
    for (int64_t i = unit * selectUnit; i < last; i++) {
      if (!takesPart(arrayOf<const uint8_t>(call, 1), call.integer[1], i)) continue;
      const int32_t key = keyAt<format>(call.array[0], i, call.integer[0]);
      if (key > high) {
        above++;
      } else if (key >= low) {
        if (inside < capacity) collected[inside] = key;
        inside++;
      }
    }
    arrayOf<int64_t>(call, 2)[2 * unit] = above;
    arrayOf<int64_t>(call, 2)[2 * unit + 1] = inside;
  }
};

// How many keys lie above a bracket and how many in it, which are collected. A unit is 65,536 elements.
// array 2: I64, two counts per unit; array 3: I32, `capacity` keys per unit, in the order of the elements.
// integers 3, 4: the bracket's ends, both inside; integer 5: capacity.
struct SelectBracket {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) { byFormat<SelectBracketOf>(call, unit); }
};

template <int64_t format>
struct SelectHistogramOf {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const uint32_t flip = call.integer[0] == signedKey ? 0x80000000u : 0u;
    const int shift = int(call.integer[3]);
    const int64_t bins = call.integer[4];
    const int prefixShift = int(call.integer[5]);
    const uint64_t prefix = uint64_t(call.integer[6]);
    int32_t* counts = arrayOf<int32_t>(call, 2) + unit * bins;
    for (int64_t k = 0; k < bins; k++) counts[k] = 0;
    const int64_t last = smaller((unit + 1) * histogramUnit, call.integer[2]);
    for (int64_t i = unit * histogramUnit; i < last; i++) {
      if (!takesPart(arrayOf<const uint8_t>(call, 1), call.integer[1], i)) continue;
      const uint32_t key = uint32_t(keyAt<format>(call.array[0], i, call.integer[0])) ^ flip;
      if (uint64_t(key) >> prefixShift == prefix) counts[(key >> shift) & uint32_t(bins - 1)]++;
    }
  }
};

// Counts of some bits of those keys that have a prefix. A unit is 262,144 elements. Signed keys count from the lowest.
// array 2: I32, `bins` counts per unit; integers 3 .. 6: shift, bins (a power of 2), prefix shift, prefix.
struct SelectHistogram {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) { byFormat<SelectHistogramOf>(call, unit); }
};

template <int64_t format>
struct SelectMaskOf {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const int32_t threshold = int32_t(call.integer[3]);
    int64_t equal = arrayOf<const int64_t>(call, 2)[unit];
    uint8_t* out = arrayOf<uint8_t>(call, 3);
    const int64_t last = smaller((unit + 1) * selectUnit, call.integer[2]);
    for (int64_t i = unit * selectUnit; i < last; i += 8) {
      unsigned bits = 0;
      for (int64_t j = i; j < smaller(i + 8, last); j++) {
        if (!takesPart(arrayOf<const uint8_t>(call, 1), call.integer[1], j)) continue;
        const int32_t key = keyAt<format>(call.array[0], j, call.integer[0]);
        const bool kept = key > threshold || (key == threshold && equal-- > 0);
        bits |= unsigned(kept) << (j - i);
      }
      out[i / 8] = uint8_t(bits);
    }
  }
};

// The mask of the keys above a threshold and of the first few that equal it. A unit is 65,536 elements.
// array 2: I64, how many equal ones each unit keeps; array 3: BIT mask, which may be array 1's; integer 3: the threshold.
struct SelectMask {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) { byFormat<SelectMaskOf>(call, unit); }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
