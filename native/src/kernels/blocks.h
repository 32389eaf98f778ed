// Blocks of codes with one float each, apart from a step. The Java twin is org.fettle.internal.kernels.BlockKernels.
#pragma once

#include "core/blocks.h"
#include "kernels/kernel.h"

namespace fettle {
namespace FETTLE_TIER {

// A block of a call: array 0 has the values, array 1 the codes, array 2 the scales, integer 0 elements of a block.
struct CallBlock {
  int64_t first;
  int64_t n;
  bool whole;

  FETTLE_FN CallBlock of(const fettle_call& call, int64_t block) {
    const int64_t size = call.integer[0];
    const int64_t first = block * size;
    const int64_t n = smaller(size, call.elements[0] - first);
    return {first, n, n == size};
  }

  FETTLE_INLINE float largest(const float* x) const {
    float result = 0.0f;
    for (int64_t i = 0; i < n; i++) result = larger(absolute(x[first + i]), result);
    return result;
  }
};

// Codes of 8 bits, or two of 4 bits with the even element in the high nibble; the code of a missing odd one is written, too.
FETTLE_FN void putCode(uint8_t* codes, int64_t bits, int64_t element, int code) {
  if (bits == 8) {
    codes[element] = uint8_t(code);
  } else if (element % 2 == 0) {
    codes[element / 2] = uint8_t(code << 4);
  } else {
    codes[element / 2] = uint8_t(codes[element / 2] | code);
  }
}

FETTLE_FN int codeAt(const uint8_t* codes, int64_t bits, int64_t element) {
  if (bits == 8) return codes[element];
  return codes[element / 2] >> (element % 2 == 0 ? 4 : 0) & 15;
}

// A book's values in ascending order (array 3) and which code each has (array 4). integer 1: how many; integer 2: bits of a
// stored code; integer 3: 0 bitsandbytes (whole blocks multiply by the reciprocal of the largest, a value on a midpoint
// takes the lower one), 1 pytorch/ao (division; upper).
struct Book {
  const float* values;
  const uint8_t* codes;
  int count;
  bool upper;

  FETTLE_FN Book of(const fettle_call& call) {
    return {arrayOf<const float>(call, 3), arrayOf<const uint8_t>(call, 4), int(call.integer[1]), call.integer[3] != 0};
  }

  // By halving: the books that a step uses have arithmetic of their own (core/blocks.h).
  FETTLE_INLINE int codeOf(float x) const {
    int low = 0;
    int high = count - 1;
    while (low < high) {
      const int middle = (low + high) / 2;
      if (above(middle, x)) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return codes[low];
  }

 private:
  // Whether x goes to a value behind that of the index.
  FETTLE_INLINE bool above(int index, float x) const {
    const float lower = values[index];
    const float next = values[index + 1];
    return upper ? x - lower >= (next - lower) * 0.5f : x > (lower + next) * 0.5f;
  }
};

// A unit is a block.
struct CodeBookEncode {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const CallBlock block = CallBlock::of(call, unit);
    const Book book = Book::of(call);
    const float* x = arrayOf<const float>(call, 0);
    uint8_t* codes = arrayOf<uint8_t>(call, 1);
    const int64_t bits = call.integer[2];
    const float largest = block.largest(x);
    const bool finite = isFinite(bitsOf(largest));
    const BlockScale by =
        book.upper ? QuotientScale::scaleOf(largest, block.whole) : ReciprocalScale::scaleOf(largest, block.whole);
    const int zero = book.codeOf(0.0f);
    for (int64_t i = block.first; i < block.first + block.n; i++) {
      putCode(codes, bits, i, finite ? book.codeOf(by.divides ? x[i] / by.factor : x[i] * by.factor) : zero);
    }
    if (bits == 4 && block.n % 2 != 0) putCode(codes, bits, block.first + block.n, zero);
    arrayOf<float>(call, 2)[unit] = finite ? by.stored : __builtin_nanf("");
  }
};

// The values of the codes times the scales, into array 0. A code without a value is NaN.
struct CodeBookDecode {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const CallBlock block = CallBlock::of(call, unit);
    const float scale = arrayOf<const float>(call, 2)[unit];
    const float* values = arrayOf<const float>(call, 3);
    for (int64_t i = block.first; i < block.first + block.n; i++) {
      const int code = codeAt(arrayOf<const uint8_t>(call, 1), call.integer[2], i);
      const float value = code < call.integer[1] ? values[code] : __builtin_nanf("");
      arrayOf<float>(call, 0)[i] = value * scale;
    }
  }
};

// A format of core/blocks.h, whose number is integer 1; a unit is a block.
struct BlockEncode {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const CallBlock block = CallBlock::of(call, unit);
    const float* x = arrayOf<const float>(call, 0);
    uint8_t* codes = arrayOf<uint8_t>(call, 1);
    const int64_t bits = bitsOfCode(call.integer[1]);
    const float largest = block.largest(x);
    const bool finite = isFinite(bitsOf(largest));
    withCodec(call.integer[1], [&](auto codec) {
      using Codec = decltype(codec);
      const BlockScale by = Codec::scaleOf(largest, block.whole);
      for (int64_t i = block.first; i < block.first + block.n; i++) {
        const float scaled = by.divides ? x[i] / by.factor : x[i] * by.factor;
        putCode(codes, bits, i, int(Codec::encode(finite ? scaled : 0.0f)));
      }
      if (bits == 4 && block.n % 2 != 0) putCode(codes, bits, block.first + block.n, int(Codec::encode(0.0f)));
      arrayOf<float>(call, 2)[unit] = finite ? by.stored : __builtin_nanf("");
    });
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
