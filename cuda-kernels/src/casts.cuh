// Casts to and from FP8 and narrower: a block takes a unit, a thread quads of it, with several loads in flight.
#pragma once

#include "kernels/formats/measures.h"
#include "kernels/formats/minifloats.h"
#include "quad.cuh"
#include "units.cuh"

namespace fettle {
namespace FETTLE_TIER {

constexpr int castQuads = 4;  // of a thread at once
static_assert(castChunk == castQuads * mostThreads * quadElements, "a block holds a unit at once");

// The codes of a quad in the bytes of a word; quad number `number` of the array takes one draw of random words.
FETTLE_DEVICE uint32_t castQuad(const Minifloat& format, const CastNoise& noise, const Raw& raw, float factor,
                                int64_t number) {
  uint32_t codes = 0;
  if (noise.stochastic) {
    const Words words = philox(noise.seed, uint64_t(number), noise.step, noise.stream);
    FETTLE_UNROLL
    for (int k = 0; k < quadElements; k++) {
      codes |= uint32_t(encodeStochastic(format, scaledBy(floatOf(raw.word[k]), factor), words.word[k])) << (8 * k);
    }
  } else {
    FETTLE_UNROLL
    for (int k = 0; k < quadElements; k++) {
      codes |= uint32_t(encodeNearest(format, scaledBy(floatOf(raw.word[k]), factor))) << (8 * k);
    }
  }
  return codes;
}

template <>
struct CudaKernel<MinifloatEncode> {
  static constexpr int threadsPerUnit = mostThreads;

  FETTLE_DEVICE void unit(const fettle_call& call, int64_t unit) {
    const Minifloat format = minifloatOf(call.integer[1], call.integer[2] != 0);
    const CastNoise noise = castNoise(call, 3);
    const uint32_t* const x = arrayOf<const uint32_t>(call, 0);
    const int64_t first = unit * castChunk + int64_t(threadIdx.x) * quadElements;
    Raw raw[castQuads];
    FETTLE_UNROLL
    for (int q = 0; q < castQuads; q++) {
      const int64_t at = first + q * mostThreads * quadElements;
      raw[q] = loadWords(x + at, partIn(at, call.integer[0]));
    }
    FETTLE_UNROLL
    for (int q = 0; q < castQuads; q++) {
      const int64_t at = first + q * mostThreads * quadElements;
      const uint32_t codes = castQuad(format, noise, raw[q], 1.0f, at / quadElements);
      storeBytes(arrayOf<uint8_t>(call, 1) + at, partIn(at, call.integer[0]).to, codes);
    }
  }
};

template <>
struct CudaKernel<MinifloatDecode> {
  static constexpr int threadsPerUnit = mostThreads;

  FETTLE_DEVICE void unit(const fettle_call& call, int64_t unit) {
    const bool exponents = call.integer[1] == formatE8M0;
    const Minifloat format = minifloatOf(call.integer[1], true);
    const int64_t first = unit * castChunk + int64_t(threadIdx.x) * quadElements;
    uint32_t codes[castQuads];
    FETTLE_UNROLL
    for (int q = 0; q < castQuads; q++) {
      const int64_t at = first + q * mostThreads * quadElements;
      codes[q] = loadBytes(arrayOf<const uint8_t>(call, 1) + at, partIn(at, call.integer[0]).to);
    }
    FETTLE_UNROLL
    for (int q = 0; q < castQuads; q++) {
      const int64_t at = first + q * mostThreads * quadElements;
      Quad quad;
      FETTLE_UNROLL
      for (int k = 0; k < quadElements; k++) {
        const int32_t code = int32_t(codes[q] >> (8 * k) & 255u);
        quad.value[k] = exponents ? decodeE8m0(code) : decodeMinifloat(format, code);
      }
      storeWords(arrayOf<uint32_t>(call, 0) + at, partIn(at, call.integer[0]), quad);
    }
  }
};

// A tile and its transpose: the codes pass through shared memory, so that both are written along their rows.
template <>
struct CudaKernel<CastTranspose> {
  static constexpr int threadsPerUnit = mostThreads;
  static constexpr int side = int(castTile);
  static constexpr int quadsAcross = side / quadElements;
  static constexpr int rowsAtOnce = mostThreads / quadsAcross;
  static constexpr int runRows = 16;  // codes of a column that a thread writes
  static_assert(side == castQuads * rowsAtOnce && side * side == runRows * mostThreads, "a block holds a tile at once");

