// The sum of a row's terms in the fixed order: 128 lanes within a chunk of 4,096, a halving tree over the lanes, the chunks one
// after another. Twin of org.fettle.internal.kernels.RowSum.
#pragma once

#include "core/tree.h"
#include "fettle/plan.h"

namespace fettle {
namespace FETTLE_TIER {

struct RowSum {
  double lanes[reductionLanes];  // those that an element of this chunk has reached
  double total = 0.0;
  int used = 0;  // elements of this chunk

  FETTLE_INLINE void add(double term) {
    const int lane = used & (reductionLanes - 1);
    lanes[lane] = (used < reductionLanes ? 0.0 : lanes[lane]) + term;
    if (++used == FETTLE_CHUNK) closeChunk();
  }

  FETTLE_INLINE void closeChunk() {
    total += treeSum(lanes, used < reductionLanes ? used : reductionLanes);
    used = 0;
  }

  FETTLE_INLINE double finish() {
    if (used > 0) closeChunk();
    return total;
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
