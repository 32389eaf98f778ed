// The grid kernels on the CPU: kernels/formats/grid.h by vectors.
//
// A matrix with one scale is gone through as one run and not by strips, whose short pieces no prefetcher follows.
#pragma once

#include "cpu/byte_codes.h"
#include "cpu/kernel_tier.h"
#include "kernels/formats/grid.h"

namespace fettle {
namespace FETTLE_TIER {
namespace {

// Work::run<Encoder>(call, first, last) with the encoder that a codec wants.
template <class Work>
FETTLE_FN void withEncoder(const fettle_call& call, int64_t first, int64_t last) {
  const GridCodec c = gridCodec(call);
  if (c.rule == gridMinifloat) {
    if (c.stochastic) {
      Work::template run<MinifloatEncoder<true>>(call, first, last);
    } else {
      Work::template run<MinifloatEncoder<false>>(call, first, last);
    }
  } else if (c.twoSided) {
    if (c.stochastic) {
      Work::template run<IntegerEncoder<true, true, true>>(call, first, last);
    } else {
      Work::template run<IntegerEncoder<true, true, false>>(call, first, last);
    }
  } else if (c.stochastic) {
    Work::template run<IntegerEncoder<true, false, true>>(call, first, last);
  } else if (c.divides) {
    Work::template run<IntegerEncoder<true, false, false>>(call, first, last);
  } else {
    Work::template run<IntegerEncoder<false, false, false>>(call, first, last);
  }
}

// Whether every column has a scale of its own.
FETTLE_FN bool byColumns(const Grid& g) { return g.tileColumns == 1; }

// Whether parts are too narrow for vectors.
FETTLE_FN bool isNarrow(const Grid& g) { return g.partColumns < Vector::lanes && !byColumns(g); }

// Whether the matrix is one tile.
FETTLE_FN bool oneTile(const Grid& g) { return g.tileRows >= g.rows && g.tileColumns >= g.columns; }

// Of one tile, units are stretches of equal length, whatever the strips.
struct Stretch {
  int64_t first, last;

