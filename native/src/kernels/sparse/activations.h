// Sparse activations. The Java twin is org.fettle.internal.kernels.ActivationKernels.
#pragma once

#include "kernels/kernel.h"
#include "kernels/sparse/scores.h"

namespace fettle {
namespace FETTLE_TIER {

// What a rectifier lets through; a NaN too.
FETTLE_FN float rectified(float x) { return x <= 0.0f ? 0.0f : x; }

// [rows, columns] to [columns, rows]. A unit is 64 rows. arrays 0, 1: F32. integers 0, 1: rows, columns.
struct Transpose {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const int64_t rows = call.integer[0];
    const int64_t columns = call.integer[1];
    const int64_t last = smaller(64 * unit + 64, rows);
    for (int64_t tile = 0; tile < columns; tile += 16) {
      for (int64_t i = 64 * unit; i < last; i++) {
        for (int64_t j = tile; j < smaller(tile + 16, columns); j++) {
          arrayOf<float>(call, 1)[j * rows + i] = arrayOf<const float>(call, 0)[i * columns + j];
        }
      }
    }
  }
};

// Kept entries, rectified, to where they stand; zeros elsewhere. A unit is a row. array 0: F32 [rows, k]; array 1: I32
// [rows, k]; array 2: F32 [rows, columns]. integers 0, 1: k, columns.
struct ScatterRows {
  FETTLE_FN void unit(const fettle_call& call, int64_t row) {
    const int64_t k = call.integer[0];
    const int64_t columns = call.integer[1];
    float* out = arrayOf<float>(call, 2) + row * columns;
    for (int64_t j = 0; j < columns; j++) out[j] = 0.0f;
    for (int64_t p = row * k; p < (row + 1) * k; p++) {
      out[arrayOf<const int32_t>(call, 1)[p]] = rectified(arrayOf<const float>(call, 0)[p]);
    }
  }
};

// Rectified sparse rows times a matrix, entries in the order in which they stand. A unit is a row. array 0: F32 [rows, k];
// array 1: I32 [rows, k]; array 2: F32 [features, width]; array 3: F32 [rows, width]. integers 0, 1: k, width.
struct DecodeRows {
  FETTLE_FN void unit(const fettle_call& call, int64_t row) {
    const int64_t k = call.integer[0];
    const int64_t width = call.integer[1];
    for (int64_t first = 0; first < width; first += 64) {
      const int64_t n = smaller(64, width - first);
      double sums[64];
      for (int64_t j = 0; j < n; j++) sums[j] = 0.0;
      for (int64_t p = row * k; p < (row + 1) * k; p++) {
        const double value = double(rectified(arrayOf<const float>(call, 0)[p]));
        if (value == 0.0) continue;
        const float* from = arrayOf<const float>(call, 2) + int64_t(arrayOf<const int32_t>(call, 1)[p]) * width + first;
        for (int64_t j = 0; j < n; j++) sums[j] += value * double(from[j]);
      }
      for (int64_t j = 0; j < n; j++) arrayOf<float>(call, 3)[row * width + first + j] = float(sums[j]);
    }
  }
};

// Mean square of x - y over the mean square of x. A unit is a row. arrays 0, 1: F32 [rows, width], x and y; array 2: F32
// that is taken from x first, or null; array 3: F64 [rows]. integer 0: width.
struct SquareRatio {
  FETTLE_FN void unit(const fettle_call& call, int64_t row) {
    const int64_t width = call.integer[0];
    LaneSum errors;
    LaneSum squares;
    for (int64_t i = row * width; i < (row + 1) * width; i++) {
      double x = double(arrayOf<const float>(call, 0)[i]);
      if (call.array[2] != nullptr) x -= double(arrayOf<const float>(call, 2)[i]);
      const double error = double(arrayOf<const float>(call, 1)[i]) - x;
      errors.add(error * error);
      squares.add(x * x);
    }
    arrayOf<double>(call, 3)[row] = errors.total() / squares.total();
  }
};

// Rectified values where a mask is 1, else +0. A unit is 4,096 elements. array 0: F32; array 1: BIT; array 2: F32.
// integer 0: elements.
struct RectifyMasked {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const uint8_t* mask = arrayOf<const uint8_t>(call, 1);
    const int64_t last = smaller((unit + 1) * scoreUnit, call.integer[0]);
    for (int64_t i = unit * scoreUnit; i < last; i++) {
      const bool kept = (mask[i / 8] >> (i % 8) & 1) != 0;
      arrayOf<float>(call, 2)[i] = kept ? rectified(arrayOf<const float>(call, 0)[i]) : 0.0f;
    }
  }
};

// Columns that a mask chooses; the others are multiplied by 0. A unit is a row. array 0: F32 [rows, columns]; array 1: BIT
// [columns]; array 2: F32. integer 0: columns.
struct SelectColumns {
  FETTLE_FN void unit(const fettle_call& call, int64_t row) {
    const int64_t columns = call.integer[0];
    const uint8_t* mask = arrayOf<const uint8_t>(call, 1);
    for (int64_t j = 0; j < columns; j++) {
      const float x = arrayOf<const float>(call, 0)[row * columns + j];
      arrayOf<float>(call, 2)[row * columns + j] = (mask[j / 8] >> (j % 8) & 1) != 0 ? x : x * 0.0f;
    }
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
