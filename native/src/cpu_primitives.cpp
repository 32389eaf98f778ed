// The C ABI of batches of primitives: lays them out, chooses the tier, shares out the units, adds the sums.
#include <stddef.h>

#include "core/blocks.h"
#include "core/compensated.h"
#include "core/tree.h"
#include "cpu/primitive_tier.h"
#include "environment.h"
#include "fettle/fettle.h"
#include "primitives/elements.h"
#include "primitives/pixels.h"
#include "primitives/rows.h"
#include "primitives/steps.h"

namespace {

using fettle::Environment;
using fettle::PrimitiveTable;

enum class Kind { Elements, Rows, Pixels };

// What the layout and the sums need to know of a primitive.
struct Shape {
  Kind kind;
  int planes;
  bool maximum;
  bool labelled;
  bool stores;  // whether its arrays may be stored by blocks, or with a compensation
  int inputs;
  int outputs;
};

template <class P>
constexpr Shape ofElements() {
  return {Kind::Elements, P::sums, P::maximum, false, !P::saves, P::inputs, P::outputs};
}
template <class P>
constexpr Shape ofRows() {
  return {Kind::Rows, 1, false, P::labelled, false, 0, 0};
}
template <class P>
constexpr Shape ofPixels() {
  return {Kind::Pixels, 0, false, false, false, 0, 0};
}

const Shape shapes[] = {
#define FETTLE_PRIMITIVE(id, kind, ...) of##kind<fettle::FETTLE_TIER::__VA_ARGS__>(),
#include "fettle/primitives.def"
#undef FETTLE_PRIMITIVE
};
constexpr int64_t primitiveCount = sizeof shapes / sizeof shapes[0];

const char* const ids[] = {
#define FETTLE_PRIMITIVE(id, kind, ...) #id,
#include "fettle/primitives.def"
#undef FETTLE_PRIMITIVE
};

#define FETTLE_AT(type, field) int64_t(offsetof(type, field))

const int64_t fields[] = {
    FETTLE_AT(fettle_batch, size), FETTLE_AT(fettle_batch, items), FETTLE_AT(fettle_batch, item_count),
    FETTLE_AT(fettle_batch, unit_count), FETTLE_AT(fettle_batch, sum_count), FETTLE_AT(fettle_batch, planes),
    FETTLE_AT(fettle_batch, range_units), FETTLE_AT(fettle_batch, cursor), FETTLE_AT(fettle_batch, sums),
    int64_t(sizeof(fettle_batch)),

    FETTLE_AT(fettle_item, array), FETTLE_AT(fettle_item, labels), FETTLE_AT(fettle_item, primitive),
    FETTLE_AT(fettle_item, elements), FETTLE_AT(fettle_item, row), FETTLE_AT(fettle_item, pixels),
    FETTLE_AT(fettle_item, first_unit), FETTLE_AT(fettle_item, units), FETTLE_AT(fettle_item, first_sum),
    FETTLE_AT(fettle_item, factors), FETTLE_AT(fettle_item, sums), int64_t(sizeof(fettle_item)),
};

#undef FETTLE_AT

bool known(const fettle_batch* batch) { return batch != nullptr && batch->size == int64_t(sizeof(fettle_batch)); }

const PrimitiveTable* tableOf(int32_t tier) {
  const int64_t offered = fettle_cpu_tiers();
  if (tier == FETTLE_CPU_V4 && (offered & FETTLE_CPU_V4) != 0) return &fettle::primitives_v4;
  if (tier == FETTLE_CPU_V3 && (offered & FETTLE_CPU_V3) != 0) return &fettle::primitives_v3;
  return nullptr;
}

// Without the overflow of adding first.
int64_t quotientUp(int64_t a, int64_t b) { return a / b + (a % b != 0 ? 1 : 0); }

// Sums that a unit leaves behind.
int64_t sumsPerUnit(const Shape& shape, const fettle_item& item) {
  if (shape.kind == Kind::Rows) return quotientUp(item.row, FETTLE_CHUNK);
  return shape.planes > 0 ? 1 : 0;
}

// How many units an item has; -1 where its extents do not fit each other.
int64_t unitsOf(const Shape& shape, const fettle_item& item) {
  if (item.elements < 0) return -1;
  if (item.elements == 0) return 0;
  if (shape.kind == Kind::Elements) return quotientUp(item.elements, FETTLE_CHUNK);
  if (item.row <= 0 || item.elements % item.row != 0) return -1;
  if (shape.kind == Kind::Rows) return shape.labelled && item.labels == nullptr ? -1 : item.elements / item.row;
  const int64_t rows = item.elements / item.row;
  if (item.pixels <= 0 || rows % item.pixels != 0) return -1;
  return rows / item.pixels * quotientUp(item.pixels, FETTLE_PIXEL_RUN);
}

bool hasBlockSize(const fettle_operand& array) {
  const int64_t size = array.block_size;
  const int64_t least = fettle::FETTLE_TIER::bitsOfCode(array.dtype) == 4 ? 2 : 1;
  return size >= least && size <= FETTLE_CHUNK && (size & (size - 1)) == 0;
}

// Whether the arrays may be stored as they are.
bool isStoredRight(const Shape& shape, const fettle_item& item) {
  int64_t written = 0;
  for (int k = 0; k < FETTLE_MAX_ARRAYS; k++) {
    const fettle_operand& array = item.array[k];
    const bool blocked = fettle::FETTLE_TIER::isBlocked(array);
    if (array.data == nullptr || (!blocked && !fettle::FETTLE_TIER::isCompensated(array))) continue;
    if (!shape.stores || k >= shape.inputs + shape.outputs || array.scales == nullptr) return false;
    if (!blocked) continue;
    if (!hasBlockSize(array)) return false;
    if (k < shape.inputs) continue;
    if (written != 0 && written != array.block_size) return false;
    written = array.block_size;
  }
  return true;
}

double largestOf(const double* values, int64_t count) {
  double largest = 0.0;
  for (int64_t i = 0; i < count; i++) {
    if (values[i] != values[i]) return values[i];
    if (values[i] > largest) largest = values[i];
  }
  return largest;
}

void finishItem(const fettle_batch& batch, fettle_item& item) {
  const Shape& shape = shapes[item.primitive];
  for (double& sum : item.sums) sum = 0.0;
  const int64_t each = sumsPerUnit(shape, item);
  for (int plane = 0; plane < shape.planes; plane++) {
    double* partial = batch.sums + plane * batch.sum_count + item.first_sum;
    // A row's value stands at the front of the row's own scratch.
    for (int64_t unit = 1; each > 1 && unit < item.units; unit++) partial[unit] = partial[unit * each];
    item.sums[plane] = shape.maximum ? largestOf(partial, item.units)
                                     : fettle::FETTLE_TIER::treeSum(partial, item.units);
  }
}

}  // namespace

