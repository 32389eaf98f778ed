// The table of all kernels of one CPU tier.
#include "cpu/kernel_tier.h"

namespace fettle {
namespace FETTLE_TIER {

#define FETTLE_KERNEL(id, ...) void kernel_##id(const fettle_call& call, int64_t first, int64_t last);
#include "fettle/kernels.def"
#undef FETTLE_KERNEL

namespace {

const KernelRange ranges[] = {
#define FETTLE_KERNEL(id, ...) kernel_##id,
#include "fettle/kernels.def"
#undef FETTLE_KERNEL
};

}  // namespace
}  // namespace FETTLE_TIER

#define FETTLE_TABLE_OF(tier) FETTLE_TABLE_NAME(tier)
#define FETTLE_TABLE_NAME(tier) kernels_##tier

extern const KernelTable FETTLE_TABLE_OF(FETTLE_TIER);
const KernelTable FETTLE_TABLE_OF(FETTLE_TIER) = {
    sizeof FETTLE_TIER::ranges / sizeof FETTLE_TIER::ranges[0], FETTLE_TIER::ranges};

}  // namespace fettle
