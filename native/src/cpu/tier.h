// What one CPU tier offers to the baseline code: a table of functions, one table per instruction set.
#pragma once

#include "fettle/plan.h"

namespace fettle {

struct TierTable {
  int rules;
  // The serial parts of a step, in order; prepare answers FETTLE_NON_FINITE where the policy stops the step.
  void (*begin)(fettle_plan* plan);
  int32_t (*prepare)(fettle_plan* plan);
  void (*combine)(fettle_plan* plan, int gather);
  // Chunks first .. last - 1 of a phase; gather numbers the gathers of FETTLE_PHASE_GATHER.
  void (*run)(fettle_plan* plan, int phase, int gather, int64_t first, int64_t last);
};

extern const TierTable table_v3;
extern const TierTable table_v4;

}  // namespace fettle
