// Floats of any format as the kernels of this folder read and write them, one at a time.
#pragma once

#include "core/math.h"
#include "core/tree.h"
#include "kernels/kernel.h"

namespace fettle {
namespace FETTLE_TIER {

FETTLE_FN float valueAt(const fettle_call& call, int slot, int64_t index) {
  if (call.dtype[slot] == FETTLE_F32) return arrayOf<const float>(call, slot)[index];
  const uint16_t code = arrayOf<const uint16_t>(call, slot)[index];
  return call.dtype[slot] == FETTLE_BF16 ? Bf16::decode(code) : F16::decode(code);
}

FETTLE_FN void putValue(const fettle_call& call, int slot, int64_t index, float value) {
  if (call.dtype[slot] == FETTLE_F32) {
    arrayOf<float>(call, slot)[index] = value;
  } else {
    arrayOf<uint16_t>(call, slot)[index] =
        call.dtype[slot] == FETTLE_BF16 ? Bf16::nearest(value) : F16::nearest(value);
  }
}

FETTLE_FN double choose(bool condition, double yes, double no) { return condition ? yes : no; }

// The elements of a unit: a chunk of a row, where a row starts the chunks anew.
struct RowSpan {
  int64_t row, first, last;
};

FETTLE_FN RowSpan rowSpan(int64_t rowLength, int64_t unit) {
  const int64_t perRow = unitsOf(rowLength, FETTLE_CHUNK);
  const int64_t row = unit / perRow;
  const int64_t first = row * rowLength + (unit - row * perRow) * FETTLE_CHUNK;
  return {row, first, smaller(first + FETTLE_CHUNK, (row + 1) * rowLength)};
}

}  // namespace FETTLE_TIER
}  // namespace fettle
