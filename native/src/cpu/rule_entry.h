// A rule's serial functions and loops, by which the driver calls it.
#pragma once

#include "core/rule_calls.h"
#include "cpu/gather.h"
#include "cpu/linear_tile.h"
#include "cpu/tile.h"

namespace fettle {
namespace FETTLE_TIER {

// A rule as the driver sees it. Formats and epilogues are switches that a loop of any rule has, so they add and do not
// multiply.
struct RuleEntry {
  int states;
  int gathers;
  int sums;
  bool maximum;
  bool rowwise;
  void (*prepare)(const StepContext&, float*);
  void (*combine)(int, const StepContext&, const double*, float*);
  double (*score)(const StepContext&, const double*);
  void (*row)(int, const StepContext&, const float*, const Row&);
  void (*enterRow)(const float*, float*);
  void (*gather)(int, const float*, const Prologue&, const Tile&, Lanes*);
  void (*update)(const float*, const Prologue&, const Tile&);
  void (*updateLinear)(const float*, const Tile&, const LinearState*, int64_t);
};

template <class R>
constexpr RuleEntry entryOf() {
  return {R::states,   R::gathers,    R::sums,       R::maximum,    R::rowwise,    prepareRule<R>, combineRule<R>,
          scoreRow<R>, combineRow<R>, enterRow<R>,   gatherTile<R>, updateTile<R>, updateLinear<R>};
}

}  // namespace FETTLE_TIER
}  // namespace fettle
