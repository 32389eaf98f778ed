// How kernels (fettle/kernels.h) run on a device, and how a family's driver is made.
//
// A family is one source file of this folder, kernels_FAMILY.cu: it includes this header and the family's structs,
// specialises CudaKernel where a thread per unit is not enough, defines FETTLE_FAMILY as the family's list and includes
// units_family.cuh. A kernel without one is refused by name.
#pragma once

#include "fettle/fettle.h"
#include "kernels/kernel.h"
#include "tables.cuh"
#include "unit_kernel.h"

namespace fettle {
namespace FETTLE_TIER {

FETTLE_DEVICE int64_t firstUnit(int64_t threadsPerUnit) {
  return (int64_t(blockIdx.x) * blockDim.x + threadIdx.x) / threadsPerUnit;
}

FETTLE_DEVICE int64_t unitStep(int64_t threadsPerUnit) { return int64_t(gridDim.x) * blockDim.x / threadsPerUnit; }

// A thread per unit, unless the family's driver knows better: then `unit` is called by threadsPerUnit threads at once.
template <class Kernel>
struct CudaKernel {
  static constexpr int threadsPerUnit = 1;
  FETTLE_DEVICE void unit(const fettle_call& call, int64_t unit) { Kernel::unit(call, unit); }
};

template <class Kernel>
__global__ void __launch_bounds__(mostThreads) runUnits(fettle_call call) {
  constexpr int64_t threads = CudaKernel<Kernel>::threadsPerUnit;
  const int64_t step = unitStep(threads);
  for (int64_t unit = firstUnit(threads); unit < call.units; unit += step) CudaKernel<Kernel>::unit(call, unit);
}

}  // namespace FETTLE_TIER
}  // namespace fettle
