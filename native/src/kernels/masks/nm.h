// N:M masks: of every M entries in a group the N of the largest magnitude, ties to the lowest index. The Java twin is
// org.fettle.internal.kernels.NmKernels.
#pragma once

#include "kernels/select/keys.h"

namespace fettle {
namespace FETTLE_TIER {

constexpr int64_t mostRanked = 32;

// A tensor is a row of blocks of M x inner elements, whose columns are the groups. Eight blocks start at a byte of the mask.
FETTLE_FN int64_t nmUnit(int64_t m, int64_t inner) {
  const int64_t eight = 8 * m * inner;
  return eight * (eight >= 4096 ? 1 : 4096 / eight);
}

FETTLE_FN void keepBit(uint8_t* mask, int64_t i) { mask[i / 8] = uint8_t(mask[i / 8] | 1u << (i % 8)); }

// A group of few: an entry stays if fewer than N go before it.
template <int64_t format>
FETTLE_FN void maskRanked(const void* x, int64_t first, int64_t step, int64_t n, int64_t m, uint8_t* mask) {
  int32_t keys[mostRanked];
  for (int64_t i = 0; i < m; i++) keys[i] = keyAt<format>(x, first + i * step, magnitudeKey);
  for (int64_t i = 0; i < m; i++) {
    int64_t before = 0;
    for (int64_t j = 0; j < m; j++) before += keys[j] > keys[i] || (keys[j] == keys[i] && j < i) ? 1 : 0;
    if (before < n) keepBit(mask, first + i * step);
  }
}

// A group of many: the N-th largest key, bit by bit from the top.
template <int64_t format>
FETTLE_FN void maskSearched(const void* x, int64_t first, int64_t step, int64_t n, int64_t m, uint8_t* mask) {
  int32_t threshold = 0;
  for (int bit = 30; bit >= 0; bit--) {
    const int32_t candidate = threshold | 1 << bit;
    int64_t count = 0;
    for (int64_t i = 0; i < m; i++) count += keyAt<format>(x, first + i * step, magnitudeKey) >= candidate ? 1 : 0;
    if (count >= n) threshold = candidate;
  }
  int64_t equal = n;
  for (int64_t i = 0; i < m; i++) equal -= keyAt<format>(x, first + i * step, magnitudeKey) > threshold ? 1 : 0;
  for (int64_t i = 0; i < m; i++) {
    const int32_t key = keyAt<format>(x, first + i * step, magnitudeKey);
    if (key > threshold || (key == threshold && equal-- > 0)) keepBit(mask, first + i * step);
  }
}

template <int64_t format>
struct NmMaskOf {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const int64_t n = call.integer[1];
    const int64_t m = call.integer[2];
    const int64_t inner = call.integer[3];
    const int64_t size = nmUnit(m, inner);
    const int64_t last = smaller((unit + 1) * size, call.integer[0]);
    uint8_t* mask = arrayOf<uint8_t>(call, 1);
    for (int64_t at = unit * size / 8; at < unitsOf(last, 8); at++) mask[at] = 0;
    if (n == 0) return;
    for (int64_t block = unit * size; block < last; block += m * inner) {
      for (int64_t column = 0; column < inner; column++) {
        if (m <= mostRanked) {
          maskRanked<format>(call.array[0], block + column, inner, n, m, mask);
        } else {
          maskSearched<format>(call.array[0], block + column, inner, n, m, mask);
        }
      }
    }
  }
};

// array 0: F32, BF16 or F16; array 1: BIT. integers 0 .. 3: elements (a multiple of M * inner), N, M, inner: the step
// between the entries of a group. A unit is nmUnit elements.
struct NmMask {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) { byFormat<NmMaskOf>(call, unit); }
};

constexpr int64_t mostTransposable = 64;

// Sorts descending, in place: a heap whose root is the smallest.
FETTLE_FN void sinkWord(uint64_t* words, int64_t at, int64_t count) {
  const uint64_t word = words[at];
  while (2 * at + 1 < count) {
    int64_t child = 2 * at + 1;
    if (child + 1 < count && words[child + 1] < words[child]) child++;
    if (words[child] >= word) break;
    words[at] = words[child];
    at = child;
  }
  words[at] = word;
}

FETTLE_FN void sortWords(uint64_t* words, int64_t count) {
  for (int64_t i = count / 2 - 1; i >= 0; i--) sinkWord(words, i, count);
  for (int64_t last = count - 1; last > 0; last--) {
    const uint64_t word = words[0];
    words[0] = words[last];
    words[last] = word;
    sinkWord(words, 0, last);
  }
}

