// An array of an elementwise primitive as it is stored: an f32 array is worked on where it lies; any other passes through a tile of
// padded scratch.
#pragma once

#include "core/compensated.h"
#include "cpu/block_codec.h"
#include "cpu/codec.h"

namespace fettle {
namespace FETTLE_TIER {

FETTLE_FN Array highArray(const fettle_operand& operand, int64_t first) {
  return {static_cast<char*>(operand.data) + first * 2, FETTLE_BF16};
}

FETTLE_FN Array lowArray(const fettle_operand& operand, int64_t first) {
  return {static_cast<char*>(operand.scales) + first * 2, FETTLE_BF16};
}

static void decodeCompensated(const fettle_operand& from, int64_t first, int n, float* to) {
  const Array high = highArray(from, first);
  const Array low = lowArray(from, first);
  int i = 0;
  for (; i + Vector::lanes <= n; i += Vector::lanes) {
    (loadFrom<FETTLE_BF16>(high, i) + loadFrom<FETTLE_BF16>(low, i)).store(to + i);
  }
  if (i < n) (loadPart(high, i, n - i) + loadPart(low, i, n - i)).store(to + i);
}

static void encodeCompensated(const fettle_operand& to, int64_t first, int n, const float* from) {
  const Array high = highArray(to, first);
  const Array low = lowArray(to, first);
  int i = 0;
  for (; i + Vector::lanes <= n; i += Vector::lanes) {
    const Vector x = Vector::load(from + i);
    storeTo<FETTLE_BF16>(high, i, x);
    storeTo<FETTLE_BF16>(low, i, leftBeside(toBf16(x), x));
  }
  if (i < n) {
    const Vector x = Vector::loadPart(from + i, n - i);
    storePart(high, i, n - i, x);
    storePart(low, i, n - i, leftBeside(toBf16(x), x));
  }
}

// An array's floats first .. first + n - 1: the memory itself, or a decoded tile.
static const float* loadStored(const fettle_item& item, const fettle_operand& from, int64_t first, int n,
                               float* scratch) {
  if (from.dtype == FETTLE_F32) return static_cast<const float*>(from.data) + first;
  if (isBlocked(from)) {
    decodeBlocks({1, item.elements}, from, first, n, scratch);
  } else if (isCompensated(from)) {
    decodeCompensated(from, first, n, scratch);
  } else {
    decodeTile(arrayAt(from, first), n, scratch);
  }
  return scratch;
}

// Completes an array whose floats were put into scratch. Whole blocks, but for the last.
static void storeStored(const fettle_item& item, const fettle_operand& to, int64_t first, int n, const float* values) {
  if (to.dtype == FETTLE_F32) return;
  if (isBlocked(to)) {
    encodeBlocks({1, item.elements}, to, first, n, values);
  } else if (isCompensated(to)) {
    encodeCompensated(to, first, n, values);
  } else {
    encodeTile(arrayAt(to, first), n, values);
  }
}

// Elements of a tile, at least `least`: whole blocks of every array that is written.
FETTLE_FN int tileOf(const fettle_operand* written, int count, int least) {
  int64_t elements = least;
  for (int k = 0; k < count; k++) {
    if (isBlocked(written[k]) && written[k].block_size > elements) elements = written[k].block_size;
  }
  return int(elements);
}

}  // namespace FETTLE_TIER
}  // namespace fettle
