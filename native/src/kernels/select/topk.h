// The k largest of every row, sorted. The Java twin is org.fettle.internal.kernels.SelectKernels.
#pragma once

#include "kernels/select/keys.h"

namespace fettle {
namespace FETTLE_TIER {

// Keys of a row that are at least `least`. The CPU tiers count with vectors.
FETTLE_FN int64_t countAtLeast(const float* x, int64_t n, int64_t kind, int32_t least) {
  int64_t count = 0;
  for (int64_t i = 0; i < n; i++) count += keyAt<FETTLE_F32>(x, i, kind) >= least ? 1 : 0;
  return count;
}

// The k-th largest key of a row, 1 <= k <= n: bit by bit from the top.
FETTLE_FN int32_t kthLargestKey(const float* x, int64_t n, int64_t kind, int64_t k) {
  uint32_t found = 0;
  for (int bit = 31; bit >= 0; bit--) {
    const uint32_t candidate = found | 1u << bit;
    if (countAtLeast(x, n, kind, int32_t(candidate ^ 0x80000000u)) >= k) found = candidate;
  }
  return int32_t(found ^ 0x80000000u);
}

// Whether an entry goes before another: the larger key, of equal ones the lower column.
FETTLE_FN bool goesBefore(int32_t key, int32_t column, int32_t otherKey, int32_t otherColumn) {
  return key > otherKey || (key == otherKey && column < otherColumn);
}

// Sinks entry `at` of a heap whose root goes last.
FETTLE_FN void sink(float* values, int32_t* columns, int64_t kind, int64_t at, int64_t count) {
  const float value = values[at];
  const int32_t column = columns[at];
  const int32_t key = keyAt<FETTLE_F32>(&value, 0, kind);
  while (2 * at + 1 < count) {
    int64_t child = 2 * at + 1;
    int32_t childKey = keyAt<FETTLE_F32>(values, child, kind);
    if (child + 1 < count) {
      const int32_t otherKey = keyAt<FETTLE_F32>(values, child + 1, kind);
      if (goesBefore(childKey, columns[child], otherKey, columns[child + 1])) {
        child++;
        childKey = otherKey;
      }
    }
    if (!goesBefore(key, column, childKey, columns[child])) break;
    values[at] = values[child];
    columns[at] = columns[child];
    at = child;
  }
  values[at] = value;
  columns[at] = column;
}

// Sorts kept entries in place, the first to go first.
FETTLE_FN void sortKept(float* values, int32_t* columns, int64_t kind, int64_t count) {
  for (int64_t i = count / 2 - 1; i >= 0; i--) sink(values, columns, kind, i, count);
  for (int64_t last = count - 1; last > 0; last--) {
    const float value = values[0];
    const int32_t column = columns[0];
    values[0] = values[last];
    columns[0] = columns[last];
    values[last] = value;
    columns[last] = column;
    sink(values, columns, kind, 0, last);
  }
}

// A unit is a row. array 0: F32 [rows, columns]; array 1: F32 [rows, k]; array 2: I32 [rows, k].
// integer 0: the kind of key; integer 1: columns; integer 2: k.
struct TopkRows {
  FETTLE_FN void unit(const fettle_call& call, int64_t row) {
    const int64_t kind = call.integer[0];
    const int64_t n = call.integer[1];
    const int64_t k = call.integer[2];
    if (k == 0) return;
    const float* x = arrayOf<const float>(call, 0) + row * n;
    float* values = arrayOf<float>(call, 1) + row * k;
    int32_t* columns = arrayOf<int32_t>(call, 2) + row * k;
    const int32_t threshold = kthLargestKey(x, n, kind, k);
    int64_t equal = k - (threshold == INT32_MAX ? 0 : countAtLeast(x, n, kind, threshold + 1));
    int64_t kept = 0;
    for (int64_t i = 0; i < n && kept < k; i++) {
      const int32_t key = keyAt<FETTLE_F32>(x, i, kind);
      if (key > threshold || (key == threshold && equal-- > 0)) {
        values[kept] = x[i];
        columns[kept++] = int32_t(i);
      }
    }
    sortKept(values, columns, kind, k);
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
