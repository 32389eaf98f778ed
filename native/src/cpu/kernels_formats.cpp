// Number formats on the CPU, by vectors.
//
// A matrix with one scale is gone through as one run and not by strips, whose short pieces no prefetcher follows. Codes of large
// tensors are stored past the cache; decoded values are not, which was slower.
#include "cpu/byte_codes.h"
#include "cpu/kernel_tier.h"
#include "kernels/formats/fields.h"
#include "kernels/formats/grid.h"
#include "kernels/formats/measures.h"
#include "kernels/formats/minifloats.h"

namespace fettle {
namespace FETTLE_TIER {
namespace {

FETTLE_FN bool isStreamed(int64_t elements) { return elements >= streamedElements; }

FETTLE_FN void fence(bool streamed) {
  if (streamed) _mm_sfence();
}

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

// Parts of one column each go the plain way, which is a vector of parts at a time.
FETTLE_FN void vectorExtremes(const GridCodec& c, const Grid& g, const GridUnit& u, const float* x, int32_t* largest,
                              int32_t* smallest) {
  if (g.partColumns < Vector::lanes) {
    stripExtremes(c, g, u, x, largest, smallest);
  } else if (c.twoSided) {
    partExtremes<true>(g, u, x, largest, smallest);
  } else {
    partExtremes<false>(g, u, x, largest, smallest);
  }
}

// The codes of a strip, `ahead` floats before what is read next.
template <class Encoder>
FETTLE_FN void encodeStrip(const fettle_call& call, Encoder& encoder, const Grid& g, const GridUnit& u, const float* factor,
                           const int32_t* zero, bool streamed, int64_t ahead) {
  const float* x = arrayOf<const float>(call, 0);
  uint8_t* codes = arrayOf<uint8_t>(call, 1);
  const int count = int(u.lastPart - u.firstPart);
  for (int64_t row = u.firstRow; row < u.lastRow; row++) {
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
      for (int64_t p = u.firstPart; p < u.lastPart; p++) {
        const int64_t k = p - u.firstPart;
        const TileScale t = scaleOf(c, floatOfKey(largest[k]), floatOfKey(smallest[k]));
        factor[k] = t.factor;
        zero[k] = t.zero;
        storeScale(call, u.band * g.tilesAcross + p, t);
      }
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
    const GridCodec c = gridCodec(call);
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
    if (gridOf(call).partColumns < Vector::lanes) {
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
    if (gridOf(call).partColumns < Vector::lanes) {
      for (int64_t unit = first; unit < last; unit++) GridEncode::unit(call, unit);
    } else {
      withEncoder<EncodeWork>(call, first, last);
    }
  }
};

namespace {

template <class Decoder>
FETTLE_FN void decodeUnits(const fettle_call& call, const GridCodec& c, const Grid& g, Decoder& decoder, int64_t first,
                           int64_t last) {
  float* y = arrayOf<float>(call, 0);
  const uint8_t* codes = arrayOf<const uint8_t>(call, 1);
  const auto set = [&](int64_t tile) {
    const float stored = arrayOf<const float>(call, 2)[tile];
    decoder.set(c.rule == gridVectorwise ? stored / 127.0f : stored,
                call.array[3] != nullptr ? float(arrayOf<const int32_t>(call, 3)[tile]) : 0.0f);
  };
  if (oneTile(g)) {
    const Stretch s = Stretch::of(call, g, first, last);
    set(0);
    decodeBytes(decoder, codes + s.first, s.last - s.first, y + s.first);
  } else {
    for (int64_t unit = first; unit < last; unit++) {
      const GridUnit u = gridUnit(g, unit);
      for (int64_t row = u.firstRow; row < u.lastRow; row++) {
        for (int64_t p = u.firstPart; p < u.lastPart; p++) {
          const int64_t from = row * g.columns + partStart(g, p);
          set(u.band / g.partsDown * g.tilesAcross + p / g.partsAcross);
          decodeBytes(decoder, codes + from, row * g.columns + partEnd(g, p) - from, y + from);
        }
      }
    }
  }
}

}  // namespace

template <>
struct CpuKernel<GridDecode> {
  static inline __attribute__((always_inline)) void range(const fettle_call& call, int64_t first, int64_t last) {
    const Grid g = gridOf(call);
    const GridCodec c = gridCodec(call);
    if (g.partColumns < Vector::lanes) {
      for (int64_t unit = first; unit < last; unit++) GridDecode::unit(call, unit);
    } else if (c.rule == gridMinifloat) {
      MinifloatDecoder decoder(c.minifloat);
      decodeUnits(call, c, g, decoder, first, last);
    } else if (c.twoSided) {
      IntegerDecoder<true> decoder(c);
      decodeUnits(call, c, g, decoder, first, last);
    } else {
      IntegerDecoder<false> decoder(c);
      decodeUnits(call, c, g, decoder, first, last);
    }
  }
};

namespace {

FETTLE_FN Noise noiseOf(const CastNoise& noise) { return {noise.seed, noise.step, noise.stream}; }

template <bool stochastic>
FETTLE_FN void castUnits(const fettle_call& call, int64_t first, int64_t last) {
  const int64_t from = first * castChunk, n = smaller(last * castChunk, call.integer[0]) - from;
  MinifloatEncoder<stochastic> encoder(minifloatOf(call.integer[1], call.integer[2] != 0), noiseOf(castNoise(call, 3)));
  const bool streamed = isStreamed(call.integer[0]);
  encodeBytes(encoder, arrayOf<const float>(call, 0) + from, n, arrayOf<uint8_t>(call, 1) + from, from, streamed, readAhead);
  fence(streamed);
}

}  // namespace

template <>
struct CpuKernel<MinifloatEncode> {
  static inline __attribute__((always_inline)) void range(const fettle_call& call, int64_t first, int64_t last) {
    if (castNoise(call, 3).stochastic) {
      castUnits<true>(call, first, last);
    } else {
      castUnits<false>(call, first, last);
    }
  }
};

template <>
struct CpuKernel<MinifloatDecode> {
  static inline __attribute__((always_inline)) void range(const fettle_call& call, int64_t first, int64_t last) {
    if (call.integer[1] == formatE8M0) {
      for (int64_t unit = first; unit < last; unit++) MinifloatDecode::unit(call, unit);
      return;
    }
    const int64_t from = first * castChunk, n = smaller(last * castChunk, call.integer[0]) - from;
    const PlainMinifloatDecoder decoder(minifloatOf(call.integer[1], true));
    decodeBytes(decoder, arrayOf<const uint8_t>(call, 1) + from, n, arrayOf<float>(call, 0) + from);
  }
};

namespace {

// The scales of a unit's blocks first, so that no block waits for its own.
template <bool stochastic>
FETTLE_FN void microscaleUnits(const fettle_call& call, int64_t first, int64_t last) {
  const Minifloat f = minifloatOf(call.integer[1], true);
  MinifloatEncoder<stochastic> encoder(f, noiseOf(castNoise(call, 3)));
  const float* x = arrayOf<const float>(call, 0);
  uint8_t* codes = arrayOf<uint8_t>(call, 1);
  for (int64_t unit = first; unit < last; unit++) {
    const int64_t from = unit * blocksOfUnit, count = smaller(from + blocksOfUnit, call.integer[0]) - from;
    int32_t largest[blocksOfUnit];
    for (int64_t k = 0; k < count; k++) {
      const float* block = x + (from + k) * 32;
      Lanes32 most = lanesOf(0);
      for (int i = 0; i < 32; i += Vector::lanes) {
        _mm_prefetch(reinterpret_cast<const char*>(block + i + blocksOfUnit * 32), _MM_HINT_T0);
        most = largerOf(most, both(bitsOf(Vector::load(block + i)), lanesOf(0x7FFFFFFFu)));
      }
      largest[k] = largestLane(most);
    }
    for (int64_t k = 0; k < count; k++) {
      const int32_t byte = microscale(f, call.integer[2], uint32_t(largest[k]));
      const int64_t at = (from + k) * 32;
      arrayOf<uint8_t>(call, 2)[from + k] = uint8_t(byte);
      if (byte == 255) {
        memset(codes + at, f.nanCode < 0 ? 0 : f.nanCode, 32);
      } else {
        encoder.set(decodeE8m0(254 - byte), 0);
        encodeBytes(encoder, x + at, 32, codes + at, at, false, 0);
      }
    }
  }
}

}  // namespace

template <>
struct CpuKernel<MicroscalingEncode> {
  static inline __attribute__((always_inline)) void range(const fettle_call& call, int64_t first, int64_t last) {
    if (castNoise(call, 3).stochastic) {
      microscaleUnits<true>(call, first, last);
    } else {
      microscaleUnits<false>(call, first, last);
    }
  }
};

template <>
struct CpuKernel<CastTranspose> {
  static inline __attribute__((always_inline)) void range(const fettle_call& call, int64_t first, int64_t last) {
    const int64_t rows = call.integer[0], columns = call.integer[1], across = unitsOf(columns, castTile);
    const float* x = arrayOf<const float>(call, 0);
    uint8_t* codes = arrayOf<uint8_t>(call, 1);
    uint8_t* transposed = arrayOf<uint8_t>(call, 2);
    MinifloatEncoder<false> encoder(minifloatOf(call.integer[2], true), Noise{0, 0, 0});
    const float factor = call.array[3] != nullptr ? arrayOf<const float>(call, 3)[call.integer[3]] : 1.0f;
    encoder.set(factor, 0);
    for (int64_t unit = first; unit < last; unit++) {
      // By a factor of 0, a cast keeps signs and NaN.
      if (factor == 0.0f) {
        CastTranspose::unit(call, unit);
        continue;
      }
      const int64_t firstRow = unit / across * castTile, firstColumn = unit % across * castTile;
      const int64_t height = smaller(castTile, rows - firstRow), width = smaller(castTile, columns - firstColumn);
      Lanes32 most = lanesOf(0);
      for (int64_t row = firstRow; row < firstRow + height; row++) {
        const int64_t at = row * columns + firstColumn;
        int64_t i = 0;
        for (; i + Vector::lanes <= width; i += Vector::lanes) {
          most = largerOf(most, both(bitsOf(Vector::load(x + at + i)), lanesOf(0x7FFFFFFFu)));
        }
        if (i < width) most = largerOf(most, both(bitsOf(Vector::loadPart(x + at + i, int(width - i))), lanesOf(0x7FFFFFFFu)));
        // The next tile to the right comes meanwhile.
        encodeBytes(encoder, x + at, width, codes + at, at, false, castTile);
      }
      if (transposed != nullptr) {
        transposeBytes(codes + firstRow * columns + firstColumn, columns, height, width, transposed + firstColumn * rows + firstRow,
                       rows);
      }
      if (call.array[4] != nullptr) arrayOf<float>(call, 4)[unit] = floatOf(uint32_t(largestLane(most)));
    }
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle

#define FETTLE_FAMILY "fettle/kernels/formats.def"
#include "cpu/kernel_family.h"
