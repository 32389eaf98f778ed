// Largest magnitudes, histograms, and the scales of delayed scaling. Twin: org.fettle.internal.kernels.MeasureKernels.
#pragma once

#include "kernels/formats/minifloats.h"

namespace fettle {
namespace FETTLE_TIER {

// One number from largest magnitudes. array 0: F32 magnitudes, 1: F32 result. integers: 0 how many, 1 what becomes of them: 0 the
// largest, a NaN comes out; 1 NVFP4's global scale, amax / (448 * 6), 1 for 0; 2 the largest of them and of the result as it is, NaN
// left out; 2 where the result is. A unit is the whole.
struct MaximumFinish {
  FETTLE_FN void unit(const fettle_call& call, int64_t) {
    const int64_t mode = call.integer[1];
    float* result = arrayOf<float>(call, 1) + call.integer[2];
    float largest = mode == 2 ? result[0] : 0.0f;
    for (int64_t i = 0; i < call.integer[0]; i++) {
      const float x = arrayOf<const float>(call, 0)[i];
      largest = mode != 2 ? larger(largest, x) : x > largest || largest != largest ? x : largest;
    }
    if (mode == 1) {
      largest = largest == 0.0f ? 1.0f : isFinite(bitsOf(largest)) ? largest / 2688.0f : floatOf(0x7FC00000u);
    }
    result[0] = largest;
  }
};

constexpr int64_t histogramChunk = 65536;

// Counts of equal intervals of [number 0, number 1], the upper end included; what lies outside and NaN is not counted.
// array 0: F32 values, 1: I64 counts, units x bins. integers: 0 elements, 1 bins; number 2: bins / (high - low). A unit is 65,536
// elements.
struct HistogramCount {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const int64_t bins = call.integer[1], first = unit * histogramChunk;
    const int64_t last = smaller(first + histogramChunk, call.integer[0]);
    const float low = float(call.number[0]), high = float(call.number[1]), perUnit = float(call.number[2]);
    int64_t* counts = arrayOf<int64_t>(call, 1) + unit * bins;
    for (int64_t k = 0; k < bins; k++) counts[k] = 0;
    for (int64_t i = first; i < last; i++) {
      const float x = arrayOf<const float>(call, 0)[i];
      if (!(x >= low && x <= high)) continue;
      const int64_t bin = int64_t((x - low) * perUnit);
      counts[bin < bins ? bin : bins - 1]++;
    }
  }
};

// array 0: I64 counts, rows x bins; 1: I64 sums. integers: 0 rows, 1 bins. A unit is a bin.
struct HistogramSum {
  FETTLE_FN void unit(const fettle_call& call, int64_t bin) {
    int64_t sum = 0;
    for (int64_t row = 0; row < call.integer[0]; row++) sum += arrayOf<const int64_t>(call, 0)[row * call.integer[1] + bin];
    arrayOf<int64_t>(call, 1)[bin] = sum;
  }
};

constexpr int64_t castTile = 64;

// FP8 codes of x * multiplier, those of the transposed matrix, and the largest magnitude of every tile, in one crossing.
// arrays: 0 F32 values, 1 codes, 2 codes of the transposed matrix or none, 3 F32 multiplier or none (1), 4 F32 largest magnitude of
// every tile or none. integers: 0 rows, 1 columns, 2 format, 3 where the multiplier is. A unit is a tile of 64 x 64.
struct CastTranspose {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const int64_t rows = call.integer[0], columns = call.integer[1], across = unitsOf(columns, castTile);
    const int64_t firstRow = unit / across * castTile, firstColumn = unit % across * castTile;
    const int64_t lastRow = smaller(firstRow + castTile, rows), lastColumn = smaller(firstColumn + castTile, columns);
    const Minifloat f = minifloatOf(call.integer[2], true);
    const float factor = call.array[3] != nullptr ? arrayOf<const float>(call, 3)[call.integer[3]] : 1.0f;
    const float* x = arrayOf<const float>(call, 0);
    uint8_t* codes = arrayOf<uint8_t>(call, 1);
    uint8_t* transposed = arrayOf<uint8_t>(call, 2);
    const CastNoise noise = {false, 0, 0, 0};
    uint32_t largest = 0;
    for (int64_t row = firstRow; row < lastRow; row++) {
      const int64_t first = row * columns + firstColumn, last = row * columns + lastColumn;
      castRun(f, noise, x, factor, first, last, codes);
      const uint32_t most = largestBits(x + first, last - first);
      largest = most > largest ? most : largest;
    }
    if (transposed != nullptr) {
      for (int64_t column = firstColumn; column < lastColumn; column++) {
        for (int64_t row = firstRow; row < lastRow; row++) transposed[column * rows + row] = codes[row * columns + column];
      }
    }
    if (call.array[4] != nullptr) arrayOf<float>(call, 4)[unit] = floatOf(largest);
  }
};

// The update of delayed scaling. arrays: 0 F32 history, length x tensors, row 0 the step's own; 1 F32 multipliers, one per tensor; 2 F32 magnitudes
// measured in this step or none.
// integers: 0 tensors, 1 length, 2 whether the most recent counts and not the largest; number 0: FP8max * 2^-margin. A unit is a tensor.
struct DelayedScaling {
  FETTLE_FN void unit(const fettle_call& call, int64_t tensor) {
    const int64_t tensors = call.integer[0], length = call.integer[1];
    float* history = arrayOf<float>(call, 0) + tensor;
    float newest = history[0];
    if (call.array[2] != nullptr) {
      const float measured = arrayOf<const float>(call, 2)[tensor];
      if (measured > newest || newest != newest) newest = measured;
    }
    float amax = newest;
    if (call.integer[2] == 0) {
      for (int64_t i = 1; i < length; i++) {
        const float x = history[i * tensors];
        amax = x > amax || amax != amax ? x : amax;
      }
    }
    for (int64_t i = 1; i + 1 < length; i++) history[i * tensors] = history[(i + 1) * tensors];
    if (length > 1) history[(length - 1) * tensors] = newest;
    history[0] = 0.0f;
    if (amax > 0.0f && isFinite(bitsOf(amax))) {
      const float scale = float(call.number[0]) / amax;
      arrayOf<float>(call, 1)[tensor] = isFinite(bitsOf(scale)) ? scale : floatOf(0x7F7FFFFFu);
    }
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
