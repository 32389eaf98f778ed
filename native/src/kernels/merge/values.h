// What the kernels of this folder share.
#pragma once

#include "core/math.h"
#include "core/tree.h"
#include "kernels/kernel.h"

namespace fettle {
namespace FETTLE_TIER {

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
