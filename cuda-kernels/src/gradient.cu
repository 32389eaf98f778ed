// The pass over the gradients that norms and the non-finite check need.
#include "gather.cuh"
#include "serial.cuh"

namespace fettle {
namespace FETTLE_TIER {

// Rows that a thread has in flight at once: a single array is read.
constexpr int gradientRows = 8;

__global__ void __launch_bounds__(mostThreads) gradient(Tables tables, Span units) {
  fettle_plan& plan = *tables.plan;
  const int thread = int(threadIdx.x % warpThreads);
  const int64_t step = warpCount();
  for (int64_t at = units.first + warpNumber(); at < units.last; at += step) {
    const Unit unit = tables.units[at];
    const fettle_tensor& tensor = tables.tensors[unit.tensor];
    if (tensor.active == 0) continue;
    const Prologue prologue = normPrologueOf(tensor);
    const int64_t chunk = int64_t(unit.chunk);
    const ChunkSpan span = spanOf(tensor, chunk);
    const int n = int(span.last - span.first);
    double lane[lanesPerThread] = {};
    bool finite = true;
    for (int row = 0; row < n; row += gradientRows * rowElements) {
      Raw raw[gradientRows];
      FETTLE_UNROLL
      for (int f = 0; f < gradientRows; f++) {
        const int from = row + f * rowElements + thread * quadElements;
        raw[f] = loadRaw(tensor.gradient, span.first + from, partIn(from, n));
      }
      FETTLE_UNROLL
      for (int f = 0; f < gradientRows; f++) {
        const Part part = partIn(row + f * rowElements + thread * quadElements, n);
        Quad g = decode(raw[f], tensor.gradient.dtype);
        if (hides(plan, tensor)) {
          applyMask(keptBits(tensor.mask, span.first + row + f * rowElements + thread * quadElements, part), g);
        }
        FETTLE_UNROLL
        for (int k = 0; k < quadElements; k++) {
          if (!part.holds(k)) continue;
          // As given and once unscaled: the scale may overflow it.
          finite = finite && isFinite(bitsOf(g.value[k])) && isFinite(bitsOf(g.value[k] * prologue.unscale));
          const float value = prologue.apply(g.value[k]);
          accumulate(lane[k], value, value);
        }
      }
    }
    const bool allFinite = __all_sync(fullWarp, finite) != 0;
    const double sum = warpTree(lane);
    if (thread != 0) continue;
    plan.sums[tensor.first_chunk + chunk] = sum;
    if (!allFinite) plan.non_finite = 1;
  }
}

}  // namespace FETTLE_TIER
}  // namespace fettle
