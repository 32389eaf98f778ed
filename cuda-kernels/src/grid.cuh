// Formats with a scale per tile of a matrix: a block takes a strip of parts. A thread keeps to a quad of columns and goes down the
// rows; what it finds is put together in shared memory. Extremes are exact, so their order is free.
#pragma once

#include "casts.cuh"
#include "kernels/formats/grid.h"

namespace fettle {
namespace FETTLE_TIER {

constexpr int gridQuads = 4;  // of a thread at once

// What a strip's parts are encoded with, and before that their extremes.
struct StripShared {
  int largest[gridStripParts];
  int smallest[gridStripParts];
  float factor[gridStripParts];
  int zero[gridStripParts];
};

// A strip as its threads share it out: `across` of them beside each other take quads of columns, the others rows below.
struct Strip {
  int64_t firstColumn, lastColumn;
  int64_t quads;  // of columns
  int across, down;
  int column, row;  // of this thread
};

FETTLE_DEVICE Strip stripOf(const Grid& g, const GridUnit& u) {
  Strip s;
  s.firstColumn = partStart(g, u.firstPart);
  s.lastColumn = u.lastPart > u.firstPart ? partEnd(g, u.lastPart - 1) : s.firstColumn;
  s.quads = unitsOf(s.lastColumn - s.firstColumn, quadElements);
  s.across = s.quads < mostThreads ? int(s.quads) : mostThreads;
  if (s.across == 0) s.across = 1;
  s.down = mostThreads / s.across;
  s.column = int(threadIdx.x) % s.across;
  s.row = int(threadIdx.x) / s.across;
  return s;
}

// The part of a column, by its number in the strip.
FETTLE_DEVICE int partOf(const Grid& g, const GridUnit& u, int64_t column) {
  const int64_t tile = column / g.tileColumns;
  const int64_t part = tile * g.partsAcross + (column - tile * g.tileColumns) / g.partColumns;
  return int(part - u.firstPart);
}

// Calls each(raw, part, row, column) for every quad of this thread, several loads at a time.
template <class Each>
FETTLE_DEVICE void eachQuad(const fettle_call& call, const Grid& g, const GridUnit& u, const Strip& s, int64_t quad,
                            Each each) {
  const uint32_t* const x = arrayOf<const uint32_t>(call, 0);
  const int64_t column = s.firstColumn + quad * quadElements;
  const Part part = partIn(column, s.lastColumn);
  for (int64_t row = u.firstRow + s.row; row < u.lastRow; row += gridQuads * s.down) {
    Raw raw[gridQuads];
    FETTLE_UNROLL
    for (int q = 0; q < gridQuads; q++) {
      const int64_t at = row + q * s.down;
      if (at < u.lastRow) raw[q] = loadWords(x + at * g.columns + column, part);
    }
    FETTLE_UNROLL
    for (int q = 0; q < gridQuads; q++) {
      const int64_t at = row + q * s.down;
      if (at < u.lastRow) each(raw[q], part, at, column);
    }
  }
}

struct Extremes {
  int largest, smallest;
};

FETTLE_DEVICE void takeExtremes(const GridCodec& c, Extremes& e, uint32_t word) {
  const int key = c.twoSided ? keyOf(floatOf(word)) : int(word & 0x7FFFFFFFu);
  e.largest = key > e.largest ? key : e.largest;
  e.smallest = key < e.smallest ? key : e.smallest;
}

FETTLE_DEVICE void mergeExtremes(const GridCodec& c, StripShared& shared, int part, const Extremes& e) {
  atomicMax(&shared.largest[part], e.largest);
  if (c.twoSided) atomicMin(&shared.smallest[part], e.smallest);
}

// A strip that is a single part, as a row mostly is: a thread keeps what it found, and a warp tells it at once.
FETTLE_DEVICE void findInPart(const fettle_call& call, const GridCodec& c, const Grid& g, const GridUnit& u,
                              const Strip& s, StripShared& shared) {
  Extremes found = {c.twoSided ? INT32_MIN : 0, INT32_MAX};
  const uint32_t* const x = arrayOf<const uint32_t>(call, 0);
  for (int64_t row = u.firstRow + s.row; row < u.lastRow && s.row < s.down; row += s.down) {
    for (int64_t quad = s.column; quad < s.quads; quad += gridQuads * s.across) {
      Raw raw[gridQuads];
      FETTLE_UNROLL
      for (int q = 0; q < gridQuads; q++) {
        const int64_t column = s.firstColumn + (quad + q * s.across) * quadElements;
        if (column < s.lastColumn) raw[q] = loadWords(x + row * g.columns + column, partIn(column, s.lastColumn));
      }
      FETTLE_UNROLL
      for (int q = 0; q < gridQuads; q++) {
        const int64_t column = s.firstColumn + (quad + q * s.across) * quadElements;
        const Part part = partIn(column, s.lastColumn);
        FETTLE_UNROLL
        for (int k = 0; k < quadElements; k++) {
          if (part.holds(k)) takeExtremes(c, found, raw[q].word[k]);
        }
      }
    }
  }
  found.largest = __reduce_max_sync(fullWarp, found.largest);
  found.smallest = __reduce_min_sync(fullWarp, found.smallest);
  if (threadIdx.x % warpThreads == 0) mergeExtremes(c, shared, 0, found);
}

FETTLE_DEVICE void findInParts(const fettle_call& call, const GridCodec& c, const Grid& g, const GridUnit& u,
                               const Strip& s, StripShared& shared) {
  if (s.row >= s.down) return;
  for (int64_t quad = s.column; quad < s.quads; quad += s.across) {
    Extremes found[quadElements];
    FETTLE_UNROLL
    for (int k = 0; k < quadElements; k++) found[k] = {c.twoSided ? INT32_MIN : 0, INT32_MAX};
    eachQuad(call, g, u, s, quad, [&](const Raw& raw, Part part, int64_t, int64_t) {
      FETTLE_UNROLL
      for (int k = 0; k < quadElements; k++) {
        if (part.holds(k)) takeExtremes(c, found[k], raw.word[k]);
      }
    });
    const int64_t column = s.firstColumn + quad * quadElements;
    const Part part = partIn(column, s.lastColumn);
    FETTLE_UNROLL
    for (int k = 0; k < quadElements; k++) {
      if (part.holds(k)) mergeExtremes(c, shared, partOf(g, u, column + k), found[k]);
    }
  }
}

// The extremes of a strip's parts, in shared memory. The whole block calls this.
FETTLE_DEVICE void findExtremes(const fettle_call& call, const GridCodec& c, const Grid& g, const GridUnit& u,
                                const Strip& s, StripShared& shared) {
  const int count = int(u.lastPart - u.firstPart);
  const bool none = u.firstRow >= u.lastRow;
  for (int p = int(threadIdx.x); p < count; p += mostThreads) {
    shared.largest[p] = c.twoSided && !none ? INT32_MIN : 0;
    shared.smallest[p] = c.twoSided && !none ? INT32_MAX : 0;
  }
  __syncthreads();
  if (count == 1 && !none) {
    findInPart(call, c, g, u, s, shared);
  } else if (!none) {
    findInParts(call, c, g, u, s, shared);
  }
  __syncthreads();
}

// The codes of a strip by the factors in shared memory, and those of the transposed matrix.
FETTLE_DEVICE void encodeStrip(const fettle_call& call, const GridCodec& c, const Grid& g, const GridUnit& u,
                               const Strip& s, const StripShared& shared) {
  if (s.row >= s.down) return;
  uint8_t* const codes = arrayOf<uint8_t>(call, 1);
  uint8_t* const transposed = arrayOf<uint8_t>(call, 4);
  const bool single = u.lastPart - u.firstPart == 1;
  for (int64_t quad = s.column; quad < s.quads; quad += s.across) {
    float factor[quadElements];
    float zero[quadElements];
    FETTLE_UNROLL
    for (int k = 0; k < quadElements; k++) {
      const int64_t column = s.firstColumn + quad * quadElements + k;
      const int part = single || column >= s.lastColumn ? 0 : partOf(g, u, column);
      factor[k] = shared.factor[part];
      zero[k] = float(shared.zero[part]);
    }
    eachQuad(call, g, u, s, quad, [&](const Raw& raw, Part part, int64_t row, int64_t column) {
      const int64_t element = row * g.columns + column;
      uint32_t word = 0;
      FETTLE_UNROLL
      for (int k = 0; k < quadElements; k++) {
        if (!part.holds(k)) continue;
        const uint8_t code = uint8_t(gridCode(c, floatOf(raw.word[k]), factor[k], zero[k], element + k));
        word |= uint32_t(code) << (8 * k);
        if (transposed != nullptr) storeGlobal(transposed + (column + k) * g.rows + row, code);
      }
      storeBytes(codes + element, part.to, word);
    });
  }
}

template <>
struct CudaKernel<GridQuantize> {
  static constexpr int threadsPerUnit = mostThreads;

