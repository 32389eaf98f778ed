// Scores of structures, and saliency scores. The Java twin is org.fettle.internal.kernels.ScoreKernels.
#pragma once

#include "core/tree.h"
#include "kernels/kernel.h"

namespace fettle {
namespace FETTLE_TIER {

enum ScoreKind { scoreAbsolute = 0, scoreSquare = 1, scoreProduct = 2 };
enum ScoreFinish { finishNone = 0, finishRoot = 1, finishAbsolute = 2 };

// Sums of doubles in the fixed order: 128 lanes and a halving tree over a chunk of 4,096, chunks in ascending order.
struct LaneSum {
  double lanes[reductionLanes];
  double sum;
  int64_t count;

  FETTLE_INLINE LaneSum() : sum(0.0), count(0) { clear(); }
  FETTLE_INLINE void clear() {
    for (int k = 0; k < reductionLanes; k++) lanes[k] = 0.0;
  }
  FETTLE_INLINE void add(double term) {
    lanes[count % reductionLanes] += term;
    count++;
    if (count % FETTLE_CHUNK == 0) close();
  }
  FETTLE_INLINE void close() {
    sum += treeSum(lanes, reductionLanes);
    clear();
  }
  FETTLE_INLINE double total() {
    if (count % FETTLE_CHUNK != 0) close();
    return sum;
  }
};

FETTLE_FN double scoreTerm(int64_t kind, double x, double g) {
  return kind == scoreAbsolute ? (x < 0.0 ? -x : x) : kind == scoreSquare ? x * x : x * g;
}

FETTLE_FN double finished(int64_t finish, double sum) {
  return finish == finishRoot ? rootOf(sum) : finish == finishAbsolute ? (sum < 0.0 ? -sum : sum) : sum;
}

FETTLE_FN void storeScore(const fettle_call& call, int index, int64_t at, double score) {
  if (call.dtype[index] == FETTLE_F64) {
    arrayOf<double>(call, index)[at] = score;
  } else {
    arrayOf<float>(call, index)[at] = float(score);
  }
}

// One score per index of the middle axis of [outer, middle, inner]. A unit is a score. array 0: F32; array 1: F32, the other
// factor, or null; array 2: F32 or F64 scores. integers 0 .. 4: outer, middle, inner, ScoreKind, ScoreFinish.
struct ScoreGroups {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const int64_t middle = call.integer[1];
    const int64_t inner = call.integer[2];
    const float* x = arrayOf<const float>(call, 0);
    const float* g = call.array[1] == nullptr ? x : arrayOf<const float>(call, 1);
    LaneSum sum;
    for (int64_t o = 0; o < call.integer[0]; o++) {
      const int64_t first = (o * middle + unit) * inner;
      for (int64_t i = first; i < first + inner; i++) sum.add(scoreTerm(call.integer[3], double(x[i]), double(g[i])));
    }
    storeScore(call, 2, unit, finished(call.integer[4], sum.total()));
  }
};

// One score per tile of b x b, the last ones of a row or column smaller. A unit is a tile. array 0: F32 [rows, columns];
// array 2: F32 or F64. integers 0 .. 4: rows, columns, b, ScoreKind, ScoreFinish.
struct ScoreBlocks {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const int64_t rows = call.integer[0];
    const int64_t columns = call.integer[1];
    const int64_t b = call.integer[2];
    const int64_t across = unitsOf(columns, b);
    const int64_t row = unit / across * b;
    const int64_t column = unit % across * b;
    LaneSum sum;
    for (int64_t i = row; i < smaller(row + b, rows); i++) {
      for (int64_t j = column; j < smaller(column + b, columns); j++) {
        const double x = double(arrayOf<const float>(call, 0)[i * columns + j]);
        sum.add(scoreTerm(call.integer[3], x, x));
      }
    }
    storeScore(call, 2, unit, finished(call.integer[4], sum.total()));
  }
};

constexpr int64_t scoreUnit = 4096;

// |g w| or w Hg. A unit is 4,096 elements. array 0: F32 weights; array 1: F32, the other factor; array 2: F64, one sum per unit.
// integers 0, 1: elements, 1 for magnitudes.
struct SaliencyProducts {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    LaneSum sum;
    const int64_t last = smaller((unit + 1) * scoreUnit, call.integer[0]);
    for (int64_t i = unit * scoreUnit; i < last; i++) {
      const double product = double(arrayOf<const float>(call, 0)[i]) * double(arrayOf<const float>(call, 1)[i]);
      sum.add(call.integer[1] != 0 && product < 0.0 ? -product : product);
    }
    arrayOf<double>(call, 2)[unit] = sum.total();
  }
};

// The same products divided by a number. array 2: F32 scores; number 0: what divides them, 0 for scores of 0.
struct SaliencyScale {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const double by = call.number[0];
    const int64_t last = smaller((unit + 1) * scoreUnit, call.integer[0]);
    for (int64_t i = unit * scoreUnit; i < last; i++) {
      double product = double(arrayOf<const float>(call, 0)[i]) * double(arrayOf<const float>(call, 1)[i]);
      if (call.integer[1] != 0 && product < 0.0) product = -product;
      arrayOf<float>(call, 2)[i] = by == 0.0 ? 0.0f : float(product / by);
    }
  }
};

FETTLE_FN double magnitudeOf(float x) { return double(absolute(x)); }

// |W| times a vector. A unit is a row. array 0: F32 [rows, columns]; array 1: F64 [columns]; array 2: F64 [rows].
// integers 0, 1: rows, columns.
struct FlowForward {
  FETTLE_FN void unit(const fettle_call& call, int64_t row) {
    const int64_t columns = call.integer[1];
    const float* w = arrayOf<const float>(call, 0) + row * columns;
    LaneSum sum;
    for (int64_t j = 0; j < columns; j++) sum.add(magnitudeOf(w[j]) * arrayOf<const double>(call, 1)[j]);
    arrayOf<double>(call, 2)[row] = sum.total();
  }
};

// A vector times |W|, rows in ascending order. A unit is 64 columns. array 1: F64 [rows]; array 2: F64 [columns].
struct FlowBackward {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const int64_t columns = call.integer[1];
    double sums[64];
    const int64_t first = unit * 64;
    const int64_t n = smaller(64, columns - first);
    for (int64_t j = 0; j < n; j++) sums[j] = 0.0;
    for (int64_t i = 0; i < call.integer[0]; i++) {
      const float* w = arrayOf<const float>(call, 0) + i * columns + first;
      const double flow = arrayOf<const double>(call, 1)[i];
      for (int64_t j = 0; j < n; j++) sums[j] += magnitudeOf(w[j]) * flow;
    }
    for (int64_t j = 0; j < n; j++) arrayOf<double>(call, 2)[first + j] = sums[j];
  }
};

// |w_ij| above_i below_j scale. A unit is a row. array 1: F64 [rows]; array 2: F64 [columns]; array 3: F32 scores;
// number 0: the scale.
struct FlowScores {
  FETTLE_FN void unit(const fettle_call& call, int64_t row) {
    const int64_t columns = call.integer[1];
    const float* w = arrayOf<const float>(call, 0) + row * columns;
    const double above = arrayOf<const double>(call, 1)[row];
    for (int64_t j = 0; j < columns; j++) {
      const double score = magnitudeOf(w[j]) * above * arrayOf<const double>(call, 2)[j] * call.number[0];
      arrayOf<float>(call, 3)[row * columns + j] = float(score);
    }
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
