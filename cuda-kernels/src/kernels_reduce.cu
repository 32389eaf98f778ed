// Reductions into arrays on a device.
#include "units.cuh"

#include "kernels/reduce.h"

namespace fettle {
namespace FETTLE_TIER {

// A warp per row. The largest does not depend on the order, but for which NaN comes out.
template <>
struct CudaKernel<RowAbsoluteMax> {
  static constexpr int threadsPerUnit = warpThreads;
  FETTLE_DEVICE void unit(const fettle_call& call, int64_t row) {
    const int64_t columns = call.integer[0];
    const float* x = arrayOf<const float>(call, 0) + row * columns;
    float largest = 0.0f;
    for (int64_t i = int64_t(threadIdx.x % warpThreads); i < columns; i += warpThreads) {
      largest = larger(largest, absolute(x[i]));
    }
    for (unsigned down = warpThreads / 2; down > 0; down /= 2) {
      largest = larger(largest, float(__shfl_down_sync(fullWarp, double(largest), down)));
    }
    if (threadIdx.x % warpThreads == 0) arrayOf<float>(call, 1)[row] = largest;
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle

#define FETTLE_FAMILY "fettle/kernels/reduce.def"
#include "units_family.cuh"
