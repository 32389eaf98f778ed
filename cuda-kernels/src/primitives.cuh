// Batches of primitives on a device: what their kernels are given, and the table of the kernels.
#pragma once

#include "fettle/fettle.h"
#include "tables.cuh"

namespace fettle {
namespace FETTLE_TIER {

// An item of a primitive's launch, with the number of its first unit among the launch's.
struct Line {
  int64_t firstUnit;
  int64_t item;
};

struct BatchTables {
  const fettle_item* items;
  const Line* lines;
  double* sums;       // planes of partial sums, as fettle_batch_layout numbers them
  int64_t sumCount;
  double* rowValues;  // what each row adds to its item's sum, numbered as the batch's units
  double* results;    // FETTLE_MAX_SUMS per item
};

enum class PrimitiveKind { Elements, Rows, Pixels };

struct PrimitiveKernel {
  PrimitiveKind kind;
  int planes;
  bool maximum;
  bool labelled;
  void (*run)(BatchTables, Span lines, int64_t units);
  void (*runStored)(BatchTables, Span lines, int64_t units);  // where an array is stored by blocks or compensated; null: none may be
};

int primitiveCount();
PrimitiveKernel primitiveKernel(int primitive);

// What the sums of one item are made of.
struct ItemSums {
  int64_t first;    // of the partial sums of plane 0, or of the row values
  int64_t count;
  int32_t planes;
  int32_t maximum;  // of plane 0
  int64_t byRows;
};

// Completes the sums of every item: a block per item.
__global__ void finishBatch(BatchTables tables, const ItemSums* items, int64_t count);

}  // namespace FETTLE_TIER
}  // namespace fettle
