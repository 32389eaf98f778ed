// The primitives on a device. Elementwise ones give a chunk to a warp, rows a row to a block, pixels a run of pixels to
// a block; an output may be the memory of an input, since a thread reads what it writes before it writes.
#include "primitives.cuh"

#include "gather.cuh"
#include "stored.cuh"
#include "primitives/elements.h"
#include "primitives/pixels.h"
#include "primitives/rows.h"
#include "primitives/steps.h"

namespace fettle {
namespace FETTLE_TIER {

namespace {

struct Place {
  const fettle_item* item;
  int64_t unit;  // of the item
};

// The item that a unit of a launch belongs to. Items without units are not among the lines.
FETTLE_DEVICE Place placeOf(const BatchTables& tables, const Span& lines, int64_t unit) {
  int64_t low = lines.first;
  int64_t high = lines.last;
  while (high - low > 1) {
    const int64_t middle = low + (high - low) / 2;
    if (tables.lines[middle].firstUnit <= unit) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return {tables.items + tables.lines[low].item, unit - tables.lines[low].firstUnit};
}

FETTLE_DEVICE int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

// Stores a quad as it was read, bit for bit.
FETTLE_DEVICE void storeRaw(const fettle_operand& operand, int64_t element, Part part, const Raw& raw) {
  if (operand.dtype == FETTLE_F32) {
    Quad quad;
    FETTLE_UNROLL
    for (int k = 0; k < quadElements; k++) quad.value[k] = floatOf(raw.word[k]);
    storeWords(static_cast<uint32_t*>(operand.data) + element, part, quad);
    return;
  }
  uint16_t codes[quadElements];
  FETTLE_UNROLL
  for (int k = 0; k < quadElements; k++) codes[k] = uint16_t(raw.word[k / 2] >> (16 * (k % 2)));
  storeCodes(static_cast<uint16_t*>(operand.data) + element, part, codes);
}

FETTLE_DEVICE float loadOne(const fettle_operand& operand, int64_t element) {
  return decode(loadRaw(operand, element, {0, 1}), operand.dtype).value[0];
}

FETTLE_DEVICE void storeOne(const fettle_operand& operand, int64_t element, float value) {
  storeNearest(operand, element, {0, 1}, {{value, 0.0f, 0.0f, 0.0f}});
}

// One chunk of an elementwise primitive, by a warp.
template <class P>
FETTLE_DEVICE void elementsOf(const BatchTables& tables, const fettle_item& item, int64_t chunk) {
  float c[FETTLE_MAX_FACTORS];
  FETTLE_UNROLL
  for (int k = 0; k < FETTLE_MAX_FACTORS; k++) c[k] = float(item.factors[k]);
  double lane[P::sums + 1][lanesPerThread] = {};
  const int64_t first = chunk * FETTLE_CHUNK;
  const int64_t last = least(first + FETTLE_CHUNK, item.elements);
  const int thread = int(threadIdx.x % warpThreads) * quadElements;
  for (int64_t row = first; row < last; row += rowsInFlight * rowElements) {
    Raw raw[rowsInFlight][P::inputs];
    FETTLE_UNROLL
    for (int f = 0; f < rowsInFlight; f++) {
      const int64_t at = row + f * rowElements + thread;
      FETTLE_UNROLL
      for (int j = 0; j < P::inputs; j++) raw[f][j] = loadRaw(item.array[j], at, partIn(at, last));
    }
    FETTLE_UNROLL
    for (int f = 0; f < rowsInFlight; f++) {
      const int64_t at = row + f * rowElements + thread;
      const Part part = partIn(at, last);
      if constexpr (P::saves) storeRaw(item.array[P::inputs + P::outputs], at, part, raw[f][0]);
      if constexpr (P::outputs + P::sums > 0) {
        Quad in[P::inputs];
        Quad out[P::outputs + 1];
        FETTLE_UNROLL
        for (int j = 0; j < P::inputs; j++) in[j] = decode(raw[f][j], item.array[j].dtype);
        applyQuad<P>(c, in, part, out, lane);
        FETTLE_UNROLL
        for (int j = 0; j < P::outputs; j++) storeNearest(item.array[P::inputs + j], at, part, out[j]);
      }
    }
  }
  storeSums<P>(tables, item, chunk, lane);
}

template <class P>
__global__ void __launch_bounds__(mostThreads) elements(BatchTables tables, Span lines, int64_t units) {
  const int64_t step = warpCount();
  for (int64_t unit = warpNumber(); unit < units; unit += step) {
    const Place place = placeOf(tables, lines, unit);
    elementsOf<P>(tables, *place.item, place.unit);
  }
}

template <class P>
__global__ void __launch_bounds__(mostThreads) storedElements(BatchTables tables, Span lines, int64_t units) {
  const int64_t step = warpCount();
  for (int64_t unit = warpNumber(); unit < units; unit += step) {
    const Place place = placeOf(tables, lines, unit);
    storedElementsOf<P>(tables, *place.item, place.unit);
  }
}

// The partial sum of one chunk of a row, by a warp.
template <class P>
FETTLE_DEVICE double rowChunk(const fettle_operand& array, int64_t first, int64_t last) {
  double lane[lanesPerThread] = {};
  const int thread = int(threadIdx.x % warpThreads) * quadElements;
  for (int64_t row = first; row < last; row += rowElements) {
    const int64_t at = row + thread;
    const Part part = partIn(at, last);
    const Quad x = decode(loadRaw(array, at, part), array.dtype);
    FETTLE_UNROLL
    for (int k = 0; k < quadElements; k++) {
      float a;
      float b;
      P::term(x.value[k], a, b);
      if (part.holds(k)) accumulate(lane[k], a, b);
    }
  }
  return warpTree(lane);
}

template <class P>
FETTLE_DEVICE void rowOf(const BatchTables& tables, const fettle_item& item, int64_t row) {
  __shared__ RowFactors shared;
  const int64_t chunks = (item.row - 1) / FETTLE_CHUNK + 1;
  const int64_t first = row * item.row;
  const int64_t last = first + item.row;
  double* const sums = tables.sums + item.first_sum + row * chunks;
  const int64_t warp = int64_t(threadIdx.x) / warpThreads;
  const int64_t warps = int64_t(blockDim.x) / warpThreads;
  for (int64_t k = warp; k < chunks; k += warps) {
    const int64_t from = first + k * FETTLE_CHUNK;
    const double sum = rowChunk<P>(item.array[0], from, least(from + FETTLE_CHUNK, last));
    if (threadIdx.x % warpThreads == 0) sums[k] = sum;
  }
  __syncthreads();
  const double sum = blockTree(sums, chunks);
  int64_t label = -1;
  float at = 0.0f;
  if constexpr (P::labelled) {
    label = first + item.labels[row];
    at = loadOne(item.array[0], label);
  }
  if (threadIdx.x == 0) {
    RowFactors factors = {};
    tables.rowValues[item.first_unit + row] = P::begin(item.factors, sum, at, factors);
    shared = factors;
  }
  __syncthreads();
  if constexpr (P::outputs > 0) {
    const RowFactors factors = shared;
    for (int64_t from = first + int64_t(threadIdx.x) * quadElements; from < last;
         from += int64_t(blockDim.x) * quadElements) {
      const Part part = partIn(from, last);
      Quad in[P::inputs];
      Quad out;
      FETTLE_UNROLL
      for (int j = 0; j < P::inputs; j++) {
        in[j] = decode(loadRaw(item.array[j], from, part), item.array[j].dtype);
      }
      FETTLE_UNROLL
      for (int k = 0; k < quadElements; k++) {
        float x[P::inputs];
        FETTLE_UNROLL
        for (int j = 0; j < P::inputs; j++) x[j] = in[j].value[k];
        P::apply(factors, x, &out.value[k]);
        if constexpr (P::labelled) {
          if (from + k == label) out.value[k] = P::applyLabel(factors, at);
        }
      }
      storeNearest(item.array[P::inputs], from, part, out);
    }
  }
  // The factors are the next row's afterwards.
  __syncthreads();
}

template <class P>
__global__ void __launch_bounds__(mostThreads) rows(BatchTables tables, Span lines, int64_t units) {
  for (int64_t unit = int64_t(blockIdx.x); unit < units; unit += int64_t(gridDim.x)) {
    const Place place = placeOf(tables, lines, unit);
    rowOf<P>(tables, *place.item, place.unit);
  }
}

template <class P>
__global__ void __launch_bounds__(mostThreads) pixels(BatchTables tables, Span lines, int64_t units) {
  for (int64_t unit = int64_t(blockIdx.x); unit < units; unit += int64_t(gridDim.x)) {
    const Place place = placeOf(tables, lines, unit);
    const fettle_item& item = *place.item;
    const float limit = float(item.factors[0]);
    const int64_t runs = (item.pixels - 1) / FETTLE_PIXEL_RUN + 1;
    const int64_t pixel = place.unit % runs * FETTLE_PIXEL_RUN;
    const int64_t n = least(FETTLE_PIXEL_RUN, item.pixels - pixel);
    const int64_t image = place.unit / runs * item.row * item.pixels + pixel;
    for (int64_t i = int64_t(threadIdx.x); i < n; i += int64_t(blockDim.x)) {
      float largest = 0.0f;
      for (int64_t channel = 0; channel < item.row; channel++) {
        largest = larger(largest, absolute(loadOne(item.array[0], image + channel * item.pixels + i)));
      }
      const float factor = P::factor(limit, largest);
      for (int64_t channel = 0; channel < item.row; channel++) {
        const int64_t at = image + channel * item.pixels + i;
        storeOne(item.array[1], at, loadOne(item.array[0], at) * factor);
      }
    }
  }
}

template <class P>
PrimitiveKernel kernelOfElements() {
  PrimitiveKernel kernel = {PrimitiveKind::Elements, P::sums, P::maximum, false, elements<P>, nullptr};
  if constexpr (!P::saves) kernel.runStored = storedElements<P>;
  return kernel;
}
template <class P>
PrimitiveKernel kernelOfRows() {
  return {PrimitiveKind::Rows, 1, false, P::labelled, rows<P>, nullptr};
}
template <class P>
PrimitiveKernel kernelOfPixels() {
  return {PrimitiveKind::Pixels, 0, false, false, pixels<P>, nullptr};
}

enum PrimitiveNumber {
#define FETTLE_PRIMITIVE(id, kind, ...) primitive_##id,
#include "fettle/primitives.def"
#undef FETTLE_PRIMITIVE
  countOfPrimitives
};

}  // namespace

int primitiveCount() { return countOfPrimitives; }

PrimitiveKernel primitiveKernel(int primitive) {
  switch (primitive) {
#define FETTLE_PRIMITIVE(id, kind, ...) \
  case primitive_##id:                  \
    return kernelOf##kind<__VA_ARGS__>();
#include "fettle/primitives.def"
#undef FETTLE_PRIMITIVE
    default: return {};
  }
}

__global__ void __launch_bounds__(mostThreads) finishBatch(BatchTables tables, const ItemSums* items, int64_t count) {
  for (int64_t i = int64_t(blockIdx.x); i < count; i += int64_t(gridDim.x)) {
    const ItemSums item = items[i];
    for (int32_t plane = 0; plane < item.planes; plane++) {
      double* const partial =
          item.byRows != 0 ? tables.rowValues + item.first : tables.sums + plane * tables.sumCount + item.first;
      const double sum = item.maximum != 0 ? blockLargestOf(partial, item.count) : blockTree(partial, item.count);
      if (threadIdx.x == 0) tables.results[i * FETTLE_MAX_SUMS + plane] = item.count > 0 ? sum : 0.0;
    }
  }
}

}  // namespace FETTLE_TIER
}  // namespace fettle
