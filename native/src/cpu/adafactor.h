// Adafactor's passes over whole tensors on the CPU, a vector at a time: kernels/steps/adafactor.h.
#pragma once

#include "core/doubles.h"
#include "cpu/codec.h"
#include "cpu/kernel_tier.h"
#include "cpu/reduce.h"
#include "kernels/steps/adafactor.h"

namespace fettle {
namespace FETTLE_TIER {

// Room for a chunk and the rest of its last vector.
constexpr int adafactorScratch = FETTLE_CHUNK + Vector::lanes;

FETTLE_FN Array arrayIn(const fettle_call& call, int index) {
  return {static_cast<char*>(call.array[index]), call.dtype[index]};
}

// The vector of floats from element i on, of which there may be fewer than it has lanes.
FETTLE_FN Vector loadSome(const Array& array, int64_t i, int64_t count) {
  return count >= Vector::lanes ? loadFrom<anyFormat>(array, i) : loadPart(array, i, int(count));
}

FETTLE_FN void storeSome(const Array& array, int64_t i, int64_t count, Vector x) {
  if (count >= Vector::lanes) {
    storeTo<anyFormat>(array, i, x);
  } else {
    storePart(array, i, int(count), x);
  }
}

template <>
struct CpuKernel<AdafactorSums> {
  using Sums = AdafactorSums;

  // Adds q of a row's part to the lanes and the columns; on the first row the columns are set.
  template <bool first>
  FETTLE_FN void add(const float* g, int n, double eps, double* lanes, double* columns) {
    const Doubles floor(eps);
    const int whole = n / Doubles::lanes * Doubles::lanes;
    for (int i = 0; i < whole; i += Doubles::lanes) {
      const Doubles x = Doubles::widen(g + i);
      const Doubles q = fma(x, x, floor);
      double* lane = lanes + i % reductionLanes;
      (Doubles::load(lane) + q).store(lane);
      (first ? q : Doubles::load(columns + i) + q).store(columns + i);
    }
    for (int i = whole; i < n; i++) {
      const double x = double(g[i]);
      const double q = x * x + eps;
      lanes[i % reductionLanes] += q;
      columns[i] = first ? q : columns[i] + q;
    }
  }

  static inline __attribute__((always_inline)) void range(const fettle_call& call, int64_t first, int64_t last) {
    const Array gradient = arrayIn(call, Sums::gradient);
    alignas(64) float decoded[adafactorScratch];
    alignas(64) double lanes[reductionLanes];
    for (int64_t unit = first; unit < last; unit++) {
      const Sums::Part part = Sums::Part::of(call, unit);
      const int n = int(part.width);
      double* columns = arrayOf<double>(call, Sums::columnSums) + part.sums;
      for (int64_t row = part.firstRow; row < part.lastRow; row++) {
        const int64_t at = row * call.integer[Sums::columns] + part.firstColumn;
        const float* g = reinterpret_cast<const float*>(gradient.data) + at;
        if (gradient.dtype != FETTLE_F32) {
          decodeTile({gradient.data + at * bytesOf(gradient.dtype), gradient.dtype}, n, decoded);
          g = decoded;
        }
        const int used = int(smaller(n, reductionLanes));
        memset(lanes, 0, size_t(used) * sizeof(double));
        if (row == part.firstRow) {
          add<true>(g, n, call.number[Sums::eps1], lanes, columns);
        } else {
          add<false>(g, n, call.number[Sums::eps1], lanes, columns);
        }
        arrayOf<double>(call, Sums::rowSums)[row * part.chunks + part.chunk] = treeSum(lanes, used);
      }
    }
  }
};

// u of elements first .. first + n - 1 to scratch, and the new v where there is one.
static inline void adafactorDirection(const fettle_call& call, int64_t first, int64_t n, float* u, float* newSecond) {
  using Update = AdafactorUpdate;
  const Array gradient = arrayIn(call, Update::gradient);
  if (call.array[Update::second] != nullptr) {
    const Array second = arrayIn(call, Update::second);
    for (int64_t i = 0; i < n; i += Vector::lanes) {
      Vector v = loadSome(second, first + i, n - i);
      Update::whole(call, loadSome(gradient, first + i, n - i), v).store(u + i);
      v.store(newSecond + i);
    }
    return;
  }
  const int64_t columns = call.integer[Update::columns];
  for (int64_t at = first; at < first + n;) {
    const int64_t row = at / columns;
    const int64_t column = at % columns;
    const int64_t count = smaller(first + n - at, columns - column);
    const Vector factor(arrayOf<const float>(call, Update::rowFactors)[row]);
    const float* of = arrayOf<const float>(call, Update::columnFactors) + row / call.integer[Update::rows] * columns + column;
    float* to = u + (at - first);
    int64_t i = 0;
    // What a short vector writes behind the row is written again with the next one.
    for (; i + Vector::lanes <= count; i += Vector::lanes) {
      Update::factored(loadFrom<anyFormat>(gradient, at + i), factor, Vector::load(of + i)).store(to + i);
    }
    if (i < count) {
      const int rest = int(count - i);
      Update::factored(loadPart(gradient, at + i, rest), factor, Vector::loadPart(of + i, rest)).store(to + i);
    }
    at += count;
  }
}

template <>
struct CpuKernel<AdafactorSquares> {
  static inline __attribute__((always_inline)) void range(const fettle_call& call, int64_t first, int64_t last) {
    alignas(64) float u[adafactorScratch];
    alignas(64) float v[adafactorScratch];
    Lanes lanes;
    for (int64_t unit = first; unit < last; unit++) {
      const int64_t start = unit * FETTLE_CHUNK;
      const int64_t n = AdafactorUpdate::endOf(call, unit) - start;
      adafactorDirection(call, start, n, u, v);
      lanes.clear();
      accumulateSquares(lanes, u, int(n));
      arrayOf<double>(call, AdafactorUpdate::sums)[unit] = treeSum(lanes.sum, reductionLanes);
    }
  }
};

template <>
struct CpuKernel<AdafactorApply> {
  using Update = AdafactorUpdate;

  static inline __attribute__((always_inline)) void range(const fettle_call& call, int64_t first, int64_t last) {
    alignas(64) float u[adafactorScratch];
    alignas(64) float v[adafactorScratch];
    const Array parameter = arrayIn(call, Update::parameter);
    const Array moment = arrayIn(call, Update::moment);
    const bool averages = moment.data != nullptr;
    for (int64_t unit = first; unit < last; unit++) {
      const int64_t start = unit * FETTLE_CHUNK;
      const int64_t n = Update::endOf(call, unit) - start;
      adafactorDirection(call, start, n, u, v);
      for (int64_t i = 0; i < n; i += Vector::lanes) {
        Vector m = averages ? loadSome(moment, start + i, n - i) : Vector(0.0f);
        const Vector p = loadSome(parameter, start + i, n - i);
        storeSome(parameter, start + i, n - i, Update::moved(call, p, Vector::load(u + i), m, averages));
        if (averages) storeSome(moment, start + i, n - i, m);
      }
      if (call.array[Update::second] != nullptr) {
        memcpy(arrayOf<float>(call, Update::second) + start, v, size_t(n) * sizeof(float));
      }
    }
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
