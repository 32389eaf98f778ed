// The C ABI of kernels on the CPU: chooses the tier, guards the floating-point environment, shares out units.
#include "cpu/kernel_tier.h"
#include "environment.h"
#include "fettle/fettle.h"

namespace {

using fettle::Environment;
using fettle::KernelTable;

const char* const ids[] = {
#define FETTLE_KERNEL(id, ...) #id,
#include "fettle/kernels.def"
#undef FETTLE_KERNEL
};

const KernelTable* tableOf(int32_t tier) {
  const int64_t offered = fettle_cpu_tiers();
  if (tier == FETTLE_CPU_V4 && (offered & FETTLE_CPU_V4) != 0) return &fettle::kernels_v4;
  if (tier == FETTLE_CPU_V3 && (offered & FETTLE_CPU_V3) != 0) return &fettle::kernels_v3;
  return nullptr;
}

}  // namespace

extern "C" {

int32_t fettle_cpu_call(fettle_call* call, int32_t tier) {
  const Environment environment;
  if (call == nullptr || call->size != int64_t(sizeof(fettle_call)) || call->range_units <= 0) {
    return FETTLE_INVALID_ARGUMENT;
  }
  const KernelTable* table = tableOf(tier);
  if (table == nullptr) return FETTLE_UNAVAILABLE;
  if (call->kernel < 0 || call->kernel >= table->count) return FETTLE_INVALID_ARGUMENT;
  while (true) {
    const int64_t first = __atomic_fetch_add(&call->cursor, call->range_units, __ATOMIC_RELAXED);
    if (first >= call->units) return FETTLE_OK;
    const int64_t left = call->units - first;
    table->ranges[call->kernel](*call, first, first + (call->range_units < left ? call->range_units : left));
  }
}

const char* fettle_kernel_id(int32_t kernel) {
  const int32_t count = int32_t(sizeof ids / sizeof ids[0]);
  return kernel >= 0 && kernel < count ? ids[kernel] : nullptr;
}

}
