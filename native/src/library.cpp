// What the library says about itself and about the CPU.
#include <fettle/fettle.h>

#include <sys/syscall.h>
#include <unistd.h>

#include "build_id.h"

namespace {

// Asks the kernel for the tiles of AMX, for the whole process; harmless to repeat.
bool tilesPermitted() {
  constexpr long requestPermission = 0x1023, tileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, requestPermission, tileData) == 0;
}

}  // namespace

int32_t fettle_abi_version(void) { return FETTLE_ABI_VERSION; }

const char* fettle_build_id(void) { return FETTLE_BUILD_ID; }

int64_t fettle_cpu_tiers(void) {
  // __builtin_cpu_supports answers some bit, not 1, and looks at the operating system's state (XCR0) too.
  __builtin_cpu_init();
  int64_t tiers = 0;
  if (__builtin_cpu_supports("x86-64-v2") != 0) tiers |= FETTLE_CPU_V2;
  if (__builtin_cpu_supports("x86-64-v3") != 0) tiers |= FETTLE_CPU_V3;
  if (__builtin_cpu_supports("x86-64-v4") != 0) tiers |= FETTLE_CPU_V4;
  if (__builtin_cpu_supports("avxvnni") != 0) tiers |= FETTLE_CPU_AVX_VNNI;
  if (__builtin_cpu_supports("avx512vnni") != 0) tiers |= FETTLE_CPU_AVX512_VNNI;
  if (__builtin_cpu_supports("amx-int8") != 0 && tilesPermitted()) tiers |= FETTLE_CPU_AMX_INT8;
  return tiers;
}

const char* fettle_status_text(int32_t status) {
  switch (status) {
    case FETTLE_OK: return "ok";
    case FETTLE_INVALID_ARGUMENT: return "an argument is null or out of its range";
    case FETTLE_OUT_OF_MEMORY: return "out of memory";
    case FETTLE_UNAVAILABLE: return "not available on this machine";
    case FETTLE_CUDA_ERROR: return "a CUDA call failed";
    case FETTLE_NON_FINITE: return "a gradient is infinite or NaN";
    default: return "unknown status";
  }
}