  FETTLE_FN Stretch of(const fettle_call& call, const Grid& g, int64_t unit, int64_t end) {
    const int64_t elements = g.rows * g.columns;
    const int64_t length = unitsOf(unitsOf(elements, call.units), 64) * 64;
    return {smaller(unit * length, elements), smaller(end * length, elements)};
  }
};

struct Extremes {
  int32_t high, low;
};

// The largest and smallest keys, or the largest magnitude. Four streams: one has few misses in flight.
template <bool twoSided>
FETTLE_FN Extremes extremesOf(const float* x, int64_t n) {
  constexpr int streams = 4;
  const auto key = [](Vector v) { return twoSided ? keysOf(v) : both(bitsOf(v), lanesOf(0x7FFFFFFFu)); };
  if (n > 0 && n <= 64 && n % Vector::lanes == 0) {
    Lanes32 most = key(Vector::load(x)), least = most;
    for (int64_t i = Vector::lanes; i < n; i += Vector::lanes) {
      most = largerOf(most, key(Vector::load(x + i)));
      if (twoSided) least = smallerOf(least, key(Vector::load(x + i)));
    }
    return {largestLane(most), twoSided ? smallestLane(least) : 0};
  }
  Lanes32 high[streams], low[streams];
  for (int s = 0; s < streams; s++) {
    high[s] = lanesOf(twoSided ? 0x80000000u : 0u);
    low[s] = lanesOf(0x7FFFFFFFu);
  }
  const auto take = [&](int s, const float* at) {
    const Lanes32 keys = key(Vector::load(at));
    high[s] = largerOf(high[s], keys);
    if (twoSided) low[s] = smallerOf(low[s], keys);
  };
  const int64_t stream = n / (streams * Vector::lanes) * Vector::lanes;
  for (int64_t i = 0; i < stream; i += Vector::lanes) {
    for (int s = 0; s < streams; s++) take(s, x + s * stream + i);
  }
  int64_t i = streams * stream;
  for (; i + Vector::lanes <= n; i += Vector::lanes) take(0, x + i);
  for (int s = 1; s < streams; s++) {
    high[0] = largerOf(high[0], high[s]);
    low[0] = smallerOf(low[0], low[s]);
  }
  Extremes result = {largestLane(high[0]), smallestLane(low[0])};
  for (; i < n; i++) {
    const int32_t one = twoSided ? keyOf(x[i]) : int32_t(fettle::FETTLE_TIER::bitsOf(x[i]) & 0x7FFFFFFFu);
    result.high = one > result.high ? one : result.high;
    result.low = one < result.low ? one : result.low;
  }
  return result;
}

template <bool twoSided>
FETTLE_FN void partExtremes(const Grid& g, const GridUnit& u, const float* x, int32_t* largest, int32_t* smallest) {
  const int count = int(u.lastPart - u.firstPart);
  for (int p = 0; p < count; p++) {
    largest[p] = twoSided ? INT32_MIN : 0;
    smallest[p] = INT32_MAX;
  }
  for (int64_t row = u.firstRow; row < u.lastRow; row++) {
    const float* values = x + row * g.columns;
    for (int p = 0; p < count; p++) {
      const int64_t from = partStart(g, u.firstPart + p);
      const Extremes found = extremesOf<twoSided>(values + from, partEnd(g, u.firstPart + p) - from);
      largest[p] = found.high > largest[p] ? found.high : largest[p];
      smallest[p] = found.low < smallest[p] ? found.low : smallest[p];
    }
  }
  for (int p = 0; p < count; p++) {
    if (!twoSided || u.firstRow >= u.lastRow) smallest[p] = 0;
    if (u.firstRow >= u.lastRow) largest[p] = 0;
  }
}

// Of parts of one column each: a vector of them at a time.
template <bool twoSided>
FETTLE_FN void columnExtremes(const Grid& g, const GridUnit& u, const float* x, int32_t* __restrict largest,
                              int32_t* __restrict smallest) {
  const int64_t count = u.lastPart - u.firstPart;
  const bool any = u.firstRow < u.lastRow;
  for (int64_t p = 0; p < count; p++) {
    largest[p] = twoSided && any ? INT32_MIN : 0;
    smallest[p] = twoSided && any ? INT32_MAX : 0;
  }
  for (int64_t row = u.firstRow; row < u.lastRow; row++) {
    const float* __restrict values = x + row * g.columns + u.firstPart;
    for (int64_t p = 0; p < count; p++) {
      const int32_t one = twoSided ? keyOf(values[p]) : int32_t(fettle::FETTLE_TIER::bitsOf(values[p]) & 0x7FFFFFFFu);
      largest[p] = one > largest[p] ? one : largest[p];
      if (twoSided) smallest[p] = one < smallest[p] ? one : smallest[p];
    }
  }
}

FETTLE_FN void vectorExtremes(const GridCodec& c, const Grid& g, const GridUnit& u, const float* x, int32_t* largest,
                              int32_t* smallest) {
  if (byColumns(g)) {
    if (c.twoSided) {
      columnExtremes<true>(g, u, x, largest, smallest);
    } else {
      columnExtremes<false>(g, u, x, largest, smallest);
    }
  } else if (g.partColumns < Vector::lanes) {
    stripExtremes(c, g, u, x, largest, smallest);
  } else if (c.twoSided) {
    partExtremes<true>(g, u, x, largest, smallest);
  } else {
    partExtremes<false>(g, u, x, largest, smallest);
  }
}

// The codes of a strip of single columns.
template <class Encoder>
FETTLE_FN void encodeColumns(const fettle_call& call, Encoder& encoder, const Grid& g, const GridUnit& u, const float* factor,
                             const int32_t* zero) {
  const int64_t count = u.lastPart - u.firstPart, whole = count - count % Vector::lanes;
  float zeros[gridStripParts];
  bool nothing = false;  // some column has no codes but 0, and its lane no factor
  for (int64_t p = 0; p < count; p++) {
    zeros[p] = float(zero[p]);
    nothing = nothing || (Encoder::zeroFactorIsNothing && factor[p] == 0.0f);
  }
  const float* x = arrayOf<const float>(call, 0);
  uint8_t* codes = arrayOf<uint8_t>(call, 1);
  for (int64_t row = u.firstRow; row < u.lastRow; row++) {
    const int64_t at = row * g.columns + u.firstPart;
    int64_t p = 0;
    for (; !nothing && p < whole; p += Vector::lanes) {
      encoder.setEach(factor + p, zeros + p);
      const __m128i bytes = bytesOfLanes<Encoder::isSigned>(encoder.lanes(Vector::load(x + at + p), at + p));
      memcpy(codes + at + p, &bytes, Vector::lanes);
    }
    for (; p < count; p++) {
      encoder.set(factor[p], zero[p]);
      encodeBytes(encoder, x + at + p, 1, codes + at + p, at + p, false, 0);
    }
  }
}

// The codes of a strip, `ahead` floats before what is read next.
template <class Encoder>
FETTLE_FN void encodeStrip(const fettle_call& call, Encoder& encoder, const Grid& g, const GridUnit& u, const float* factor,
                           const int32_t* zero, bool streamed, int64_t ahead) {
  const float* x = arrayOf<const float>(call, 0);
  uint8_t* codes = arrayOf<uint8_t>(call, 1);
  const int count = int(u.lastPart - u.firstPart);
  const bool columns = byColumns(g);
  if (columns) encodeColumns(call, encoder, g, u, factor, zero);
  for (int64_t row = u.firstRow; !columns && row < u.lastRow; row++) {
    const int64_t base = row * g.columns;
    for (int p = 0; p < count; p++) {
      const int64_t from = base + partStart(g, u.firstPart + p);
      encoder.set(factor[p], zero[p]);
      encodeBytes(encoder, x + from, base + partEnd(g, u.firstPart + p) - from, codes + from, from, streamed, ahead);
    }
  }
  uint8_t* transposed = arrayOf<uint8_t>(call, 4);
  if (transposed == nullptr || count == 0) return;
  const int64_t first = partStart(g, u.firstPart);
  transposeBytes(codes + u.firstRow * g.columns + first, g.columns, u.lastRow - u.firstRow, partEnd(g, u.lastPart - 1) - first,
                 transposed + first * g.rows + u.firstRow, g.rows);
}

struct QuantizeWork {
  template <class Encoder>
  static __attribute__((noinline)) void run(const fettle_call& call, int64_t first, int64_t last) {
    const Grid g = gridOf(call);
    const GridCodec c = gridCodec(call);
    const bool streamed = call.array[4] == nullptr && isStreamed(g.rows * g.columns);
    Encoder encoder(c);
    for (int64_t unit = first; unit < last; unit++) {
      const GridUnit u = gridUnit(g, unit);
      int32_t largest[gridStripParts], smallest[gridStripParts], zero[gridStripParts];
      float factor[gridStripParts];
      vectorExtremes(c, g, u, arrayOf<const float>(call, 0), largest, smallest);
      stripScales(call, c, g, u, largest, smallest, factor, zero);
      // What is encoded was just read, so what comes is the strip behind it.
      const int64_t ahead = partEnd(g, u.lastPart - 1) - partStart(g, u.firstPart);
      encodeStrip(call, encoder, g, u, factor, zero, streamed, unit + 1 < last ? ahead : 0);
    }
    fence(streamed);
  }
};

struct EncodeWork {
  template <class Encoder>
  static __attribute__((noinline)) void run(const fettle_call& call, int64_t first, int64_t last) {
    const Grid g = gridOf(call);
    const GridCodec c = encodingCodec(call);
    const bool streamed = call.array[4] == nullptr && isStreamed(g.rows * g.columns);
    const auto factorAt = [&](int64_t tile) {
      return call.array[5] != nullptr ? arrayOf<const float>(call, 5)[tile] : factorOf(c, arrayOf<const float>(call, 2)[tile]);
    };
    const auto zeroAt = [&](int64_t tile) { return call.array[3] != nullptr ? arrayOf<const int32_t>(call, 3)[tile] : 0; };
    Encoder encoder(c);
    if (oneTile(g) && call.array[4] == nullptr) {
      const Stretch s = Stretch::of(call, g, first, last);
      encoder.set(factorAt(0), zeroAt(0));
      encodeBytes(encoder, arrayOf<const float>(call, 0) + s.first, s.last - s.first, arrayOf<uint8_t>(call, 1) + s.first,
                  s.first, streamed, readAhead);
    } else {
      for (int64_t unit = first; unit < last; unit++) {
        const GridUnit u = gridUnit(g, unit);
        int32_t zero[gridStripParts];
        float factor[gridStripParts];
        for (int64_t p = u.firstPart; p < u.lastPart; p++) {
          const int64_t tile = u.band / g.partsDown * g.tilesAcross + p / g.partsAcross;
          factor[p - u.firstPart] = factorAt(tile);
          zero[p - u.firstPart] = zeroAt(tile);
        }
        encodeStrip(call, encoder, g, u, factor, zero, streamed, readAhead);
      }
    }
    fence(streamed);
  }
};

}  // namespace

template <>
struct CpuKernel<GridQuantize> {
  static inline __attribute__((always_inline)) void range(const fettle_call& call, int64_t first, int64_t last) {
    if (isNarrow(gridOf(call))) {
      for (int64_t unit = first; unit < last; unit++) GridQuantize::unit(call, unit);
    } else {
      withEncoder<QuantizeWork>(call, first, last);
    }
  }
};

template <>
struct CpuKernel<GridExtremes> {
  static inline __attribute__((always_inline)) void range(const fettle_call& call, int64_t first, int64_t last) {
    const Grid g = gridOf(call);
    const GridCodec c = gridCodec(call);
    const float* x = arrayOf<const float>(call, 0);
    const bool flat = oneTile(g);
    for (int64_t unit = first; unit < last; unit++) {
      const GridUnit u = gridUnit(g, unit);
      int32_t largest[gridStripParts], smallest[gridStripParts];
      if (flat) {
        // Every part of the one tile counts alike, so those of a unit stand for a stretch.
        const Stretch s = Stretch::of(call, g, unit, unit + 1);
        Extremes found = {0, 0};
        if (s.first < s.last) {
          found = c.twoSided ? extremesOf<true>(x + s.first, s.last - s.first) : extremesOf<false>(x + s.first, s.last - s.first);
        } else if (c.twoSided) {
          found = extremesOf<true>(x, 1);
        }
        for (int64_t k = 0; k < u.lastPart - u.firstPart; k++) {
          largest[k] = found.high;
          smallest[k] = found.low;
        }
      } else {
        vectorExtremes(c, g, u, x, largest, smallest);
      }
      for (int64_t p = u.firstPart; p < u.lastPart; p++) {
        const int64_t at = u.band * g.parts + p;
        arrayOf<float>(call, 6)[at] = floatOfKey(largest[p - u.firstPart]);
        if (c.twoSided) arrayOf<float>(call, 7)[at] = floatOfKey(smallest[p - u.firstPart]);
      }
    }
  }
};

template <>
struct CpuKernel<GridEncode> {
  static inline __attribute__((always_inline)) void range(const fettle_call& call, int64_t first, int64_t last) {
    if (isNarrow(gridOf(call))) {
      for (int64_t unit = first; unit < last; unit++) GridEncode::unit(call, unit);
    } else {
      withEncoder<EncodeWork>(call, first, last);
    }
  }
};

namespace {

// The values of a strip of single columns.
template <class Decoder>
FETTLE_FN void decodeColumns(const fettle_call& call, const GridCodec& c, Decoder& decoder, const Grid& g, const GridUnit& u) {
  const int64_t count = u.lastPart - u.firstPart;
  const int64_t tile = u.band / g.partsDown * g.tilesAcross + u.firstPart;
  float scales[gridStripParts], zeros[gridStripParts];
  for (int64_t p = 0; p < count; p++) {
    const float stored = arrayOf<const float>(call, 2)[tile + p];
    scales[p] = c.rule == gridVectorwise ? stored / 127.0f : stored;
    zeros[p] = call.array[3] != nullptr ? float(arrayOf<const int32_t>(call, 3)[tile + p]) : 0.0f;
  }
  for (int64_t row = u.firstRow; row < u.lastRow; row++) {
    const int64_t at = row * g.columns + u.firstPart;
    int64_t p = 0;
    for (; p + Vector::lanes <= count; p += Vector::lanes) {
      decoder.setEach(scales + p, zeros + p);
      decodeBytes(decoder, arrayOf<const uint8_t>(call, 1) + at + p, Vector::lanes, arrayOf<float>(call, 0) + at + p);
    }
    for (; p < count; p++) {
      decoder.set(scales[p], zeros[p]);
      decodeBytes(decoder, arrayOf<const uint8_t>(call, 1) + at + p, 1, arrayOf<float>(call, 0) + at + p);
    }
  }
}

template <class Decoder>
FETTLE_FN void decodeUnits(const fettle_call& call, const GridCodec& c, const Grid& g, Decoder& decoder, int64_t first,
                           int64_t last) {
  float* y = arrayOf<float>(call, 0);
  const uint8_t* codes = arrayOf<const uint8_t>(call, 1);
  const bool streamed = isStreamed(g.rows * g.columns);
  const auto set = [&](int64_t tile) {
    const float stored = arrayOf<const float>(call, 2)[tile];
    decoder.set(c.rule == gridVectorwise ? stored / 127.0f : stored,
                call.array[3] != nullptr ? float(arrayOf<const int32_t>(call, 3)[tile]) : 0.0f);
  };
  if (oneTile(g)) {
    const Stretch s = Stretch::of(call, g, first, last);
    set(0);
    decodeBytes(decoder, codes + s.first, s.last - s.first, y + s.first, streamed);
  } else {
    for (int64_t unit = first; unit < last; unit++) {
      const GridUnit u = gridUnit(g, unit);
      if (byColumns(g)) {
        decodeColumns(call, c, decoder, g, u);
        continue;
      }
      for (int64_t row = u.firstRow; row < u.lastRow; row++) {
        for (int64_t p = u.firstPart; p < u.lastPart; p++) {
          const int64_t from = row * g.columns + partStart(g, p);
          set(u.band / g.partsDown * g.tilesAcross + p / g.partsAcross);
          decodeBytes(decoder, codes + from, row * g.columns + partEnd(g, p) - from, y + from, streamed);
        }
      }
    }
  }
  fence(streamed);
}

}  // namespace

template <>
struct CpuKernel<GridDecode> {
  static inline __attribute__((always_inline)) void range(const fettle_call& call, int64_t first, int64_t last) {
    const Grid g = gridOf(call);
    const GridCodec c = gridCodec(call);
    if (isNarrow(g)) {
      for (int64_t unit = first; unit < last; unit++) GridDecode::unit(call, unit);
    } else if (c.rule == gridMinifloat) {
      MinifloatDecoder decoder(c.minifloat);
      decodeUnits(call, c, g, decoder, first, last);
    } else if (c.twoSided) {
      IntegerDecoder<true> decoder;
      decodeUnits(call, c, g, decoder, first, last);
    } else {
      IntegerDecoder<false> decoder;
      decodeUnits(call, c, g, decoder, first, last);
    }
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
