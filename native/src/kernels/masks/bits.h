// Bit masks: element i is bit i mod 8 of byte i div 8; the bits behind the last element are 0. The Java twin is
// org.fettle.internal.kernels.MaskKernels.
#pragma once

#include "kernels/kernel.h"

namespace fettle {
namespace FETTLE_TIER {

constexpr int64_t maskUnit = 65536;

// The bits of byte `at` that stand for elements.
FETTLE_FN unsigned validBits(int64_t at, int64_t elements) {
  const int64_t left = elements - 8 * at;
  return left >= 8 ? 0xFFu : (1u << left) - 1u;
}

FETTLE_FN int64_t popCount(unsigned byte) {
  unsigned pairs = byte - (byte >> 1 & 0x55u);
  pairs = (pairs & 0x33u) + (pairs >> 2 & 0x33u);
  return int64_t((pairs + (pairs >> 4)) & 0x0Fu);
}

// How many bits are 1. A unit is 65,536 elements. array 0: BIT; array 1: I64, two counts per unit: of elements, and of
// bits behind the last element. integer 0: elements.
struct MaskCount {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const int64_t elements = call.integer[0];
    const uint8_t* mask = arrayOf<const uint8_t>(call, 0);
    int64_t count = 0;
    int64_t behind = 0;
    const int64_t last = smaller((unit + 1) * maskUnit / 8, unitsOf(elements, 8));
    for (int64_t at = unit * maskUnit / 8; at < last; at++) {
      const unsigned valid = validBits(at, elements);
      count += popCount(mask[at] & valid);
      behind += popCount(mask[at] & (0xFFu ^ valid));
    }
    arrayOf<int64_t>(call, 1)[2 * unit] = count;
    arrayOf<int64_t>(call, 1)[2 * unit + 1] = behind;
  }
};

enum MaskOperation { maskAnd = 0, maskOr = 1, maskAndNot = 2, maskXor = 3, maskNot = 4, maskOnes = 5, maskZeros = 6 };

FETTLE_FN unsigned combined(int64_t operation, unsigned a, unsigned b) {
  switch (operation) {
    case maskAnd:
      return a & b;
    case maskOr:
      return a | b;
    case maskAndNot:
      return a & ~b;
    case maskXor:
      return a ^ b;
    case maskNot:
      return ~a;
    case maskOnes:
      return 0xFFu;
    default:
      return 0;
  }
}

// Two masks to a third, which may be one of them. A unit is 65,536 elements. arrays 0, 1: BIT, or null where the
// operation has no need of them; array 2: BIT. integer 0: elements; integer 1: MaskOperation.
struct MaskCombine {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const int64_t elements = call.integer[0];
    const uint8_t* a = arrayOf<const uint8_t>(call, 0);
    const uint8_t* b = arrayOf<const uint8_t>(call, 1);
    uint8_t* out = arrayOf<uint8_t>(call, 2);
    const int64_t last = smaller((unit + 1) * maskUnit / 8, unitsOf(elements, 8));
    for (int64_t at = unit * maskUnit / 8; at < last; at++) {
      const unsigned bits = combined(call.integer[1], a == nullptr ? 0 : a[at], b == nullptr ? 0 : b[at]);
      out[at] = uint8_t(bits & validBits(at, elements));
    }
  }
};

constexpr int64_t packUnit = 4096;

// Where a unit of a line stands: a line is a whole mask, or a row that starts at a byte of its own.
struct PackPlace {
  int64_t line;
  int64_t first;  // elements of the line
  int64_t last;
};

FETTLE_FN PackPlace packPlaceOf(const fettle_call& call, int64_t unit) {
  const int64_t columns = call.integer[0];
  const int64_t perLine = unitsOf(columns, packUnit);
  const int64_t first = unit % perLine * packUnit;
  return {unit / perLine, first, smaller(first + packUnit, columns)};
}

