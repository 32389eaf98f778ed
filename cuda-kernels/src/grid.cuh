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

// A unit as its threads see it.
struct GridWork {
  const fettle_call& call;
  GridCodec codec;
  Grid grid;
  GridUnit unit;
  int parts;  // of the strip
  Strip strip;
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

FETTLE_DEVICE GridWork workOf(const fettle_call& call, int64_t unit) {
  const Grid g = gridOf(call);
  const GridUnit u = gridUnit(g, unit);
  return {call, gridCodec(call), g, u, int(u.lastPart - u.firstPart), stripOf(g, u)};
}

// The part of a column, by its number in the strip.
FETTLE_DEVICE int partOf(const GridWork& w, int64_t column) {
  const int64_t tile = column / w.grid.tileColumns;
  const int64_t part = tile * w.grid.partsAcross + (column - tile * w.grid.tileColumns) / w.grid.partColumns;
  return int(part - w.unit.firstPart);
}

// Whether the columns of a quad, of which there is one at least, lie in one part.
FETTLE_DEVICE bool liesInPart(const GridWork& w, int64_t column, Part part) {
  return w.parts == 1 || partOf(w, column) == partOf(w, column + part.to - 1);
}

// Calls each(raw, part, row, column) for every quad of this thread, several loads at a time.
template <class Each>
FETTLE_DEVICE void eachQuad(const GridWork& w, int64_t quad, Each each) {
  const uint32_t* const x = arrayOf<const uint32_t>(w.call, 0);
  const int64_t column = w.strip.firstColumn + quad * quadElements;
  const Part part = partIn(column, w.strip.lastColumn);
  for (int64_t row = w.unit.firstRow + w.strip.row; row < w.unit.lastRow; row += gridQuads * w.strip.down) {
    Raw raw[gridQuads];
    FETTLE_UNROLL
    for (int q = 0; q < gridQuads; q++) {
      const int64_t at = row + q * w.strip.down;
      if (at < w.unit.lastRow) raw[q] = loadWords(x + at * w.grid.columns + column, part);
    }
    FETTLE_UNROLL
    for (int q = 0; q < gridQuads; q++) {
      const int64_t at = row + q * w.strip.down;
      if (at < w.unit.lastRow) each(raw[q], part, at, column);
    }
  }
}

struct Extremes {
  int largest, smallest;
};

// Of no numbers.
FETTLE_DEVICE Extremes noExtremes(const GridCodec& c) { return {c.twoSided ? INT32_MIN : 0, INT32_MAX}; }

FETTLE_DEVICE void joinExtremes(Extremes& e, const Extremes& other) {
  e.largest = other.largest > e.largest ? other.largest : e.largest;
  e.smallest = other.smallest < e.smallest ? other.smallest : e.smallest;
}

FETTLE_DEVICE void takeExtremes(const GridCodec& c, Extremes& e, uint32_t word) {
  const int key = c.twoSided ? keyOf(floatOf(word)) : int(word & 0x7FFFFFFFu);
  joinExtremes(e, {key, key});
}

FETTLE_DEVICE void mergeExtremes(const GridCodec& c, StripShared& shared, int part, const Extremes& e) {
  atomicMax(&shared.largest[part], e.largest);
  if (c.twoSided) atomicMin(&shared.smallest[part], e.smallest);
}

// A strip that is a single part, as a row mostly is: a thread keeps what it found, and a warp tells it at once.
FETTLE_DEVICE void findInPart(const GridWork& w, StripShared& shared) {
  const Strip& s = w.strip;
  Extremes found = noExtremes(w.codec);
  const uint32_t* const x = arrayOf<const uint32_t>(w.call, 0);
  for (int64_t row = w.unit.firstRow + s.row; row < w.unit.lastRow && s.row < s.down; row += s.down) {
    for (int64_t quad = s.column; quad < s.quads; quad += gridQuads * s.across) {
      Raw raw[gridQuads];
      FETTLE_UNROLL
      for (int q = 0; q < gridQuads; q++) {
        const int64_t column = s.firstColumn + (quad + q * s.across) * quadElements;
        if (column < s.lastColumn) raw[q] = loadWords(x + row * w.grid.columns + column, partIn(column, s.lastColumn));
      }
      FETTLE_UNROLL
      for (int q = 0; q < gridQuads; q++) {
        const int64_t column = s.firstColumn + (quad + q * s.across) * quadElements;
        const Part part = partIn(column, s.lastColumn);
        FETTLE_UNROLL
        for (int k = 0; k < quadElements; k++) {
          if (part.holds(k)) takeExtremes(w.codec, found, raw[q].word[k]);
        }
      }
    }
  }
  found.largest = __reduce_max_sync(fullWarp, found.largest);
  found.smallest = __reduce_min_sync(fullWarp, found.smallest);
  if (threadIdx.x % warpThreads == 0) mergeExtremes(w.codec, shared, 0, found);
}

FETTLE_DEVICE void findInParts(const GridWork& w, StripShared& shared) {
  const Strip& s = w.strip;
  if (s.row >= s.down) return;
  for (int64_t quad = s.column; quad < s.quads; quad += s.across) {
    Extremes found[quadElements];
    FETTLE_UNROLL
    for (int k = 0; k < quadElements; k++) found[k] = noExtremes(w.codec);
    eachQuad(w, quad, [&](const Raw& raw, Part part, int64_t, int64_t) {
      FETTLE_UNROLL
      for (int k = 0; k < quadElements; k++) {
        if (part.holds(k)) takeExtremes(w.codec, found[k], raw.word[k]);
      }
    });
    const int64_t column = s.firstColumn + quad * quadElements;
    const Part part = partIn(column, s.lastColumn);
    if (liesInPart(w, column, part)) {
      FETTLE_UNROLL
      for (int k = 1; k < quadElements; k++) joinExtremes(found[0], found[k]);
      mergeExtremes(w.codec, shared, partOf(w, column), found[0]);
    } else {
      FETTLE_UNROLL
      for (int k = 0; k < quadElements; k++) {
        if (part.holds(k)) mergeExtremes(w.codec, shared, partOf(w, column + k), found[k]);
      }
    }
  }
}

// The extremes of a strip's parts, in shared memory. The whole block calls this.
FETTLE_DEVICE void findExtremes(const GridWork& w, StripShared& shared) {
  const bool none = w.unit.firstRow >= w.unit.lastRow;
  for (int p = int(threadIdx.x); p < w.parts; p += mostThreads) {
    shared.largest[p] = w.codec.twoSided && !none ? INT32_MIN : 0;
    shared.smallest[p] = w.codec.twoSided && !none ? INT32_MAX : 0;
  }
  __syncthreads();
  if (w.parts == 1 && !none) {
    findInPart(w, shared);
  } else if (!none) {
    findInParts(w, shared);
  }
  __syncthreads();
}

// The codes of a quad of one part, stochastic rounding, in the bytes of a word; quad number `number` of the matrix takes one draw of
// random words.
FETTLE_DEVICE uint32_t stochasticQuad(const GridCodec& c, const Raw& raw, float factor, float zero, int64_t number) {
  if (c.rule == gridMinifloat) {
    const CastNoise noise = {true, c.seed, c.step, c.stream};
    return factor == 0.0f ? 0u : castQuad(c.minifloat, noise, raw, factor, number);
  }
  const Words words = philox(c.seed, uint64_t(number), c.step, c.stream);
  uint32_t codes = 0;
  FETTLE_UNROLL
  for (int k = 0; k < quadElements; k++) {
    const float x = floatOf(raw.word[k]);
    const int32_t code = stochasticInteger(c, c.divides ? x / factor : x * factor, zero, words.word[k]);
    codes |= uint32_t(uint8_t(code)) << (8 * k);
  }
  return codes;
}

// The codes of a strip by the factors in shared memory, and those of the transposed matrix.
FETTLE_DEVICE void encodeStrip(const GridWork& w, const StripShared& shared) {
  const Strip& s = w.strip;
  if (s.row >= s.down) return;
  uint8_t* const codes = arrayOf<uint8_t>(w.call, 1);
  uint8_t* const transposed = arrayOf<uint8_t>(w.call, 4);
  for (int64_t quad = s.column; quad < s.quads; quad += s.across) {
    float factor[quadElements];
    float zero[quadElements];
    FETTLE_UNROLL
    for (int k = 0; k < quadElements; k++) {
      const int64_t column = s.firstColumn + quad * quadElements + k;
      const int part = w.parts == 1 || column >= s.lastColumn ? 0 : partOf(w, column);
      factor[k] = shared.factor[part];
      zero[k] = float(shared.zero[part]);
    }
    const int64_t firstColumn = s.firstColumn + quad * quadElements;
    const bool together = w.codec.stochastic && liesInPart(w, firstColumn, partIn(firstColumn, s.lastColumn));
    eachQuad(w, quad, [&](const Raw& raw, Part part, int64_t row, int64_t column) {
      const int64_t element = row * w.grid.columns + column;
      uint32_t word = 0;
      if (together && element % quadElements == 0) {
        word = stochasticQuad(w.codec, raw, factor[0], zero[0], element / quadElements);
      } else {
        FETTLE_UNROLL
        for (int k = 0; k < quadElements; k++) {
          if (!part.holds(k)) continue;
          const int32_t code = gridCode(w.codec, floatOf(raw.word[k]), factor[k], zero[k], element + k);
          word |= uint32_t(uint8_t(code)) << (8 * k);
        }
      }
      FETTLE_UNROLL
      for (int k = 0; k < quadElements; k++) {
        if (transposed == nullptr || !part.holds(k)) continue;
        storeGlobal(transposed + (column + k) * w.grid.rows + row, uint8_t(word >> (8 * k)));
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
    const GridWork w = workOf(call, unit);
    findExtremes(w, shared);
    for (int p = int(threadIdx.x); p < w.parts; p += mostThreads) {
      const TileScale t = scaleOf(w.codec, floatOfKey(shared.largest[p]), floatOfKey(shared.smallest[p]));
      shared.factor[p] = t.factor;
      shared.zero[p] = t.zero;
      storeScale(call, w.unit.band * w.grid.tilesAcross + w.unit.firstPart + p, t);
    }
    __syncthreads();
    encodeStrip(w, shared);
    __syncthreads();
  }
};

template <>
struct CudaKernel<GridExtremes> {
  static constexpr int threadsPerUnit = mostThreads;

  FETTLE_DEVICE void unit(const fettle_call& call, int64_t unit) {
    __shared__ StripShared shared;
    const GridWork w = workOf(call, unit);
    findExtremes(w, shared);
    for (int p = int(threadIdx.x); p < w.parts; p += mostThreads) {
      const int64_t at = w.unit.band * w.grid.parts + w.unit.firstPart + p;
      arrayOf<float>(call, 6)[at] = floatOfKey(shared.largest[p]);
      if (w.codec.twoSided) arrayOf<float>(call, 7)[at] = floatOfKey(shared.smallest[p]);
    }
    __syncthreads();
  }
};

template <>
struct CudaKernel<GridEncode> {
  static constexpr int threadsPerUnit = mostThreads;

  FETTLE_DEVICE void unit(const fettle_call& call, int64_t unit) {
    __shared__ StripShared shared;
    GridWork w = workOf(call, unit);
    w.codec = encodingCodec(call);
    for (int p = int(threadIdx.x); p < w.parts; p += mostThreads) {
      const int64_t part = w.unit.firstPart + p;
      const int64_t tile = w.unit.band / w.grid.partsDown * w.grid.tilesAcross + part / w.grid.partsAcross;
      shared.factor[p] = call.array[5] != nullptr ? arrayOf<const float>(call, 5)[tile]
                                                  : factorOf(w.codec, arrayOf<const float>(call, 2)[tile]);
      shared.zero[p] = call.array[3] != nullptr ? arrayOf<const int32_t>(call, 3)[tile] : 0;
    }
    __syncthreads();
    encodeStrip(w, shared);
    __syncthreads();
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
