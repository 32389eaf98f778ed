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
// What waits between two steps of a pass: little, so that reading goes on meanwhile.
constexpr int64_t adafactorTile = 512;
static_assert(adafactorTile % reductionLanes == 0, "element 0 of a tile belongs to lane 0");

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

  // Rows that are gone through together: the columns' sums are then read and written once for all of them.
  static constexpr int together = 4;

  struct Rows {
    const float* of[together];
    alignas(64) double lanes[together][reductionLanes];
  };

  // Adds q of some rows' parts to their lanes and the columns, which the first row sets. What comes `ahead` elements further on is
  // fetched meanwhile.
  template <int count, bool first>
  FETTLE_FN void add(Rows& rows, int n, double eps, double* columns, int64_t ahead) {
    const Doubles floor(eps);
    const int whole = n / Doubles::lanes * Doubles::lanes;
    for (int i = 0; i < whole; i += Doubles::lanes) {
      Doubles column(0.0);
      if (!first) column = Doubles::load(columns + i);
      for (int k = 0; k < count; k++) {
        if (i % 16 == 0) _mm_prefetch(reinterpret_cast<const char*>(rows.of[k] + i + ahead), _MM_HINT_T1);
        const Doubles x = Doubles::widen(rows.of[k] + i);
        const Doubles q = fma(x, x, floor);
        double* lane = rows.lanes[k] + i % reductionLanes;
        (Doubles::load(lane) + q).store(lane);
        column = first && k == 0 ? q : column + q;
      }
      column.store(columns + i);
    }
    for (int i = whole; i < n; i++) {
      for (int k = 0; k < count; k++) {
        const double x = double(rows.of[k][i]);
        const double q = x * x + eps;
        rows.lanes[k][i % reductionLanes] += q;
        columns[i] = first && k == 0 ? q : columns[i] + q;
      }
    }
  }

  template <int count>
  FETTLE_FN void addRows(const fettle_call& call, const Sums::Part& part, int64_t row, Rows& rows, float (*decoded)[adafactorScratch]) {
    const Array gradient = arrayIn(call, Sums::gradient);
    const int64_t length = call.integer[Sums::columns];
    const int n = int(part.width);
    const int used = int(smaller(n, reductionLanes));
    for (int k = 0; k < count; k++) {
      const int64_t at = (row + k) * length + part.firstColumn;
      rows.of[k] = reinterpret_cast<const float*>(gradient.data) + at;
      if (gradient.dtype != FETTLE_F32) {
        decodeTile({gradient.data + at * bytesOf(gradient.dtype), gradient.dtype}, n, decoded[k]);
        rows.of[k] = decoded[k];
      }
      memset(rows.lanes[k], 0, size_t(used) * sizeof(double));
    }
    double* columns = arrayOf<double>(call, Sums::columnSums) + part.sums;
    const int64_t ahead = gradient.dtype == FETTLE_F32 ? count * length : 0;
    if (row == part.firstRow) {
      add<count, true>(rows, n, call.number[Sums::eps1], columns, ahead);
    } else {
      add<count, false>(rows, n, call.number[Sums::eps1], columns, ahead);
    }
    for (int k = 0; k < count; k++) {
      arrayOf<double>(call, Sums::rowSums)[(row + k) * part.chunks + part.chunk] = treeSum(rows.lanes[k], used);
    }
  }

  static inline __attribute__((always_inline)) void range(const fettle_call& call, int64_t first, int64_t last) {
    alignas(64) float decoded[together][adafactorScratch];
    Rows rows;
    for (int64_t unit = first; unit < last; unit++) {
      const Sums::Part part = Sums::Part::of(call, unit);
      int64_t row = part.firstRow;
      for (; row + together <= part.lastRow; row += together) addRows<together>(call, part, row, rows, decoded);
      for (; row < part.lastRow; row++) addRows<1>(call, part, row, rows, decoded);
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
    alignas(64) float u[adafactorTile + Vector::lanes];
    alignas(64) float v[adafactorTile + Vector::lanes];
    Lanes lanes;
    for (int64_t unit = first; unit < last; unit++) {
      const int64_t end = AdafactorUpdate::endOf(call, unit);
      lanes.clear();
      for (int64_t start = unit * FETTLE_CHUNK; start < end; start += adafactorTile) {
        const int64_t n = smaller(adafactorTile, end - start);
        adafactorDirection(call, start, n, u, v);
        accumulateSquares(lanes, u, int(n));
      }
      arrayOf<double>(call, AdafactorUpdate::sums)[unit] = treeSum(lanes.sum, reductionLanes);
    }
  }
};

template <>
struct CpuKernel<AdafactorApply> {
  using Update = AdafactorUpdate;

  static inline __attribute__((always_inline)) void range(const fettle_call& call, int64_t first, int64_t last) {
    alignas(64) float u[adafactorTile + Vector::lanes];
    alignas(64) float v[adafactorTile + Vector::lanes];
    const Array parameter = arrayIn(call, Update::parameter);
    const Array moment = arrayIn(call, Update::moment);
    const bool averages = moment.data != nullptr;
    for (int64_t unit = first; unit < last; unit++) {
      const int64_t end = Update::endOf(call, unit);
      for (int64_t start = unit * FETTLE_CHUNK; start < end; start += adafactorTile) {
        const int64_t n = smaller(adafactorTile, end - start);
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
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
