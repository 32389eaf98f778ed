// Estimators of quantization-aware training on the CPU.
#include "cpu/kernel_tier.h"
#include "cpu/reduce.h"
#include "cpu/stream.h"
#include "core/vector.h"
#include "cpu/lanes.h"
#include "cpu/words.h"
#include "kernels/estimators/layers.h"
#include "kernels/estimators/operations.h"
#include "kernels/estimators/periodic.h"
#include "kernels/estimators/stochastic_sign.h"

namespace fettle {
namespace FETTLE_TIER {

// Tiles of a chunk in vectors, their terms through a buffer into the lanes.
template <class Operation>
struct CpuKernel<RowChunks<Operation>> {
  static constexpr int tile = 1024;
  static constexpr int slots = Operation::sums > 0 ? Operation::sums : 1;
  static constexpr int buffered = Operation::sums > 0 ? tile : 1;
  static_assert(tile % reductionLanes == 0 && tile % Vector::lanes == 0, "element 0 of a tile belongs to lane 0");

  struct Buffers {
    alignas(64) float a[slots][buffered];
    alignas(64) float b[slots][buffered];
    Lanes lanes[slots];
  };

  // Whether outputs are so large that they go past the caches; not where one lies on an input.
  FETTLE_FN bool isStreamed(const fettle_call& call) {
    bool streamed = Operation::outputs > 0 && Vector::lanes == 16;
    for (int k = 0; k < Operation::outputs; k++) {
      const float* to = arrayOf<float>(call, Operation::inputs + k);
      streamed = streamed && call.elements[Operation::inputs + k] * int64_t(sizeof(float)) >= streamedBytes;
      for (int j = 0; j < Operation::inputs; j++) streamed = streamed && to != arrayOf<const float>(call, j);
    }
    return streamed;
  }

  FETTLE_FN bool isAligned(const fettle_call& call, int64_t at) {
    for (int k = 0; k < Operation::outputs; k++) {
      if (floatsToBoundary(arrayOf<float>(call, Operation::inputs + k) + at) != 0) return false;
    }
    return true;
  }

  static inline __attribute__((always_inline)) void vectorAt(const fettle_call& call, const float* c, int64_t at,
                                                             int count, int place, bool streamed, Buffers& buffers) {
    Vector in[Operation::inputs], out[Operation::outputs > 0 ? Operation::outputs : 1];
    Terms<Vector> terms;
    for (int k = 0; k < Operation::inputs; k++) {
      const float* from = arrayOf<const float>(call, k) + at;
      if (streamed) _mm_prefetch(reinterpret_cast<const char*>(from + streamAhead), _MM_HINT_T0);
      in[k] = count == Vector::lanes ? Vector::load(from) : Vector::loadPart(from, count);
    }
    Operation::apply(c, in, out, terms);
    for (int k = 0; k < Operation::outputs; k++) {
      float* to = arrayOf<float>(call, Operation::inputs + k) + at;
      if (streamed) {
        streamVector(to, out[k]);
      } else if (count == Vector::lanes) {
        out[k].store(to);
      } else {
        out[k].storePart(to, count);
      }
    }
    for (int k = 0; k < Operation::sums; k++) {
      terms.a[k].store(buffers.a[k] + place);
      terms.b[k].store(buffers.b[k] + place);
    }
  }

  static inline __attribute__((always_inline)) void range(const fettle_call& call, int64_t first, int64_t last) {
    Buffers buffers;
    const bool large = isStreamed(call);
    for (int64_t unit = first; unit < last; unit++) {
      const ChunkPlace<Operation> place = ChunkPlace<Operation>::of(call, unit);
      for (int k = 0; k < Operation::sums; k++) buffers.lanes[k].clear();
      for (int64_t start = 0; start < place.count; start += tile) {
        const int count = int(smaller(tile, place.count - start));
        const bool streamed = large && isAligned(call, place.first + start);
        int i = 0;
        for (; i + Vector::lanes <= count; i += Vector::lanes) {
          vectorAt(call, place.c, place.first + start + i, Vector::lanes, i, streamed, buffers);
        }
        if (i < count) vectorAt(call, place.c, place.first + start + i, count - i, i, false, buffers);
        for (int k = 0; k < Operation::sums; k++) accumulate(buffers.lanes[k], buffers.a[k], buffers.b[k], count);
      }
      for (int k = 0; k < Operation::sums; k++) {
        arrayOf<double>(call, partialSums)[unit * Operation::sums + k] = treeSum(buffers.lanes[k].sum, reductionLanes);
      }
    }
    if (large) streamEnd();
  }
};

template <>
struct CpuKernel<StochasticSign> {
  static inline __attribute__((always_inline)) void range(const fettle_call& call, int64_t first, int64_t last) {
    const float* w = arrayOf<const float>(call, 0);
    float* out = arrayOf<float>(call, 1);
    WordWindow window({uint64_t(call.integer[1]), uint32_t(call.integer[2]), uint32_t(call.integer[3])});
    const int64_t end = smaller(call.integer[0], last * rowChunk);
    for (int64_t i = first * rowChunk; i < end; i += Vector::lanes) {
      const int count = int(smaller(Vector::lanes, end - i));
      const Vector x = count == Vector::lanes ? Vector::load(w + i) : Vector::loadPart(w + i, count);
      const Vector needed = Vector(16777216.0f) - highBits24(window.at(i, Vector::lanes));
      const Vector sign = select(StochasticSign::chances(x) >= needed, Vector(1.0f), Vector(-1.0f));
      const Vector result = select(x == x, sign, x);
      if (count == Vector::lanes) {
        result.store(out + i);
      } else {
        result.storePart(out + i, count);
      }
    }
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle

#define FETTLE_FAMILY "fettle/kernels/estimators.def"
#include "cpu/kernel_family.h"
