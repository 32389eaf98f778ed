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
  FETTLE_FN void addRows(const fettle_call& call, const Sums::Part& part, int64_t row, Rows& rows,
                         float (*decoded)[adafactorScratch]) {
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
      arrayOf<double>(call, Sums::rowSums)[(row + k) * part.chunks + part.chunk] =
          used == reductionLanes ? lanesSum(rows.lanes[k]) : treeSum(rows.lanes[k], used);
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

// Elements that have a row factor in common; all of them where there are no factors.
struct AdafactorRun {
  using Update = AdafactorUpdate;

  Vector row;
  Array gradient;
  Array second;
  const float* columns;  // the factors of the row's columns
  int64_t first, end;

  FETTLE_FN AdafactorRun at(const fettle_call& call, int64_t i) {
    AdafactorRun run = {Vector(0.0f), arrayIn(call, Update::gradient), arrayIn(call, Update::second), nullptr, 0,
                        INT64_MAX};
    if (run.second.data != nullptr) return run;
    const int64_t length = call.integer[Update::columns];
    const int64_t number = i / length;
    run.row = Vector(arrayOf<const float>(call, Update::rowFactors)[number]);
    run.columns = arrayOf<const float>(call, Update::columnFactors) + number / call.integer[Update::rows] * length;
    run.first = number * length;
    run.end = run.first + length;
    return run;
  }

  // u of the vector at element i, of which `count` count, and the new v where there is one.
  FETTLE_INLINE Vector direction(const fettle_call& call, int64_t i, int64_t count, Vector& v) const {
    const Vector g = loadSome(gradient, i, count);
    if (second.data != nullptr) {
      v = loadSome(second, i, count);
      return Update::whole(call, g, v);
    }
    const float* column = columns + (i - first);
    return Update::factored(g, row,
                            count >= Vector::lanes ? Vector::load(column) : Vector::loadPart(column, int(count)));
  }
};

// Calls use(i, count, u, v) for the vectors of elements first .. last - 1; none reaches into another row.
template <class Use>
FETTLE_FN void eachDirection(const fettle_call& call, int64_t first, int64_t last, const Use& use) {
  for (int64_t i = first; i < last;) {
    const AdafactorRun run = AdafactorRun::at(call, i);
    const int64_t end = smaller(run.end, last);
    const auto step = [&](int64_t count) FETTLE_LAMBDA {
      Vector v;
      const Vector u = run.direction(call, i, count, v);
      use(i, count, u, v);
    };
    for (; i + Vector::lanes <= end; i += Vector::lanes) step(Vector::lanes);
    if (i < end) step(end - i);
    i = end;
  }
}

template <>
struct CpuKernel<AdafactorSquares> {
  // Rows of fewer elements all pass through scratch.
  static constexpr int64_t longRow = 1024;

  // Adds the squares of elements start .. end - 1 of a chunk; the first belongs to lane 0.
  FETTLE_FN void add(const fettle_call& call, Lanes& lanes, int64_t start, int64_t end) {
    alignas(64) float u[adafactorTile + Vector::lanes];
    for (int64_t at = start; at < end;) {
      const AdafactorRun run = AdafactorRun::at(call, at);
      const bool isLong = run.end - run.first >= longRow;
      const int64_t whole = isLong ? (smaller(run.end, end) - at) / reductionLanes * reductionLanes : 0;
      accumulateTerms<1, false>(&lanes, whole, [&](int64_t i) FETTLE_LAMBDA {
        // One stream, which hardware stops reading at the end of a page.
        _mm_prefetch(run.gradient.data + (at + i + streamAhead) * bytesOf(run.gradient.dtype), _MM_HINT_T0);
        Vector v;
        Terms<Vector> terms;
        terms.a[0] = terms.b[0] = run.direction(call, at + i, Vector::lanes, v);
        return terms;
      });
      at += whole;
      // Lanes that two rows share.
      const int64_t shared =
          whole > 0 && at == run.end ? 0 : smaller(isLong ? reductionLanes : adafactorTile, end - at);
      // What a short vector writes behind its row is written again with the next one.
      eachDirection(call, at, at + shared,
                    [&](int64_t i, int64_t, Vector direction, Vector) FETTLE_LAMBDA { direction.store(u + (i - at)); });
      accumulateSquares(lanes, u, int(shared));
      at += shared;
    }
  }

  static inline __attribute__((always_inline)) void range(const fettle_call& call, int64_t first, int64_t last) {
    Lanes lanes;
    for (int64_t unit = first; unit < last; unit++) {
      lanes.clear();
      add(call, lanes, unit * FETTLE_CHUNK, AdafactorUpdate::endOf(call, unit));
      arrayOf<double>(call, AdafactorUpdate::sums)[unit] = lanesSum(lanes.sum);
    }
  }
};

template <>
struct CpuKernel<AdafactorApply> {
  using Update = AdafactorUpdate;

  static inline __attribute__((always_inline)) void range(const fettle_call& call, int64_t first, int64_t last) {
    const Array parameter = arrayIn(call, Update::parameter);
    const Array moment = arrayIn(call, Update::moment);
    const Array second = arrayIn(call, Update::second);
    const bool averages = moment.data != nullptr;
    const auto apply = [&](int64_t i, int64_t count, Vector u, Vector v) FETTLE_LAMBDA {
      Vector m = averages ? loadSome(moment, i, count) : Vector(0.0f);
      const Vector p = loadSome(parameter, i, count);
      storeSome(parameter, i, count, Update::moved(call, p, u, m, averages));
      if (averages) storeSome(moment, i, count, m);
      if (second.data != nullptr) storeSome(second, i, count, v);
    };
    eachDirection(call, first * FETTLE_CHUNK, Update::endOf(call, last - 1), apply);
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
