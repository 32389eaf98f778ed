// Elementwise estimators over rows: a unit is a chunk of 4,096 elements of a row. The Java twin is
// org.fettle.internal.kernels.RowChunks.
//
// An operation says
//
//   inputs, outputs, sums, rowValues     how many arrays, sums per row, and F32 values that each row has
//   prepare(c, row)                      completes the factors c (numbers 0 to 7, rounded to float) with the row's values
//   apply(c, in, out, terms)             one element; sum k adds terms.a[k] * terms.b[k]
//
// Arrays: the inputs, the outputs, then the row values; array 15: F64 partial sums, `sums` per unit, in the fixed order.
// An output may be an input. integer 0: columns, 1: chunks of a row, 2: 1 if every row has its values, 0 if they share one's.
#pragma once

#include "core/rule.h"
#include "core/tree.h"
#include "kernels/kernel.h"

namespace fettle {
namespace FETTLE_TIER {

struct ChunkDefaults {
  static constexpr int inputs = 1;
  static constexpr int outputs = 1;
  static constexpr int sums = 0;
  static constexpr int rowValues = 0;
  FETTLE_FN void prepare(float*, const float*) {}
};

constexpr int64_t rowChunk = 4096;
constexpr int chunkFactors = 16;
constexpr int partialSums = 15;

template <class Operation>
struct ChunkPlace {
  int64_t first;
  int64_t count;
  float c[chunkFactors];

  FETTLE_FN ChunkPlace of(const fettle_call& call, int64_t unit) {
    ChunkPlace place;
    const int64_t columns = call.integer[0];
    const int64_t row = unit / call.integer[1];
    const int64_t start = (unit - row * call.integer[1]) * rowChunk;
    place.first = row * columns + start;
    place.count = smaller(rowChunk, columns - start);
    for (int k = 0; k < 8; k++) place.c[k] = float(call.number[k]);
    for (int k = 8; k < chunkFactors; k++) place.c[k] = 0.0f;
    const float* values = nullptr;
    if (Operation::rowValues > 0) {
      values = arrayOf<const float>(call, Operation::inputs + Operation::outputs) +
               (call.integer[2] != 0 ? row * Operation::rowValues : 0);
    }
    Operation::prepare(place.c, values);
    return place;
  }
};

template <class Operation>
struct RowChunks {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const ChunkPlace<Operation> place = ChunkPlace<Operation>::of(call, unit);
    constexpr int slots = Operation::sums > 0 ? Operation::sums : 1;
    double lanes[slots][reductionLanes];
    if (Operation::sums > 0) {
      for (int k = 0; k < slots; k++) {
        for (int l = 0; l < reductionLanes; l++) lanes[k][l] = 0.0;
      }
    }
    for (int64_t i = 0; i < place.count; i++) {
      float in[Operation::inputs], out[Operation::outputs > 0 ? Operation::outputs : 1];
      Terms<float> terms;
      for (int k = 0; k < Operation::inputs; k++) in[k] = arrayOf<const float>(call, k)[place.first + i];
      Operation::apply(place.c, in, out, terms);
      for (int k = 0; k < Operation::outputs; k++) {
        arrayOf<float>(call, Operation::inputs + k)[place.first + i] = out[k];
      }
      for (int k = 0; k < Operation::sums; k++) {
        lanes[k][i & (reductionLanes - 1)] += double(terms.a[k]) * double(terms.b[k]);
      }
    }
    for (int k = 0; k < Operation::sums; k++) {
      arrayOf<double>(call, partialSums)[unit * Operation::sums + k] = treeSum(lanes[k], reductionLanes);
    }
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
