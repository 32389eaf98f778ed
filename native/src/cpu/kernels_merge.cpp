// Weight averages and merging on the CPU: explicit vectors over tiles. An f32 array is worked on where it lies; any other
// passes through a tile of padded scratch.
#include "core/doubles.h"
#include "cpu/codec.h"
#include "cpu/kernel_tier.h"
#include "cpu/reduce.h"
#include "cpu/stream.h"
#include "kernels/merge/averages.h"
#include "kernels/merge/merges.h"
#include "kernels/merge/row_normalize.h"
#include "kernels/merge/sums.h"

namespace fettle {
namespace FETTLE_TIER {
namespace {

constexpr int mergeTile = 512;
constexpr int mergeStride = mergeTile + 48;

Array arrayOfSlot(const fettle_call& call, int slot, int64_t first) {
  if (call.array[slot] == nullptr) return {nullptr, FETTLE_F32};
  return {static_cast<char*>(call.array[slot]) + first * bytesOf(call.dtype[slot]), call.dtype[slot]};
}

// A slot's floats first .. first + n - 1: the memory itself, or a decoded tile.
const float* loadSlot(const fettle_call& call, int slot, int64_t first, int n, float* scratch) {
  if (call.dtype[slot] == FETTLE_F32) return arrayOf<const float>(call, slot) + first;
  decodeTile(arrayOfSlot(call, slot, first), n, scratch);
  return scratch;
}

// Where a slot's floats are to be put; `storeSlot` completes it.
float* placeSlot(const fettle_call& call, int slot, int64_t first, float* scratch) {
  return call.dtype[slot] == FETTLE_F32 ? arrayOf<float>(call, slot) + first : scratch;
}

void storeSlot(const fettle_call& call, int slot, int64_t first, int n, const float* values) {
  if (call.dtype[slot] != FETTLE_F32) encodeTile(arrayOfSlot(call, slot, first), n, values);
}

Doubles widenAt(const float* from, Doubles) { return Doubles::widen(from); }
double widenAt(const float* from, double) { return double(*from); }
Doubles loadAt(const double* from, Doubles) { return Doubles::load(from); }
double loadAt(const double* from, double) { return *from; }
void narrowTo(float* to, Doubles x) { x.narrow(to); }
void narrowTo(float* to, double x) { *to = float(x); }
void storeTo(double* to, Doubles x) { x.store(to); }
void storeTo(double* to, double x) { *to = x; }
int countOf(bool condition) { return condition ? 1 : 0; }

// The arrays of a tile, from its first element on.
struct MergeTile {
  const float* model[12];
  const float* weight[6];
  const float* base;
  const float* baseWeight;
  double* kept[3];
  float* out;
};

// One vector, or one element, of a merge; answers how many elements were 0 / 0.
template <class M, class D, bool streams = false>
FETTLE_FN int mergeAt(const MergeFactors& c, int models, bool begins, bool ends, const MergeTile& tile, int i) {
  D sum[M::sums];
  for (int s = 0; s < M::sums; s++) sum[s] = begins ? D(M::start(c)) : loadAt(tile.kept[s] + i, D());
  D base(0.0);
  D baseWeight(0.0);
  if (M::based) base = widenAt(tile.base + i, D());
  if (M::based && M::weighted) baseWeight = widenAt(tile.baseWeight + i, D());
  for (int k = 0; k < models; k++) {
    D weight(0.0);
    if (M::weighted) weight = widenAt(tile.weight[M::weighted ? k : 0] + i, D());
    M::add(c, k, widenAt(tile.model[k] + i, D()), weight, base, baseWeight, sum);
  }
  if (ends) {
    const D result = M::finish(c, base, baseWeight, sum);
    if constexpr (streams) {
      streamNarrow(tile.out + i, result);
    } else {
      narrowTo(tile.out + i, result);
    }
    if (M::counts) return countOf(sum[M::sums > 1 ? 1 : 0] == D(0.0));
  } else {
    for (int s = 0; s < M::sums; s++) storeTo(tile.kept[s] + i, sum[s]);
  }
  return 0;
}

// The whole vectors of a merge in one call; answers how many elements were 0 / 0. What is streamed starts at a vector's boundary.
template <class M, bool streams>
FETTLE_FN int mergeWhole(const MergeFactors& c, int models, const MergeTile& tile, int n) {
  int undecided = 0;
  for (int i = 0; i < n; i += Doubles::lanes) undecided += mergeAt<M, Doubles, streams>(c, models, true, true, tile, i);
  return undecided;
}

}  // namespace

template <class M>
struct CpuKernel<Merge<M>> {
  // For as many models as most merges have there is no loop over them.
  template <bool streams>
  FETTLE_FN int whole(const MergeFactors& c, int models, const MergeTile& tile, int n) {
    if (models == 2) return mergeWhole<M, streams>(c, 2, tile, n);
    if (models == 4) return mergeWhole<M, streams>(c, 4, tile, n);
    return mergeWhole<M, streams>(c, models, tile, n);
  }

  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    alignas(64) float scratch[12][mergeStride];
    alignas(64) float extra[3][mergeStride];
    const RowSpan at = Merge<M>::span(call, unit);
    const MergeFactors c = Merge<M>::factors(call, at.row);
    const int models = int(call.integer[MergeSlot::models]);
    const bool begins = call.integer[MergeSlot::begins] != 0;
    const bool ends = call.integer[MergeSlot::ends] != 0;
    const bool large = call.elements[MergeSlot::out] * int64_t(sizeof(float)) >= streamedBytes;
    int undecided = 0;
    for (int64_t first = at.first; first < at.last; first += mergeTile) {
      const int n = int(smaller(mergeTile, at.last - first));
      MergeTile tile = {};
      for (int k = 0; k < models; k++) {
        tile.model[k] = loadSlot(call, MergeSlot::model + k, first, n, scratch[k]);
        if (M::weighted) {
          const int slot = MergeSlot::model + MergeSlot::weights + k;
          tile.weight[M::weighted ? k : 0] = loadSlot(call, slot, first, n, scratch[6 + (M::weighted ? k : 0)]);
        }
      }
      if (M::based) tile.base = loadSlot(call, MergeSlot::base, first, n, extra[0]);
      if (M::based && M::weighted) tile.baseWeight = loadSlot(call, MergeSlot::extra, first, n, extra[1]);
      if (!begins || !ends) {
        for (int s = 0; s < M::sums; s++) {
          tile.kept[s] = arrayOf<double>(call, MergeSlot::accumulator) + s * call.integer[MergeSlot::length] +
                         (first - call.integer[MergeSlot::start]);
        }
      }
      if (ends) tile.out = placeSlot(call, MergeSlot::out, first, extra[2]);
      int i = 0;
      if (begins && ends) {
        i = n - n % Vector::lanes;
        const bool streams = call.dtype[MergeSlot::out] == FETTLE_F32 && large && floatsToBoundary(tile.out) == 0;
        undecided += streams ? whole<true>(c, models, tile, i) : whole<false>(c, models, tile, i);
      }
      for (; i + Doubles::lanes <= n; i += Doubles::lanes) {
        undecided += mergeAt<M, Doubles>(c, models, begins, ends, tile, i);
      }
      for (; i < n; i++) undecided += mergeAt<M, double>(c, models, begins, ends, tile, i);
      if (ends) storeSlot(call, MergeSlot::out, first, n, tile.out);
    }
    if (large) streamEnd();
    if (M::counts && ends) arrayOf<double>(call, MergeSlot::extra)[at.first / FETTLE_CHUNK] = double(undecided);
  }
  static inline __attribute__((always_inline)) void range(const fettle_call& call, int64_t first, int64_t last) {
    for (int64_t k = first; k < last; k++) unit(call, k);
  }
};

template <>
struct CpuKernel<DeltaDots> {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    constexpr int most = DeltaDots::most;
    alignas(64) float scratch[most][mergeStride];
    Lanes lanes[most * (most + 1) / 2];
    const int count = int(call.integer[DeltaDots::models]);
    const int pairs = count * (count + 1) / 2;
    const RowSpan at = rowSpan(call.integer[DeltaDots::rowLength], unit);
    const int used = int(smaller(reductionLanes, at.last - at.first));
    for (int p = 0; p < pairs; p++) {
      for (int l = 0; l < used; l++) lanes[p].sum[l] = 0.0;
    }
    for (int64_t first = at.first; first < at.last; first += mergeTile) {
      const int n = int(smaller(mergeTile, at.last - first));
      const float* x[most];
      alignas(64) float base[mergeStride];
      const float* b = nullptr;
      if (call.array[DeltaDots::base] != nullptr) b = loadSlot(call, DeltaDots::base, first, n, base);
      for (int k = 0; k < count; k++) {
        x[k] = loadSlot(call, DeltaDots::model + k, first, n, scratch[k]);
        if (b != nullptr) {
          int i = 0;
          for (; i + Vector::lanes <= n; i += Vector::lanes) {
            (Vector::load(x[k] + i) - Vector::load(b + i)).store(scratch[k] + i);
          }
          for (; i < n; i++) scratch[k][i] = x[k][i] - b[i];
          x[k] = scratch[k];
        }
      }
      int p = 0;
      for (int j = 0; j < count; j++) {
        for (int k = j; k < count; k++) accumulate(lanes[p++], x[j], x[k], n);
      }
    }
    double* to = arrayOf<double>(call, DeltaDots::sums) + unit * pairs;
    for (int p = 0; p < pairs; p++) to[p] = treeSum(lanes[p].sum, used);
  }
  static inline __attribute__((always_inline)) void range(const fettle_call& call, int64_t first, int64_t last) {
    for (int64_t k = first; k < last; k++) unit(call, k);
  }
};