extern "C" {

int32_t fettle_batch_layout(fettle_batch* batch) {
  if (!known(batch)) return FETTLE_INVALID_ARGUMENT;
  batch->unit_count = 0;
  batch->sum_count = 0;
  batch->planes = 0;
  for (int64_t i = 0; i < batch->item_count; i++) {
    fettle_item& item = batch->items[i];
    if (item.primitive < 0 || item.primitive >= primitiveCount) return FETTLE_INVALID_ARGUMENT;
    const Shape& shape = shapes[item.primitive];
    item.units = unitsOf(shape, item);
    if (item.units < 0 || !isStoredRight(shape, item)) return FETTLE_INVALID_ARGUMENT;
    item.first_unit = batch->unit_count;
    item.first_sum = batch->sum_count;
    batch->unit_count += item.units;
    batch->sum_count += item.units * sumsPerUnit(shape, item);
    if (shape.planes > batch->planes) batch->planes = shape.planes;
  }
  return FETTLE_OK;
}

int32_t fettle_cpu_batch_run(fettle_batch* batch, int32_t tier) {
  const Environment environment;
  if (!known(batch) || batch->range_units <= 0) return FETTLE_INVALID_ARGUMENT;
  const PrimitiveTable* table = tableOf(tier);
  if (table == nullptr) return FETTLE_UNAVAILABLE;
  while (true) {
    const int64_t first = __atomic_fetch_add(&batch->cursor, batch->range_units, __ATOMIC_RELAXED);
    if (first >= batch->unit_count) return FETTLE_OK;
    const int64_t left = batch->unit_count - first;
    table->run(batch, first, first + (batch->range_units < left ? batch->range_units : left));
  }
}

int32_t fettle_batch_finish(fettle_batch* batch) {
  const Environment environment;
  if (!known(batch)) return FETTLE_INVALID_ARGUMENT;
  for (int64_t i = 0; i < batch->item_count; i++) finishItem(*batch, batch->items[i]);
  return FETTLE_OK;
}

const char* fettle_primitive_id(int32_t primitive) {
  return primitive >= 0 && primitive < primitiveCount ? ids[primitive] : nullptr;
}

int64_t fettle_batch_field(int32_t index) {
  const int32_t count = int32_t(sizeof fields / sizeof fields[0]);
  return index >= 0 && index < count ? fields[index] : -1;
}

}
