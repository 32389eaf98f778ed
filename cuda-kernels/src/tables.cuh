// What every kernel is given: a plan's tables in device memory.
#pragma once

#include <cuda_runtime.h>

#include "core/prepare.h"

// Device code that no CPU tier shares.
#define FETTLE_DEVICE static __device__ __forceinline__

#if defined(__CUDACC__)
#define FETTLE_DEVICE_CALLED static __device__ __noinline__
#define FETTLE_UNROLL _Pragma("unroll")
#else
#define FETTLE_DEVICE_CALLED static inline
#define FETTLE_UNROLL
#endif

namespace fettle {
namespace FETTLE_TIER {

constexpr int warpThreads = 32;
constexpr unsigned fullWarp = 0xFFFFFFFFu;

// The most threads of a block; every kernel is compiled for it.
constexpr int mostThreads = 256;

// One chunk of one tensor.
struct Unit {
  uint32_t tensor;
  uint32_t chunk;
};

// Units first .. last - 1. The units of one rule's tensors stand together.
struct Span {
  int64_t first;
  int64_t last;
};

// The plan's tables, and what only the device needs. Passed by value.
struct Tables {
  fettle_plan* plan;
  fettle_tensor* tensors;
  fettle_group* groups;
  const Unit* units;
  unsigned* arrived;  // blocks that are done, for the one that is last
};

}  // namespace FETTLE_TIER
}  // namespace fettle
