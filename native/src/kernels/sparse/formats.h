// Sparse matrix formats. The Java twin is org.fettle.internal.kernels.FormatKernels.
#pragma once

#include "kernels/kernel.h"

namespace fettle {
namespace FETTLE_TIER {

FETTLE_FN bool bitAt(const uint8_t* mask, int64_t i) { return (mask[i / 8] >> (i % 8) & 1) != 0; }

// Which two of four stay, as two positions in a nibble, when the ones of `kept` do; the table of PyTorch and CUTLASS.
FETTLE_FN unsigned nibbleOf(unsigned kept) {
  constexpr uint8_t first[16] = {2, 0, 1, 0, 2, 0, 1, 0, 2, 0, 1, 0, 2, 0, 1, 0};
  constexpr uint8_t second[16] = {3, 2, 2, 1, 3, 2, 2, 1, 3, 3, 3, 1, 3, 3, 3, 1};
  return unsigned(first[kept]) | unsigned(second[kept]) << 2;
}

template <class Word, class Zero>
FETTLE_FN void compressRow(const fettle_call& call, int64_t row, Zero isZero) {
  const int64_t columns = call.integer[0];
  const Word* dense = arrayOf<const Word>(call, 0) + row * columns;
  const uint8_t* mask = arrayOf<const uint8_t>(call, 1);
  Word* values = arrayOf<Word>(call, 2) + row * columns / 2;
  uint8_t* codes = arrayOf<uint8_t>(call, 3) + row * columns / 8;
  int64_t wrong = 0;
  for (int64_t byte = 0; byte < columns / 8; byte++) {
    unsigned code = 0;
    for (int64_t half = 0; half < 2; half++) {
      const int64_t quad = 2 * byte + half;
      unsigned kept = 0;
      for (int64_t j = 0; j < 4; j++) {
        const bool one = mask != nullptr ? bitAt(mask, row * columns + 4 * quad + j) : !isZero(dense[4 * quad + j]);
        kept |= (one ? 1u : 0u) << j;
      }
      const unsigned count = (kept & 1u) + (kept >> 1 & 1u) + (kept >> 2 & 1u) + (kept >> 3 & 1u);
      wrong += count > 2 ? 1 : 0;
      const unsigned nibble = nibbleOf(kept);
      for (int64_t k = 0; k < 2; k++) {
        const int64_t j = int64_t(nibble >> (2 * k) & 3u);
        const bool take = mask == nullptr || (kept >> j & 1u) != 0;
        values[2 * quad + k] = take ? dense[4 * quad + j] : Word(0);
      }
      code |= nibble << (4 * half);
    }
    codes[byte] = uint8_t(code);
  }
  arrayOf<int64_t>(call, 4)[row] = wrong;
}

// Two of four. A unit is a row. array 0: dense [rows, columns], elements of 8, 16 or 32 bits; array 1: BIT of what is
// kept, or null for what is not 0; array 2: values [rows, columns / 2]; array 3: U8 [rows, columns / 8], two quads per byte, the
// first in the low nibble; array 4: I64 [rows], quads of more than two. integers 0, 1: columns (a multiple of 8), bits of
// an element.
struct Semi24Compress {
  FETTLE_FN void unit(const fettle_call& call, int64_t row) {
    if (call.integer[1] == 32) {
      compressRow<uint32_t>(call, row, [](uint32_t x) { return (x & 0x7FFFFFFFu) == 0; });
    } else if (call.integer[1] == 16) {
      compressRow<uint16_t>(call, row, [](uint16_t x) { return (x & 0x7FFFu) == 0; });
    } else {
      compressRow<uint8_t>(call, row, [](uint8_t x) { return x == 0; });
    }
  }
};

template <class Word>
FETTLE_FN void decompressRow(const fettle_call& call, int64_t row) {
  const int64_t columns = call.integer[0];
  const Word* values = arrayOf<const Word>(call, 0) + row * columns / 2;
  const uint8_t* codes = arrayOf<const uint8_t>(call, 1) + row * columns / 8;
  Word* dense = arrayOf<Word>(call, 2) + row * columns;
  for (int64_t quad = 0; quad < columns / 4; quad++) {
    const unsigned nibble = unsigned(codes[quad / 2]) >> (4 * (quad % 2)) & 15u;
    for (int64_t j = 0; j < 4; j++) dense[4 * quad + j] = 0;
    dense[4 * quad + int64_t(nibble & 3u)] = values[2 * quad];
    dense[4 * quad + int64_t(nibble >> 2)] = values[2 * quad + 1];
  }
}

// Back. array 0: values; array 1: U8 codes; array 2: dense. integers as above.
struct Semi24Decompress {
  FETTLE_FN void unit(const fettle_call& call, int64_t row) {
    if (call.integer[1] == 32) {
      decompressRow<uint32_t>(call, row);
    } else if (call.integer[1] == 16) {
      decompressRow<uint16_t>(call, row);
    } else {
      decompressRow<uint8_t>(call, row);
    }
  }
};

// Kept entries of every row. A unit is a row. array 0: BIT; array 1: I32 [rows]. integer 0: columns.
struct CsrCount {
  FETTLE_FN void unit(const fettle_call& call, int64_t row) {
    const int64_t columns = call.integer[0];
    const uint8_t* mask = arrayOf<const uint8_t>(call, 0);
    int32_t count = 0;
    int64_t i = row * columns;
    const int64_t last = i + columns;
    for (; i < last && i % 8 != 0; i++) count += bitAt(mask, i) ? 1 : 0;
    for (; i + 8 <= last; i += 8) {
      unsigned byte = mask[i / 8];
      for (; byte != 0; byte &= byte - 1) count++;
    }
    for (; i < last; i++) count += bitAt(mask, i) ? 1 : 0;
    arrayOf<int32_t>(call, 1)[row] = count;
  }
};

// Columns and values of the kept entries. A unit is a row. array 0: BIT; array 1: F32 [rows, columns]; array 2: I32 row
// pointers; array 3: I32 columns; array 4: F32 values. integer 0: columns.
struct CsrFill {
  FETTLE_FN void unit(const fettle_call& call, int64_t row) {
    const int64_t columns = call.integer[0];
    const uint8_t* mask = arrayOf<const uint8_t>(call, 0);
    int64_t at = arrayOf<const int32_t>(call, 2)[row];
    for (int64_t j = 0; j < columns; j++) {
      const int64_t i = row * columns + j;
      if (i % 8 == 0 && j + 8 <= columns && mask[i / 8] == 0) {
        j += 7;
        continue;
      }
      if (!bitAt(mask, i)) continue;
      arrayOf<int32_t>(call, 3)[at] = int32_t(j);
      arrayOf<float>(call, 4)[at++] = arrayOf<const float>(call, 1)[i];
    }
  }
};

// Entries of compressed rows whose column is none. A unit is a row. array 0: I32 row pointers; array 1: I32 columns; array 2: I32
// [rows], how many such a row has, -1 where its pointers are out of order. integers 0 .. 2: entries, least column, columns.
struct IndexFaults {
  FETTLE_FN void unit(const fettle_call& call, int64_t row) {
    const int32_t* ends = arrayOf<const int32_t>(call, 0) + row;
    const int32_t* places = arrayOf<const int32_t>(call, 1);
    const int32_t least = int32_t(call.integer[1]);
    const uint32_t width = uint32_t(call.integer[2]) - uint32_t(least);
    int32_t faults = 0;
    if (ends[0] < 0 || ends[1] < ends[0] || ends[1] > call.integer[0]) {
      faults = -1;
    } else {
      for (int32_t p = ends[0]; p < ends[1]; p++) faults += uint32_t(places[p]) - uint32_t(least) >= width ? 1 : 0;
    }
    arrayOf<int32_t>(call, 2)[row] = faults;
  }
};

// Back to a dense matrix. A unit is a row. array 0: I32 row pointers; array 1: I32 columns; array 2: F32 values; array 3: F32.
struct CsrDense {
  FETTLE_FN void unit(const fettle_call& call, int64_t row) {
    const int64_t columns = call.integer[0];
    float* out = arrayOf<float>(call, 3) + row * columns;
    for (int64_t j = 0; j < columns; j++) out[j] = 0.0f;
    for (int64_t p = arrayOf<const int32_t>(call, 0)[row]; p < arrayOf<const int32_t>(call, 0)[row + 1]; p++) {
      out[arrayOf<const int32_t>(call, 1)[p]] = arrayOf<const float>(call, 2)[p];
    }
  }
};

// Whether a block holds any mask bit. A unit is a row of blocks. array 0: BIT [rows, columns]; array 1: U8 [block rows,
// block columns]. integers 0 .. 2: rows, columns, b.
struct BlockFlags {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const int64_t columns = call.integer[1];
    const int64_t b = call.integer[2];
    const int64_t across = unitsOf(columns, b);
    uint8_t* flags = arrayOf<uint8_t>(call, 1) + unit * across;
    for (int64_t k = 0; k < across; k++) flags[k] = 0;
    for (int64_t i = unit * b; i < smaller(unit * b + b, call.integer[0]); i++) {
      for (int64_t j = 0; j < columns; j++) {
        if (bitAt(arrayOf<const uint8_t>(call, 0), i * columns + j)) flags[j / b] = 1;
      }
    }
  }
};

// The values of blocks, edges padded with zeros. A unit is a stored block. array 0: F32 [rows, columns]; array 1: I32, the
// row of each block; array 2: I32, its column, -1 for padding; array 3: F32 [blocks, b, b]. integers 0 .. 2: rows, columns, b.
struct BlockFill {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const int64_t b = call.integer[2];
    const int64_t row = int64_t(arrayOf<const int32_t>(call, 1)[unit]) * b;
    const int64_t column = int64_t(arrayOf<const int32_t>(call, 2)[unit]) * b;
    float* out = arrayOf<float>(call, 3) + unit * b * b;
    for (int64_t i = 0; i < b; i++) {
      for (int64_t j = 0; j < b; j++) {
        const bool there = column >= 0 && row + i < call.integer[0] && column + j < call.integer[1];
        out[i * b + j] = there ? arrayOf<const float>(call, 0)[(row + i) * call.integer[1] + column + j] : 0.0f;
      }
    }
  }
};

// Back, into a matrix of zeros. A unit is a stored block. array 0: F32 blocks; arrays 1, 2: their rows and columns; array 3: F32.
struct BlockDense {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const int64_t b = call.integer[2];
    const int64_t row = int64_t(arrayOf<const int32_t>(call, 1)[unit]) * b;
    const int64_t column = int64_t(arrayOf<const int32_t>(call, 2)[unit]) * b;
    if (column < 0) return;
    for (int64_t i = 0; i < b && row + i < call.integer[0]; i++) {
      for (int64_t j = 0; j < b && column + j < call.integer[1]; j++) {
        arrayOf<float>(call, 3)[(row + i) * call.integer[1] + column + j] =
            arrayOf<const float>(call, 0)[unit * b * b + i * b + j];
      }
    }
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
