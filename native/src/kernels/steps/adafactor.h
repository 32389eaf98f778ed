// Adafactor's passes. A tensor is `matrices` matrices of rows x columns; without factors it is one run of elements.
//
//   q = g * g + eps1 ;  R <- ema(R, mean of q over a row, b) ;  C <- ema(C, mean of q over a column, b)
//   u = (g * rowFactor) * columnFactor, rowFactor = sqrt(mean(R) / R), columnFactor = 1 / sqrt(C)
//   without factors: v <- ema(v, q, b) ;  u = g / sqrt(v)
//   d = scale * u ;  with beta1: m <- ema(m, d, beta1), d = m ;  p <- p * decay - d
//
// Sums are double in the fixed order. A row: 128 lanes within 4,096 columns, a halving tree over the lanes and then over the runs of
// 4,096. A column: in row order within blocks of 256 rows, a halving tree over the blocks. The squares of u: the chunks of the tensor.
// Source: arXiv:1804.04235; facebookresearch/fairseq. Twin of org.fettle.internal.kernels.AdafactorKernels.
#pragma once

#include "core/numeric.h"
#include "core/tree.h"
#include "kernels/kernel.h"

namespace fettle {
namespace FETTLE_TIER {

// Row and column sums of q. A unit is a run of 4,096 columns in a block of 256 rows.
struct AdafactorSums {
  enum Array { gradient, rowSums, columnSums };
  enum Integer { rows, columns };
  enum Number { eps1 };

  static constexpr int64_t blockRows = 256;

  struct Part {
    int64_t firstRow, lastRow;  // counted over all matrices
    int64_t firstColumn, width;
    int64_t chunk, chunks;
    int64_t sums;  // where its column sums start

    FETTLE_FN Part of(const fettle_call& call, int64_t unit) {
      const int64_t height = call.integer[rows];
      const int64_t length = call.integer[columns];
      const int64_t chunks = unitsOf(length, FETTLE_CHUNK);
      const int64_t blocks = unitsOf(height, blockRows);
      const int64_t chunk = unit % chunks;
      const int64_t block = unit / chunks % blocks;
      const int64_t matrix = unit / chunks / blocks;
      const int64_t first = chunk * FETTLE_CHUNK;
      return {matrix * height + block * blockRows,
              matrix * height + smaller((block + 1) * blockRows, height),
              first,
              smaller(FETTLE_CHUNK, length - first),
              chunk,
              chunks,
              (matrix * blocks + block) * length + first};
    }
  };

  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const Part part = Part::of(call, unit);
    double* column = arrayOf<double>(call, columnSums) + part.sums;
    double lanes[reductionLanes];
    for (int64_t row = part.firstRow; row < part.lastRow; row++) {
      const int64_t at = row * call.integer[columns] + part.firstColumn;
      for (int64_t i = 0; i < part.width; i++) {
        const double g = double(valueAt(call, gradient, at + i));
        const double q = g * g + call.number[eps1];
        const int64_t lane = i % reductionLanes;
        lanes[lane] = i < reductionLanes ? q : lanes[lane] + q;
        column[i] = row == part.firstRow ? q : column[i] + q;
      }
      arrayOf<double>(call, rowSums)[row * part.chunks + part.chunk] =
          treeSum(lanes, smaller(part.width, reductionLanes));
    }
  }
};

// States and factors from the sums, which it uses up. A unit is a matrix.
struct AdafactorFactors {
  enum Array { rowSums, columnSums, rowState, columnState, rowFactors, columnFactors };
  enum Integer { rows, columns };
  enum Number { keep, take };

  FETTLE_FN float moved(const fettle_call& call, float state, double mean) {
    return float(call.number[keep] * double(state) + call.number[take] * mean);
  }

  FETTLE_FN void rowsOf(const fettle_call& call, int64_t unit) {
    const int64_t height = call.integer[rows];
    const int64_t length = call.integer[columns];
    const int64_t chunks = unitsOf(length, FETTLE_CHUNK);
    double* sums = arrayOf<double>(call, rowSums) + unit * height * chunks;
    float* state = arrayOf<float>(call, rowState) + unit * height;
    float* factor = arrayOf<float>(call, rowFactors) + unit * height;
    for (int64_t i = 0; i < height; i++) {
      state[i] = moved(call, state[i], treeSum(sums + i * chunks, chunks) / double(length));
      sums[i] = double(state[i]);
    }
    const double mean = treeSum(sums, height) / double(height);
    for (int64_t i = 0; i < height; i++) factor[i] = float(rootOf(mean / double(state[i])));
  }