  FETTLE_DEVICE void unit(const fettle_call& call, int64_t unit) {
    // A row is a word longer than a tile's, so that at most two meet in a bank.
    __shared__ uint32_t tile[side][quadsAcross + 1];
    __shared__ unsigned largest;
    const int64_t rows = call.integer[0], columns = call.integer[1], across = unitsOf(columns, castTile);
    const int64_t firstRow = unit / across * castTile, firstColumn = unit % across * castTile;
    const Minifloat format = minifloatOf(call.integer[2], true);
    const float factor = call.array[3] != nullptr ? arrayOf<const float>(call, 3)[call.integer[3]] : 1.0f;
    const CastNoise noise = {false, 0, 0, 0};
    if (threadIdx.x == 0) largest = 0;
    __syncthreads();
    const int quad = int(threadIdx.x) % quadsAcross;
    const int64_t column = firstColumn + quad * quadElements;
    Raw raw[castQuads];
    FETTLE_UNROLL
    for (int q = 0; q < castQuads; q++) {
      const int64_t row = firstRow + int(threadIdx.x) / quadsAcross + q * rowsAtOnce;
      const Part part = row < rows ? partIn(column, columns) : Part{0, 0};
      raw[q] = loadWords(arrayOf<const uint32_t>(call, 0) + (part.to > 0 ? row * columns + column : 0), part);
    }
    unsigned mine = 0;
    FETTLE_UNROLL
    for (int q = 0; q < castQuads; q++) {
      const int within = int(threadIdx.x) / quadsAcross + q * rowsAtOnce;
      const int64_t row = firstRow + within;
      const Part part = row < rows ? partIn(column, columns) : Part{0, 0};
      const uint32_t codes = castQuad(format, noise, raw[q], factor, 0);
      tile[within][quad] = codes;
      if (part.to > 0) storeBytes(arrayOf<uint8_t>(call, 1) + row * columns + column, part.to, codes);
      // What does not exist was loaded as 0.
      FETTLE_UNROLL
      for (int k = 0; k < quadElements; k++) {
        const unsigned magnitude = raw[q].word[k] & 0x7FFFFFFFu;
        mine = magnitude > mine ? magnitude : mine;
      }
    }
    mine = __reduce_max_sync(fullWarp, mine);
    if (threadIdx.x % warpThreads == 0) atomicMax(&largest, mine);
    __syncthreads();
    if (threadIdx.x == 0 && call.array[4] != nullptr) arrayOf<float>(call, 4)[unit] = floatOf(largest);
    if (call.array[2] != nullptr) transpose(call, tile, firstRow, firstColumn);
    __syncthreads();
  }

 private:
  // A thread takes sixteen rows of a column.
  FETTLE_DEVICE void transpose(const fettle_call& call, const uint32_t (&tile)[side][quadsAcross + 1],
                               int64_t firstRow, int64_t firstColumn) {
    const int64_t rows = call.integer[0], columns = call.integer[1];
    const int runs = side / runRows;
    const int own = int(threadIdx.x) / runs;
    const int within = int(threadIdx.x) % runs * runRows;
    const int64_t row = firstRow + within;
    if (firstColumn + own >= columns || row >= rows) return;
    uint32_t words[4];
    FETTLE_UNROLL
    for (int i = 0; i < 4; i++) {
      words[i] = 0;
      FETTLE_UNROLL
      for (int k = 0; k < quadElements; k++) {
        const uint32_t code = tile[within + 4 * i + k][own / quadElements] >> (8 * (own % quadElements)) & 255u;
        words[i] |= code << (8 * k);
      }
    }
    uint8_t* const to = arrayOf<uint8_t>(call, 2) + (firstColumn + own) * rows + row;
    if (row + runRows <= rows && aligned(to, 16)) {
      storeGlobal(reinterpret_cast<uint4*>(to), uint4{words[0], words[1], words[2], words[3]});
    } else {
      FETTLE_UNROLL
      for (int i = 0; i < 4; i++) storeBytes(to + 4 * i, partIn(row + 4 * i, rows).to, words[i]);
    }
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
