// What one CPU tier offers for batches of primitives.
#pragma once

#include "fettle/fettle.h"

namespace fettle {

struct PrimitiveTable {
  // Units first .. last - 1 of a batch.
  void (*run)(const fettle_batch* batch, int64_t first, int64_t last);
};

extern const PrimitiveTable primitives_v3;
extern const PrimitiveTable primitives_v4;

}  // namespace fettle