  FETTLE_FN void columnsOf(const fettle_call& call, int64_t unit) {
    const int64_t height = call.integer[rows];
    const int64_t length = call.integer[columns];
    int64_t count = unitsOf(height, AdafactorSums::blockRows);
    double* sums = arrayOf<double>(call, columnSums) + unit * count * length;
    int64_t half = 1;
    while (half < count) half *= 2;
    for (half /= 2; half > 0; half /= 2) {
      for (int64_t i = 0; i < half && i + half < count; i++) {
        double* to = sums + i * length;
        const double* from = to + half * length;
        for (int64_t k = 0; k < length; k++) to[k] += from[k];
      }
      if (count > half) count = half;
    }
    float* state = arrayOf<float>(call, columnState) + unit * length;
    float* factor = arrayOf<float>(call, columnFactors) + unit * length;
    for (int64_t k = 0; k < length; k++) {
      state[k] = moved(call, state[k], sums[k] / double(height));
      factor[k] = float(1.0 / rootOf(double(state[k])));
    }
  }

  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    rowsOf(call, unit);
    columnsOf(call, unit);
  }
};

// What the last two passes have in common: u of a run of elements. A unit is a chunk of 4,096 elements.
struct AdafactorUpdate {
  enum Array { gradient, rowFactors, columnFactors, second, sums, parameter = sums, moment };
  enum Integer { elements, rows, columns };
  enum Number { eps1, keep, take, scale, decay, beta1, oneMinusBeta1 };

  template <class F>
  FETTLE_FN F factored(F g, F row, F column) {
    return (g * row) * column;
  }

  // Leaves the new v in `second`.
  template <class F>
  FETTLE_FN F whole(const fettle_call& call, F g, F& second) {
    const F q = fma(g, g, F(float(call.number[eps1])));
    second = movingAverage(second, q, F(float(call.number[keep])), F(float(call.number[take])));
    return g / root(second);
  }

  template <class F>
  FETTLE_FN F moved(const fettle_call& call, F p, F u, F& m, bool averages) {
    const F size = F(float(call.number[scale]));
    const F kept = p * F(float(call.number[decay]));
    if (!averages) return fma(-size, u, kept);
    m = movingAverage(m, size * u, F(float(call.number[beta1])), F(float(call.number[oneMinusBeta1])));
    return kept - m;
  }

  FETTLE_FN float at(const fettle_call& call, int64_t i, float& v) {
    const float g = valueAt(call, gradient, i);
    if (call.array[second] != nullptr) {
      v = arrayOf<const float>(call, second)[i];
      return whole(call, g, v);
    }
    const int64_t row = i / call.integer[columns];
    const int64_t column = row / call.integer[rows] * call.integer[columns] + i % call.integer[columns];
    return factored(g, arrayOf<const float>(call, rowFactors)[row], arrayOf<const float>(call, columnFactors)[column]);
  }

  FETTLE_FN int64_t endOf(const fettle_call& call, int64_t unit) {
    return smaller((unit + 1) * FETTLE_CHUNK, call.integer[elements]);
  }
};

// The sum of u * u of a chunk.
struct AdafactorSquares : AdafactorUpdate {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    double lanes[reductionLanes];
    const int64_t first = unit * FETTLE_CHUNK;
    const int64_t n = endOf(call, unit) - first;
    for (int64_t i = 0; i < n; i++) {
      float v;
      const double u = double(at(call, first + i, v));
      const int64_t lane = i % reductionLanes;
      lanes[lane] = i < reductionLanes ? u * u : lanes[lane] + u * u;
    }
    arrayOf<double>(call, sums)[unit] = treeSum(lanes, smaller(n, reductionLanes));
  }
};

struct AdafactorApply : AdafactorUpdate {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    float* v = arrayOf<float>(call, second);
    float* m = arrayOf<float>(call, moment);
    for (int64_t i = unit * FETTLE_CHUNK; i < endOf(call, unit); i++) {
      float newSecond = 0.0f;
      float newMoment = m == nullptr ? 0.0f : m[i];
      const float u = at(call, i, newSecond);
      putValue(call, parameter, i, moved(call, valueAt(call, parameter, i), u, newMoment, m != nullptr));
      if (v != nullptr) v[i] = newSecond;
      if (m != nullptr) m[i] = newMoment;
    }
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