// Bytes of 0 and 1 to bits. A unit is 4,096 elements of a line. array 0: U8; array 1: bytes of bits; array 2: I64, how
// many elements of each unit are neither 0 nor 1. integers 0, 1: elements and bytes of a line; what is left of its bytes is 0.
struct MaskPack {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const PackPlace place = packPlaceOf(call, unit);
    const int64_t columns = call.integer[0];
    const int64_t lineBytes = call.integer[1];
    const uint8_t* flags = arrayOf<const uint8_t>(call, 0) + place.line * columns;
    uint8_t* bits = arrayOf<uint8_t>(call, 1) + place.line * lineBytes;
    int64_t wrong = 0;
    for (int64_t i = place.first; i < place.last; i += 8) {
      unsigned byte = 0;
      for (int64_t j = i; j < smaller(i + 8, place.last); j++) {
        wrong += flags[j] > 1 ? 1 : 0;
        byte |= unsigned(flags[j] & 1) << (j - i);
      }
      bits[i / 8] = uint8_t(byte);
    }
    if (place.last == columns) {
      for (int64_t at = unitsOf(columns, 8); at < lineBytes; at++) bits[at] = 0;
    }
    arrayOf<int64_t>(call, 2)[unit] = wrong;
  }
};

// Bits to bytes of 0 and 1. A unit is 4,096 elements of a line. array 0: bytes of bits; array 1: U8.
// integers 0, 1: elements and bytes of a line.
struct MaskUnpack {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const PackPlace place = packPlaceOf(call, unit);
    const uint8_t* bits = arrayOf<const uint8_t>(call, 0) + place.line * call.integer[1];
    uint8_t* flags = arrayOf<uint8_t>(call, 1) + place.line * call.integer[0];
    for (int64_t i = place.first; i < place.last; i++) flags[i] = uint8_t(bits[i / 8] >> (i % 8) & 1);
  }
};

// The bits of structures to the elements that belong to them. Elements are [rows, columns] and fall into tiles of
// rowSize x columnSize (the last ones smaller), `across` of them side by side; each has one bit. A unit is 4,096 elements.
// array 0: BIT, one per tile; array 1: BIT, one per element. integers 0 .. 4: rows, columns, rowSize, columnSize, across.
struct MaskSpread {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const int64_t columns = call.integer[1];
    const int64_t columnSize = call.integer[3];
    const uint8_t* kept = arrayOf<const uint8_t>(call, 0);
    uint8_t* out = arrayOf<uint8_t>(call, 1);
    const int64_t first = unit * packUnit;
    const int64_t last = smaller(first + packUnit, call.integer[0] * columns);
    int64_t row = first / columns;
    int64_t column = first % columns;
    int64_t tile = row / call.integer[2] * call.integer[4] + column / columnSize;
    int64_t left = smaller(columnSize - column % columnSize, columns - column);
    for (int64_t i = first; i < last; i += 8) {
      unsigned byte = 0;
      for (int64_t j = i; j < smaller(i + 8, last); j++) {
        byte |= unsigned(kept[tile / 8] >> (tile % 8) & 1) << (j - i);
        column++;
        if (--left > 0) continue;
        if (column == columns) {
          column = 0;
          row++;
        }
        tile = row / call.integer[2] * call.integer[4] + column / columnSize;
        left = smaller(columnSize, columns - column);
      }
      out[i / 8] = uint8_t(byte);
    }
  }
};

template <class Word>
FETTLE_FN void applyBits(const fettle_call& call, int64_t unit) {
  const Word* x = arrayOf<const Word>(call, 0);
  const uint8_t* mask = arrayOf<const uint8_t>(call, 1);
  Word* out = arrayOf<Word>(call, 2);
  const int64_t last = smaller((unit + 1) * packUnit, call.integer[0]);
  for (int64_t i = unit * packUnit; i < last; i++) {
    // All ones or all zeros; a product would keep a NaN.
    const Word keep = Word(0 - Word(mask[i / 8] >> (i % 8) & 1));
    out[i] = Word(x[i] & keep);
  }
}

// Values where the mask is 1, else +0, whatever they are. A unit is 4,096 elements. array 0: values of 8, 16 or 32 bits;
// array 1: BIT; array 2: as array 0, and may be it. integer 0: elements; integer 1: bytes of one.
struct MaskApply {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    if (call.integer[1] == 4) {
      applyBits<uint32_t>(call, unit);
    } else if (call.integer[1] == 2) {
      applyBits<uint16_t>(call, unit);
    } else {
      applyBits<uint8_t>(call, unit);
    }
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