template <>
struct CpuKernel<DeviationSums> {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    alignas(64) float scratch[mergeStride];
    alignas(64) float deviation[mergeStride];
    alignas(64) float ones[mergeStride];
    for (int i = 0; i < mergeTile; i++) ones[i] = 1.0f;
    const int64_t start = unit * FETTLE_CHUNK;
    const int64_t end = smaller(start + FETTLE_CHUNK, call.elements[1]);
    const float shift = valueAt(call, 1, 0);
    Lanes plain;
    Lanes square;
    plain.clear();
    square.clear();
    for (int64_t first = start; first < end; first += mergeTile) {
      const int n = int(smaller(mergeTile, end - first));
      const float* x = loadSlot(call, 1, first, n, scratch);
      int i = 0;
      for (; i + Vector::lanes <= n; i += Vector::lanes) {
        (Vector::load(x + i) - Vector(shift)).store(deviation + i);
      }
      for (; i < n; i++) deviation[i] = x[i] - shift;
      accumulate(plain, deviation, ones, n);
      accumulateSquares(square, deviation, n);
    }
    arrayOf<double>(call, 0)[2 * unit] = treeSum(plain.sum, reductionLanes);
    arrayOf<double>(call, 0)[2 * unit + 1] = treeSum(square.sum, reductionLanes);
  }
  static inline __attribute__((always_inline)) void range(const fettle_call& call, int64_t first, int64_t last) {
    for (int64_t k = first; k < last; k++) unit(call, k);
  }
};

