// Codes of less than 8 bits, packed. Twin: org.fettle.internal.kernels.FieldKernels.
#pragma once

#include "kernels/kernel.h"

namespace fettle {
namespace FETTLE_TIER {

// Elements of a unit: a multiple of what fills whole bytes in every width.
constexpr int64_t fieldsOfUnit = 4096;

// array 0: a code per byte; 1: packed bytes, ceil(elements * bits / 8). integers: 0 elements, 1 bits (1, 2, 4 or 6), 2 whether the
// first element goes to the high bits (not with 6), 3 whether the codes are signed (unpacking), 4 the code behind the last element
// of the last byte. Six bits are a little-endian stream. A unit is 4,096 elements.
struct FieldsPack {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const int64_t elements = call.integer[0];
    const int bits = int(call.integer[1]);
    const uint32_t mask = (1u << bits) - 1u;
    const int64_t first = unit * fieldsOfUnit, last = smaller(first + fieldsOfUnit, elements);
    const uint8_t* codes = arrayOf<const uint8_t>(call, 0);
    uint8_t* packed = arrayOf<uint8_t>(call, 1);
    const uint32_t filler = uint32_t(call.integer[4]) & mask;
    if (bits == 6) {
      int64_t at = first / 4 * 3;
      for (int64_t i = first; i < last; i += 4) {
        uint32_t word = 0;
        for (int k = 0; k < 4; k++) word |= (i + k < last ? codes[i + k] & mask : filler) << (6 * k);
        const int64_t count = last - i >= 4 ? 3 : ((last - i) * 6 + 7) / 8;
        for (int64_t k = 0; k < count; k++) packed[at++] = uint8_t(word >> (8 * k));
      }
      return;
    }
    const int perByte = 8 / bits;
    int64_t at = first / perByte;
    for (int64_t i = first; i < last; i += perByte) {
      uint32_t byte = 0;
      for (int k = 0; k < perByte; k++) {
        const int shift = call.integer[2] != 0 ? 8 - bits - bits * k : bits * k;
        byte |= (i + k < last ? codes[i + k] & mask : filler) << shift;
      }
      packed[at++] = uint8_t(byte);
    }
  }
};

struct FieldsUnpack {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const int64_t elements = call.integer[0];
    const int bits = int(call.integer[1]);
    const uint32_t mask = (1u << bits) - 1u;
    const uint32_t sign = call.integer[3] != 0 ? 1u << (bits - 1) : 0u;
    const int64_t first = unit * fieldsOfUnit, last = smaller(first + fieldsOfUnit, elements);
    uint8_t* codes = arrayOf<uint8_t>(call, 0);
    const uint8_t* packed = arrayOf<const uint8_t>(call, 1);
    for (int64_t i = first; i < last; i++) {
      uint32_t field;
      if (bits == 6) {
        const int64_t bit = i * 6;
        const int offset = int(bit & 7);
        field = uint32_t(packed[bit >> 3]) >> offset;
        if (offset > 2) field |= uint32_t(packed[(bit >> 3) + 1]) << (8 - offset);
      } else {
        const int perByte = 8 / bits;
        const int k = int(i % perByte);
        field = uint32_t(packed[i / perByte]) >> (call.integer[2] != 0 ? 8 - bits - bits * k : bits * k);
      }
      codes[i] = uint8_t(((field & mask) ^ sign) - sign);
    }
  }
};

// One bit per element of a row: 1 unless the element is below 0, so 0, -0 and NaN count as +1; element k in bit k mod 64 of word
// k div 64, the bits behind the row 0. array 0: F32 or I8 values; 1: I64 words, rows x ceil(columns / 64). integers: 0 columns.
// A unit is a row.
struct SignsPack {
  FETTLE_FN void unit(const fettle_call& call, int64_t row) {
    const int64_t columns = call.integer[0], words = unitsOf(columns, 64);
    for (int64_t w = 0; w < words; w++) {
      const int64_t first = row * columns + w * 64;
      const int count = int(smaller(64, columns - w * 64));
      uint64_t word = 0;
      if (call.dtype[0] == FETTLE_I8) {
        for (int k = 0; k < count; k++) word |= uint64_t(arrayOf<const int8_t>(call, 0)[first + k] >= 0) << k;
      } else {
        for (int k = 0; k < count; k++) word |= uint64_t(!(arrayOf<const float>(call, 0)[first + k] < 0.0f)) << k;
      }
      arrayOf<uint64_t>(call, 1)[row * words + w] = word;
    }
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
