// The C ABI of the CPU step: chooses the tier, guards the floating-point environment, shares out chunks.
#include "cpu/tier.h"
#include "environment.h"
#include "fettle/fettle.h"

namespace {

using fettle::Environment;
using fettle::TierTable;

const TierTable* tableOf(int32_t tier) {
  const int64_t offered = fettle_cpu_tiers();
  if (tier == FETTLE_CPU_V4 && (offered & FETTLE_CPU_V4) != 0) return &fettle::table_v4;
  if (tier == FETTLE_CPU_V3 && (offered & FETTLE_CPU_V3) != 0) return &fettle::table_v3;
  return nullptr;
}

// The checks that keep a wrong table from being read at all.
int32_t check(const fettle_plan* plan, int32_t tier) {
  if (plan == nullptr || plan->size != int64_t(sizeof(fettle_plan))) return FETTLE_INVALID_ARGUMENT;
  const TierTable* table = tableOf(tier);
  if (table == nullptr) return FETTLE_UNAVAILABLE;
  for (int64_t i = 0; i < plan->group_count; i++) {
    const int64_t rule = plan->groups[i].rule;
    if (rule < 0 || rule >= table->rules) return FETTLE_INVALID_ARGUMENT;
  }
  return FETTLE_OK;
}

void runAll(fettle_plan* plan, const TierTable* table, int phase, int gather) {
  table->run(plan, phase, gather, 0, plan->chunk_count);
}

}  // namespace

extern "C" {

int32_t fettle_cpu_begin(fettle_plan* plan, int32_t tier) {
  const Environment environment;
  const int32_t status = check(plan, tier);
  if (status == FETTLE_OK) tableOf(tier)->begin(plan);
  return status;
}

int32_t fettle_cpu_prepare(fettle_plan* plan, int32_t tier) {
  const Environment environment;
  const TierTable* table = tableOf(tier);
  return table == nullptr ? FETTLE_UNAVAILABLE : table->prepare(plan);
}

int32_t fettle_cpu_combine(fettle_plan* plan, int32_t tier, int32_t gather) {
  const Environment environment;
  const TierTable* table = tableOf(tier);
  if (table == nullptr) return FETTLE_UNAVAILABLE;
  table->combine(plan, gather);
  return FETTLE_OK;
}

int32_t fettle_cpu_run(fettle_plan* plan, int32_t tier, int32_t phase, int32_t gather) {
  const Environment environment;
  const TierTable* table = tableOf(tier);
  if (table == nullptr) return FETTLE_UNAVAILABLE;
  while (true) {
    const int64_t first = __atomic_fetch_add(&plan->cursor, plan->range_chunks, __ATOMIC_RELAXED);
    if (first >= plan->chunk_count) return FETTLE_OK;
    const int64_t last = first + plan->range_chunks;
    table->run(plan, phase, gather, first, last < plan->chunk_count ? last : plan->chunk_count);
  }
}

int32_t fettle_cpu_step(fettle_plan* plan, int32_t tier) {
  const Environment environment;
  int32_t status = check(plan, tier);
  if (status != FETTLE_OK) return status;
  const TierTable* table = tableOf(tier);
  table->begin(plan);
  if (plan->gradient_pass != 0) runAll(plan, table, FETTLE_PHASE_GRADIENT, 0);
  status = table->prepare(plan);
  if (status != FETTLE_OK) return status;
  for (int gather = 0; gather < plan->gathers; gather++) {
    runAll(plan, table, FETTLE_PHASE_GATHER, gather);
    table->combine(plan, gather);
  }
  runAll(plan, table, FETTLE_PHASE_APPLY, 0);
  return fettle_cpu_commit(plan);
}

int32_t fettle_cpu_commit(fettle_plan* plan) {
  for (int64_t i = 0; i < plan->tensor_count; i++) {
    fettle_tensor& tensor = plan->tensors[i];
    if (tensor.active == 0) continue;
    tensor.step += 1;
    for (int k = 0; k < FETTLE_MAX_SCALARS; k++) tensor.scalars[k] = tensor.next_scalars[k];
  }
  return FETTLE_OK;
}
}