  FETTLE_DEVICE void unit(const fettle_call& call, int64_t unit) {
    __shared__ StripShared shared;
    const Grid g = gridOf(call);
    const GridCodec c = gridCodec(call);
    const GridUnit u = gridUnit(g, unit);
    const Strip s = stripOf(g, u);
    findExtremes(call, c, g, u, s, shared);
    const int count = int(u.lastPart - u.firstPart);
    for (int p = int(threadIdx.x); p < count; p += mostThreads) {
      const TileScale t = scaleOf(c, floatOfKey(shared.largest[p]), floatOfKey(shared.smallest[p]));
      shared.factor[p] = t.factor;
      shared.zero[p] = t.zero;
      storeScale(call, u.band * g.tilesAcross + u.firstPart + p, t);
    }
    __syncthreads();
    encodeStrip(call, c, g, u, s, shared);
    __syncthreads();
  }
};

template <>
struct CudaKernel<GridExtremes> {
  static constexpr int threadsPerUnit = mostThreads;

  FETTLE_DEVICE void unit(const fettle_call& call, int64_t unit) {
    __shared__ StripShared shared;
    const Grid g = gridOf(call);
    const GridCodec c = gridCodec(call);
    const GridUnit u = gridUnit(g, unit);
    findExtremes(call, c, g, u, stripOf(g, u), shared);
    const int count = int(u.lastPart - u.firstPart);
    for (int p = int(threadIdx.x); p < count; p += mostThreads) {
      const int64_t at = u.band * g.parts + u.firstPart + p;
      arrayOf<float>(call, 6)[at] = floatOfKey(shared.largest[p]);
      if (c.twoSided) arrayOf<float>(call, 7)[at] = floatOfKey(shared.smallest[p]);
    }
    __syncthreads();
  }
};

template <>
struct CudaKernel<GridEncode> {
  static constexpr int threadsPerUnit = mostThreads;

  FETTLE_DEVICE void unit(const fettle_call& call, int64_t unit) {
    __shared__ StripShared shared;
    const Grid g = gridOf(call);
    const GridCodec c = gridCodec(call);
    const GridUnit u = gridUnit(g, unit);
    const int count = int(u.lastPart - u.firstPart);
    for (int p = int(threadIdx.x); p < count; p += mostThreads) {
      const int64_t tile = u.band / g.partsDown * g.tilesAcross + (u.firstPart + p) / g.partsAcross;
      shared.factor[p] = call.array[5] != nullptr ? arrayOf<const float>(call, 5)[tile]
                                                  : factorOf(c, arrayOf<const float>(call, 2)[tile]);
      shared.zero[p] = call.array[3] != nullptr ? arrayOf<const int32_t>(call, 3)[tile] : 0;
    }
    __syncthreads();
    encodeStrip(call, c, g, u, stripOf(g, u), shared);
    __syncthreads();
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
