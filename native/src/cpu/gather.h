// The loops of a rule's gathers over a stretch of a tensor.
#pragma once

#include "cpu/reduce.h"
#include "cpu/tile.h"

namespace fettle {
namespace FETTLE_TIER {

// Elements that a gather of every array is ahead of itself.
constexpr int64_t gatherAhead = 512;

// Has element i of an array come to the nearest cache; it may lie behind the end.
FETTLE_FN void fetch(const Array& array, int64_t i) {
  _mm_prefetch(array.data + i * (array.dtype == FETTLE_F32 ? 4 : 2), _MM_HINT_T0);
}

// Adds what gather k makes of a tile to the lanes of each sum; the tile's first element belongs to lane 0. A plain tile
// has neither a mask nor a prologue.
template <class R, int k, int64_t pFormat, int64_t gFormat, int64_t stateFormat, bool plain>
static void gatherVectors(const float* coefficients, const Prologue& givenPrologue, const Tile& givenTile,
                          Lanes* lanes) {
  typename R::Coefficients c;
  memcpy(&c, coefficients, sizeof c);
  // Copies, so that no store can be thought to change them.
  const Prologue prologue = givenPrologue;
  const Tile tile = givenTile;
  const auto terms = [&](int64_t i, Vector p, Vector g, Vector* state) FETTLE_LAMBDA {
    if (!plain && tile.hides()) {
      p = masked(p, tile.kept(i));
      g = masked(g, tile.kept(i));
      for (int j = 0; j < R::states; j++) state[j] = masked(state[j], tile.kept(i));
    }
    Terms<Vector> of;
    R::gather(k, c, p, plain ? g : prologue.apply(g), state, of);
    return of;
  };
  const auto termsAt = [&](int64_t i) FETTLE_LAMBDA {
    if (plain && R::readsAll(k)) {
      fetch(tile.p, i + gatherAhead);
      fetch(tile.g, i + gatherAhead);
      for (int j = 0; j < R::states; j++) fetch(tile.state[j], i + gatherAhead);
    }
    Vector state[R::states + 1];
    for (int j = 0; j < R::states; j++) state[j] = loadFrom<stateFormat>(tile.state[j], i);
    return terms(i, loadFrom<pFormat>(tile.p, i), loadFrom<gFormat>(tile.g, i), state);
  };
  int64_t i = 0;
  if (plain) {
    i = tile.n / reductionLanes * reductionLanes;
    accumulateTerms<R::sums, R::maximum>(lanes, i, termsAt);
  }
  for (; i + Vector::lanes <= tile.n; i += Vector::lanes) {
    const Terms<Vector> of = termsAt(i);
    for (int j = 0; j < R::sums; j++) {
      addTerm<R::maximum>(lanes[j], int(i & (reductionLanes - 1)), of.a[j], of.b[j]);
    }
  }
  if (i == tile.n) return;
  const int count = int(tile.n - i);
  Vector state[R::states + 1];
  for (int j = 0; j < R::states; j++) state[j] = loadPart(tile.state[j], i, count);
  const Terms<Vector> of = terms(i, loadPart(tile.p, i, count), loadPart(tile.g, i, count), state);
  for (int j = 0; j < R::sums; j++) {
    addTerm<R::maximum>(lanes[j], int(i & (reductionLanes - 1)), firstOf(of.a[j], count), firstOf(of.b[j], count));
  }
}

// For these formats, a loop of their own.
template <class R, int k, int64_t pFormat, int64_t gFormat>
static bool gatherKnown(const float* coefficients, const Prologue& prologue, const Tile& tile, Lanes* lanes) {
  if (tile.hides() || tile.transforms || !tile.has(pFormat, gFormat, FETTLE_F32, R::states)) return false;
  gatherVectors<R, k, pFormat, gFormat, FETTLE_F32, true>(coefficients, prologue, tile, lanes);
  return true;
}

// Gather `number`, which is k or a later one: each has loops of its own, without what it does not read.
template <class R, int k = 0>
static void gatherTile(int number, const float* coefficients, const Prologue& prologue, const Tile& tile,
                       Lanes* lanes) {
  if constexpr (k < R::gathers) {
    if (number != k) return gatherTile<R, k + 1>(number, coefficients, prologue, tile, lanes);
    if (gatherKnown<R, k, FETTLE_F32, FETTLE_F32>(coefficients, prologue, tile, lanes)) return;
    if (gatherKnown<R, k, FETTLE_F32, FETTLE_BF16>(coefficients, prologue, tile, lanes)) return;
    if (gatherKnown<R, k, FETTLE_BF16, FETTLE_BF16>(coefficients, prologue, tile, lanes)) return;
    gatherVectors<R, k, anyFormat, anyFormat, anyFormat, false>(coefficients, prologue, tile, lanes);
  }
}

}  // namespace FETTLE_TIER
}  // namespace fettle