template <>
struct CpuKernel<MoveAverages> {
  using Kernel = MoveAverages;

  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    alignas(64) float scratch[2][mergeStride];
    const int64_t start = unit * FETTLE_CHUNK;
    const int64_t end = smaller(start + FETTLE_CHUNK, call.elements[0]);
    const int count = int(call.integer[0]);
    const int64_t form = call.integer[1];
    for (int64_t first = start; first < end; first += mergeTile) {
      const int n = int(smaller(mergeTile, end - first));
      const float* p = loadSlot(call, 0, first, n, scratch[0]);
      for (int k = 0; k < count; k++) {
        const float keep = Kernel::keepOf(call, k);
        const float take = Kernel::takeOf(call, k);
        const float* e = loadSlot(call, 1 + k, first, n, scratch[1]);
        float* to = placeSlot(call, 1 + k, first, scratch[1]);
        int i = 0;
        for (; i + Vector::lanes <= n; i += Vector::lanes) {
          Kernel::moved(form, Vector::load(e + i), Vector::load(p + i), keep, take).store(to + i);
        }
        for (; i < n; i++) to[i] = Kernel::moved(form, e[i], p[i], keep, take);
        storeSlot(call, 1 + k, first, n, to);
        if (form == Kernel::lookahead) copyTo(call, first, n, to);
      }
    }
  }
  static void copyTo(const fettle_call& call, int64_t first, int n, const float* from) {
    if (call.dtype[0] == FETTLE_F32) {
      memcpy(arrayOf<float>(call, 0) + first, from, size_t(n) * sizeof(float));
    } else {
      storeSlot(call, 0, first, n, from);
    }
  }
  static inline __attribute__((always_inline)) void range(const fettle_call& call, int64_t first, int64_t last) {
    for (int64_t k = first; k < last; k++) unit(call, k);
  }
};