template <int64_t format>
FETTLE_FN double magnitudeAt(const void* x, int64_t i) {
  const uint32_t bits = bitsAt<format>(x, i) & 0x7FFFFFFFu;
  float value;
  if constexpr (format == FETTLE_F16) {
    value = F16::decode(uint16_t(bits >> 16));
  } else {
    memcpy(&value, &bits, sizeof value);
  }
  return double(value);
}

// Walks the tile in descending magnitude and keeps what finds room in its row and its column.
template <int64_t format>
FETTLE_FN void greedyTile(const void* x, int64_t first, int64_t columns, int64_t n, int64_t m, uint8_t* mask) {
  uint64_t order[mostTransposable * mostTransposable];
  int64_t inRow[mostTransposable];
  int64_t inColumn[mostTransposable];
  for (int64_t i = 0; i < m; i++) inRow[i] = inColumn[i] = 0;
  for (int64_t i = 0; i < m * m; i++) {
    const int32_t key = keyAt<format>(x, first + i / m * columns + i % m, magnitudeKey);
    order[i] = uint64_t(uint32_t(key)) << 32 | uint64_t(0xFFFFFFFFu - uint32_t(i));
  }
  sortWords(order, m * m);
  for (int64_t k = 0; k < m * m; k++) {
    const int64_t i = int64_t(0xFFFFFFFFu - uint32_t(order[k]));
    if (inRow[i / m] >= n || inColumn[i % m] >= n) continue;
    inRow[i / m]++;
    inColumn[i % m]++;
    keepBit(mask, first + i / m * columns + i % m);
  }
}

// Of all 4 x 4 patterns with N per row and column the one that keeps the largest sum of magnitudes; of equal ones the
// lexicographically largest, row-major.
template <int64_t format>
FETTLE_FN void bestTile(const void* x, int64_t first, int64_t columns, int64_t n, uint8_t* mask) {
  double value[16];
  for (int64_t i = 0; i < 16; i++) value[i] = magnitudeAt<format>(x, first + i / 4 * columns + i % 4);
  unsigned best = 0;
  double most = -1.0;
  for (unsigned pattern = 0xFFFFu; pattern > 0; pattern--) {
    // Bit 15 is the tile's first entry, so that patterns come in lexicographically descending order.
    bool fits = true;
    for (int k = 0; k < 4; k++) {
      const unsigned row = pattern >> (12 - 4 * k) & 15u;
      const unsigned column = (pattern >> k & 1u) + (pattern >> (k + 4) & 1u) + (pattern >> (k + 8) & 1u) +
                              (pattern >> (k + 12) & 1u);
      const unsigned inRow = (row & 1u) + (row >> 1 & 1u) + (row >> 2 & 1u) + (row >> 3 & 1u);
      fits = fits && inRow == unsigned(n) && column == unsigned(n);
    }
    if (!fits) continue;
    double sum = 0.0;
    for (int i = 0; i < 16; i++) {
      if ((pattern >> (15 - i) & 1u) != 0) sum += value[i];
    }
    if (best == 0 || sum > most) {
      best = pattern;
      most = sum;
    }
  }
  for (int64_t i = 0; i < 16; i++) {
    if ((best >> (15 - i) & 1u) != 0) keepBit(mask, first + i / 4 * columns + i % 4);
  }
}

template <int64_t format>
struct NmTransposableOf {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const int64_t n = call.integer[1];
    const int64_t m = call.integer[2];
    const int64_t columns = call.integer[3];
    const int64_t size = 8 * m * columns;
    const int64_t last = smaller((unit + 1) * size, call.integer[0]);
    const void* x = call.array[0];
    uint8_t* mask = arrayOf<uint8_t>(call, 1);
    for (int64_t at = unit * size / 8; at < unitsOf(last, 8); at++) mask[at] = 0;
    double kept = 0.0;
    for (int64_t band = unit * size; band < last; band += m * columns) {
      for (int64_t tile = band; tile < band + columns; tile += m) {
        if (n == 0) continue;
        if (call.integer[4] != 0) {
          bestTile<format>(x, tile, columns, n, mask);
        } else {
          greedyTile<format>(x, tile, columns, n, m, mask);
        }
        for (int64_t i = 0; i < m * m; i++) {
          const int64_t at = tile + i / m * columns + i % m;
          if ((mask[at / 8] >> (at % 8) & 1) != 0) kept += magnitudeAt<format>(x, at);
        }
      }
    }
    arrayOf<double>(call, 2)[unit] = kept;
  }
};

// Masks that are N:M along both axes of a matrix. A unit is eight bands of M rows. array 0: F32, BF16 or F16 [rows, columns];
// array 1: BIT; array 2: F64, the kept magnitude of each unit. integers 0 .. 4: elements, N, M (at most 64), columns, and
// 1 for the best pattern (M = 4) instead of the greedy one.
struct NmTransposable {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) { byFormat<NmTransposableOf>(call, unit); }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
