// Reductions into arrays on the CPU.
#include "cpu/kernel_tier.h"
#include "core/vector.h"
#include "kernels/reduce.h"

namespace fettle {
namespace FETTLE_TIER {

template <>
struct CpuKernel<RowAbsoluteMax> {
  static inline __attribute__((always_inline)) void range(const fettle_call& call, int64_t first, int64_t last) {
    const int64_t columns = call.integer[0];
    for (int64_t row = first; row < last; row++) {
      const float* x = arrayOf<const float>(call, 0) + row * columns;
      // The largest does not depend on the order, but for which NaN comes out.
      Vector largest(0.0f);
      int64_t i = 0;
      for (; i + Vector::lanes <= columns; i += Vector::lanes) largest = larger(largest, absolute(Vector::load(x + i)));
      float lanes[Vector::lanes];
      largest.store(lanes);
      float result = 0.0f;
      for (float lane : lanes) result = larger(result, lane);
      for (; i < columns; i++) result = larger(result, absolute(x[i]));
      arrayOf<float>(call, 1)[row] = result;
    }
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle

#define FETTLE_FAMILY "fettle/kernels/reduce.def"
#include "cpu/kernel_family.h"