namespace {

// As RowNorm::dot, by vectors.
double rowDot(const fettle_call& call, int a, int b, int scratchSlot, int64_t row) {
  alignas(64) float scratch[2][mergeStride];
  const int64_t length = call.integer[0];
  const int64_t chunks = unitsOf(length, FETTLE_CHUNK);
  double* sums = arrayOf<double>(call, scratchSlot) + row * chunks;
  for (int64_t chunk = 0; chunk < chunks; chunk++) {
    const int64_t start = row * length + chunk * FETTLE_CHUNK;
    const int64_t end = smaller(start + FETTLE_CHUNK, (row + 1) * length);
    const int used = int(smaller(reductionLanes, end - start));
    Lanes lanes;
    for (int l = 0; l < used; l++) lanes.sum[l] = 0.0;
    for (int64_t first = start; first < end; first += mergeTile) {
      const int n = int(smaller(mergeTile, end - first));
      const float* x = loadSlot(call, a, first, n, scratch[0]);
      if (a == b) {
        accumulateSquares(lanes, x, n);
      } else {
        accumulate(lanes, x, loadSlot(call, b, first, n, scratch[1]), n);
      }
    }
    sums[chunk] = treeSum(lanes.sum, used);
  }
  return treeSum(sums, chunks);
}

}  // namespace

template <>
struct CpuKernel<RowNormalize> {
  FETTLE_FN void unit(const fettle_call& call, int64_t row) {
    alignas(64) float scratch[2][mergeStride];
    const int64_t end = (row + 1) * call.integer[0];
    const float c = RowNormalize::factor(call, rowDot(call, 0, 0, 2, row));
    for (int64_t first = row * call.integer[0]; first < end; first += mergeTile) {
      const int n = int(smaller(mergeTile, end - first));
      const float* w = loadSlot(call, 0, first, n, scratch[0]);
      float* to = placeSlot(call, 1, first, scratch[1]);
      int i = 0;
      for (; i + Vector::lanes <= n; i += Vector::lanes) (Vector::load(w + i) * Vector(c)).store(to + i);
      for (; i < n; i++) to[i] = w[i] * c;
      storeSlot(call, 1, first, n, to);
    }
  }
  static inline __attribute__((always_inline)) void range(const fettle_call& call, int64_t first, int64_t last) {
    for (int64_t k = first; k < last; k++) unit(call, k);
  }
};

template <>
struct CpuKernel<RowNormalizeGradient> {
  FETTLE_FN void unit(const fettle_call& call, int64_t row) {
    alignas(64) float scratch[3][mergeStride];
    const int64_t end = (row + 1) * call.integer[0];
    const double square = rowDot(call, 0, 0, 3, row);
    const RowNormalizeGradient::Factors c = RowNormalizeGradient::factors(call, square, rowDot(call, 0, 1, 3, row));
    for (int64_t first = row * call.integer[0]; first < end; first += mergeTile) {
      const int n = int(smaller(mergeTile, end - first));
      const float* w = loadSlot(call, 0, first, n, scratch[0]);
      const float* d = loadSlot(call, 1, first, n, scratch[1]);
      float* to = placeSlot(call, 2, first, scratch[2]);
      int i = 0;
      for (; i + Vector::lanes <= n; i += Vector::lanes) {
        fma(Vector(c.along), Vector::load(w + i), Vector(c.direct) * Vector::load(d + i)).store(to + i);
      }
      for (; i < n; i++) to[i] = fma(c.along, w[i], c.direct * d[i]);
      storeSlot(call, 2, first, n, to);
    }
  }
  static inline __attribute__((always_inline)) void range(const fettle_call& call, int64_t first, int64_t last) {
    for (int64_t k = first; k < last; k++) unit(call, k);
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle

#define FETTLE_FAMILY "fettle/kernels/merge.def"
#include "cpu/kernel_family.h"
