// Something like libfettle_cuda.so, for cuda_loader_test: right, or wrong in the way that a macro asks for.
#include <fettle/cuda.h>

#include "build_id.h"

#ifdef OTHER_ABI
int32_t fettle_cuda_abi_version(void) { return FETTLE_ABI_VERSION + 1; }
#else
int32_t fettle_cuda_abi_version(void) { return FETTLE_ABI_VERSION; }
#endif

#ifdef OTHER_BUILD
const char* fettle_cuda_build_id(void) { return "0123456789abcdef"; }
#else
const char* fettle_cuda_build_id(void) { return FETTLE_BUILD_ID; }
#endif

#ifndef NO_FUNCTIONS
#define FETTLE_CUDA_ENTRY(name, parameters, arguments) \
  int32_t fettle_cuda_##name parameters { return FETTLE_OUT_OF_MEMORY; }
#include <fettle/cuda.def>
#undef FETTLE_CUDA_ENTRY
#endif
