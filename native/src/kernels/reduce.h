// Reductions into arrays. The Java twin is org.fettle.internal.kernels.ReduceKernels.
#pragma once

#include "kernels/kernel.h"

namespace fettle {
namespace FETTLE_TIER {

// The largest magnitude of every row; a NaN comes out, an empty row gives 0. A unit is a row.
// array 0: F32 values, rows x columns; array 1: F32, one per row. integer 0: columns.
struct RowAbsoluteMax {
  FETTLE_FN void unit(const fettle_call& call, int64_t row) {
    const int64_t columns = call.integer[0];
    const float* x = arrayOf<const float>(call, 0) + row * columns;
    float largest = 0.0f;
    for (int64_t i = 0; i < columns; i++) largest = larger(largest, absolute(x[i]));
    arrayOf<float>(call, 1)[row] = largest;
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
