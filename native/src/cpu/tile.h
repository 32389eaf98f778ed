// A stretch of a tensor on the CPU, and the loops of a rule's update over it.
#pragma once

#include "core/prologue.h"
#include "core/rule_calls.h"
#include "cpu/codec.h"
#include "cpu/pieces.h"

namespace fettle {
namespace FETTLE_TIER {

// The arrays of a stretch of elements, and what is done to them. What is not there is null.
struct Tile {
  Array p;
  Array g;
  Array state[FETTLE_MAX_STATES];
  Array average[FETTLE_MAX_AVERAGES];  // those that move
  Array copy;
  const uint8_t* mask;
  int firstBit;  // of the mask's first byte
  int64_t maskedStates;
  float averageKeep[FETTLE_MAX_AVERAGES];
  float averageTake[FETTLE_MAX_AVERAGES];
  bool pulls[FETTLE_MAX_AVERAGES];  // the parameter becomes the average
  int averages;                     // one behind the last that moves
  bool transforms;                  // whether the prologue does anything
  int64_t n;

  FETTLE_INLINE bool has(int64_t pFormat, int64_t gFormat, int64_t stateFormat, int states) const {
    bool all = p.dtype == pFormat && g.dtype == gFormat;
    for (int k = 0; k < states; k++) all = all && state[k].dtype == stateFormat;
    return all;
  }

  // Whether what the mask prunes is hidden from the rule.
  FETTLE_INLINE bool hides() const { return mask != nullptr && maskedStates != FETTLE_MASKED_UPDATE; }
  // Which of the lanes from element i on the mask keeps; nothing behind element n - 1 is read.
  FETTLE_INLINE Mask kept(int64_t i) const { return keptLanes(mask + i / 8, firstBit, n - i); }
  // The same where n is a multiple of the lanes: without a call in its loop, constants stay in registers.
  FETTLE_INLINE Mask keptWhole(int64_t i) const { return keptLanes(mask + i / 8, firstBit); }
  // Whether nothing but the rule is done.
  FETTLE_INLINE bool isBare() const { return mask == nullptr && averages == 0 && copy.data == nullptr && !transforms; }
};

// What a step leaves of the states from element i on where the mask prunes. Called before anything is stored.
template <class R, int64_t stateFormat>
FETTLE_FN void maskStates(const Tile& tile, int64_t i, Mask kept, Vector* state) {
  for (int k = 0; k < R::states; k++) {
    if (tile.maskedStates == FETTLE_MASKED_FREEZE) {
      state[k] = select(kept, state[k], loadFrom<stateFormat>(tile.state[k], i));
    } else {
      state[k] = masked(state[k], kept);
    }
  }
}

// The whole pipeline, a vector at a time from memory to memory: n is a multiple of Vector::lanes. Each vector of every
// array but the averages is loaded before the first store. pFormat, gFormat and stateFormat are formats or anyFormat; a bare tile has
// nothing but the rule to go through.
template <class R, int64_t pFormat, int64_t gFormat, int64_t stateFormat, bool bare>
static void updateVectors(const float* coefficients, const Prologue& givenPrologue, const Tile& givenTile) {
  typename R::Coefficients c;
  memcpy(&c, coefficients, sizeof c);
  // Copies, so that no store can be thought to change them.
  const Prologue prologue = givenPrologue;
  const Tile tile = givenTile;
  const bool masks = !bare && tile.mask != nullptr;
  const bool hides = !bare && tile.hides();
  const int averages = bare ? 0 : tile.averages;
  for (int64_t i = 0; i < tile.n; i += Vector::lanes) {
    Vector p = loadFrom<pFormat>(tile.p, i);
    Vector g = loadFrom<gFormat>(tile.g, i);
    Vector state[R::states + 1];
    for (int k = 0; k < R::states; k++) state[k] = loadFrom<stateFormat>(tile.state[k], i);
    if (hides) {
      p = masked(p, tile.keptWhole(i));
      g = masked(g, tile.keptWhole(i));
    }
    if (!bare && tile.transforms) g = prologue.apply(g);
    R::update(c, p, g, state);
    if (masks) p = masked(p, tile.keptWhole(i));
    if (hides) maskStates<R, stateFormat>(tile, i, tile.keptWhole(i), state);
    for (int k = 0; k < averages; k++) {
      if (tile.average[k].data == nullptr) continue;
      const Vector before = loadFrom<anyFormat>(tile.average[k], i);
      const Vector average = movingAverage(before, p, Vector(tile.averageKeep[k]), Vector(tile.averageTake[k]));
      storeTo<anyFormat>(tile.average[k], i, average);
      if (tile.pulls[k]) p = masks ? masked(average, tile.keptWhole(i)) : average;
    }
    if (!bare && tile.copy.data != nullptr) storeTo<anyFormat>(tile.copy, i, p);
    storeTo<pFormat>(tile.p, i, p);
    for (int k = 0; k < R::states; k++) storeTo<stateFormat>(tile.state[k], i, state[k]);
  }
}

// For these formats, loops of their own with and without what may come before and after a rule.
template <class R, int64_t pFormat, int64_t gFormat>
static bool updateKnown(const float* coefficients, const Prologue& prologue, const Tile& tile) {
  if (!tile.has(pFormat, gFormat, FETTLE_F32, R::states)) return false;
  if (tile.isBare()) {
    updateVectors<R, pFormat, gFormat, FETTLE_F32, true>(coefficients, prologue, tile);
  } else {
    updateVectors<R, pFormat, gFormat, FETTLE_F32, false>(coefficients, prologue, tile);
  }
  return true;
}

// A switch per array and vector would cost half as much again as the rule, so the most usual formats have none.
template <class R>
static void updateTile(const float* coefficients, const Prologue& prologue, const Tile& tile) {
  if (updateKnown<R, FETTLE_F32, FETTLE_F32>(coefficients, prologue, tile)) return;
  if (updateKnown<R, FETTLE_F32, FETTLE_BF16>(coefficients, prologue, tile)) return;
  if (updateKnown<R, FETTLE_BF16, FETTLE_BF16>(coefficients, prologue, tile)) return;
  updateVectors<R, anyFormat, anyFormat, anyFormat, false>(coefficients, prologue, tile);
}

}  // namespace FETTLE_TIER
}  // namespace fettle
