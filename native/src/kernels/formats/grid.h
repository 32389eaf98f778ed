// Formats with one scale per tile of a matrix: INT2 to INT8 and FP8, per tensor, row, column, group or block.
//
// A tile is worked on in parts that fit the cache; a unit is a strip of parts side by side. Where a tile is one part, grid_quantize
// finds the extremes, forms the scale and encodes while the numbers are still near; otherwise grid_extremes,
// grid_scales and grid_encode do that one after the other. Twin: org.fettle.internal.kernels.GridKernels.
//
// OPTQ's authors compute in double, and the extreme of every row of the centred rule is a tie: where the quotient of floats lies
// near the middle between two integers, that of doubles decides.
//
// arrays: 0 F32 values; 1 codes, a byte each; 2 F32 scales, one per tile; 3 I32 zero points or none; 4 codes of the
// transposed matrix or none; 5 F32 factors, 6 and 7 F32 largest and smallest of every part (scratch)
// integers: 0 rows, 1 columns, 2 and 3 rows and columns of a tile, 4 rule, 5 bits or minifloat, 6 rounding, 7 seed, 8 step,
// 9 stream, 10 whether scales are powers of two; numbers: 0 the least largest magnitude (eps)
#pragma once

#include "core/minifloat.h"
#include "core/philox.h"
#include "kernels/kernel.h"

namespace fettle {
namespace FETTLE_TIER {

enum GridRule {
  gridSymmetric = 0,   // s = amax / qmax, x * (1 / s)
  gridTraining = 1,    // pytorch/ao: s = amax / 127, x * (1 / max(s, 1e-12))
  gridDividing = 2,    // Jetfire: s = amax / 127, x / s
  gridAsymmetric = 3,  // OPTQ: zero points
  gridCentred = 4,     // OPTQ's symmetric mode
  gridVectorwise = 5,  // bitsandbytes: x * (127 / amax), amax is what is stored
  gridMinifloat = 6    // FP8: x * scale, 1 / scale is what is stored
};

constexpr int gridStripParts = 1024;
constexpr float smallestNormalFloat = 1.17549435e-38f;
constexpr float surelyRounded = 0.4999f;  // two roundings of a quotient of at most 255 move it by less than the rest of a half

FETTLE_FN bool isFiniteFloat(float x) { return isFinite(bitsOf(x)); }

struct Grid {
  int64_t rows, columns, tileRows, tileColumns, partRows, partColumns;
  int64_t partsDown, partsAcross;  // of a tile
  int64_t tilesAcross, parts;      // parts of a band from left to right
  int64_t stripParts, strips;
};

FETTLE_FN Grid gridOf(const fettle_call& call) {
  Grid g;
  g.rows = call.integer[0];
  g.columns = call.integer[1];
  g.tileRows = call.integer[2];
  g.tileColumns = call.integer[3];
  g.partRows = smaller(g.tileRows, 128);
  const bool whole = g.tileColumns <= 32768 && g.partRows * g.tileColumns <= 65536;
  g.partColumns = whole ? g.tileColumns : smaller(g.tileColumns, 512);
  g.partsDown = unitsOf(g.tileRows, g.partRows);
  g.partsAcross = unitsOf(g.tileColumns, g.partColumns);
  g.tilesAcross = unitsOf(g.columns, g.tileColumns);
  g.parts = g.tilesAcross * g.partsAcross;
  g.stripParts = g.partColumns >= gridStripParts ? 1 : gridStripParts / g.partColumns;
  g.strips = unitsOf(g.parts, g.stripParts);
  return g;
}

// The rows of a band of parts and the parts of a strip.
struct GridUnit {
  int64_t band, firstRow, lastRow, firstPart, lastPart;
};

FETTLE_FN GridUnit gridUnit(const Grid& g, int64_t unit) {
  GridUnit u;
  u.band = unit / g.strips;
  const int64_t tile = u.band / g.partsDown;
  u.firstRow = tile * g.tileRows + (u.band % g.partsDown) * g.partRows;
  u.lastRow = smaller(smaller(u.firstRow + g.partRows, (tile + 1) * g.tileRows), g.rows);
  u.firstPart = (unit % g.strips) * g.stripParts;
  u.lastPart = smaller(u.firstPart + g.stripParts, g.parts);
  return u;
}

FETTLE_FN int64_t partStart(const Grid& g, int64_t part) {
  return smaller((part / g.partsAcross) * g.tileColumns + (part % g.partsAcross) * g.partColumns, g.columns);
}

FETTLE_FN int64_t partEnd(const Grid& g, int64_t part) {
  const int64_t tile = part / g.partsAcross;
  const int64_t end = tile * g.tileColumns + (part % g.partsAcross + 1) * g.partColumns;
  return smaller(smaller(end, (tile + 1) * g.tileColumns), g.columns);
}

// Integers in the order of the floats that they are the bits of; a NaN lies beyond the infinities.
FETTLE_FN int32_t keyOf(float x) {
  const int32_t bits = int32_t(bitsOf(x));
  return bits ^ ((bits >> 31) & 0x7FFFFFFF);
}

FETTLE_FN float floatOfKey(int32_t key) { return floatOf(uint32_t(key ^ ((key >> 31) & 0x7FFFFFFF))); }

struct GridCodec {
  int64_t rule;
  int64_t bits;
  bool stochastic, divides, twoSided, powerOfTwo;
  float lowest, highest, magnitude, epsilon;
  float levels;  // the quotient by a factor is multiplied by it: a factor of OPTQ's rules is the width of all levels
  Minifloat minifloat;
  uint64_t seed;
  uint32_t step, stream;
};

FETTLE_FN GridCodec gridCodec(const fettle_call& call) {
  GridCodec c;
  c.rule = call.integer[4];
  c.bits = call.integer[5];
  c.stochastic = call.integer[6] != 0;
  c.seed = uint64_t(call.integer[7]);
  c.step = uint32_t(call.integer[8]);
  c.stream = uint32_t(call.integer[9]);
  c.powerOfTwo = call.integer[10] != 0;
  c.epsilon = float(call.number[0]);
  c.twoSided = c.rule == gridAsymmetric || c.rule == gridCentred;
  c.divides = c.twoSided || c.rule == gridDividing || (c.stochastic && c.rule != gridMinifloat);
  c.minifloat = minifloatOf(c.bits, true);
  if (c.rule == gridMinifloat) {
    c.magnitude = decodeMinifloat(c.minifloat, c.minifloat.largestCode);
    c.lowest = c.highest = 0.0f;
  } else {
    c.magnitude = float((int64_t(1) << (c.bits - 1)) - 1);
    c.lowest = c.twoSided ? 0.0f : c.rule == gridTraining && !c.stochastic ? -128.0f : -c.magnitude;
    c.highest = c.twoSided ? float((int64_t(1) << c.bits) - 1) : c.magnitude;
  }
  c.levels = c.twoSided && !c.stochastic ? c.highest : 1.0f;
  return c;
}

// The same of a call that encodes, which may find scales without factors.
FETTLE_FN GridCodec encodingCodec(const fettle_call& call) {
  GridCodec c = gridCodec(call);
  if (call.array[5] == nullptr) c.levels = 1.0f;
  return c;
}

// What a tile is encoded with: v = x * factor or x / factor * levels, then the zero point is added.
struct TileScale {
  float scale, factor;
  int32_t zero;
};

// By a factor of 0, or division by infinity, every number becomes the code of 0.
FETTLE_FN float nothing(const GridCodec& c) { return c.divides ? floatOf(0x7F800000u) : 0.0f; }

FETTLE_FN float factorOf(const GridCodec& c, float scale) {
  if (c.rule == gridMinifloat) return 1.0f / scale;
  if (c.rule == gridVectorwise) {
    const float unit = scale / 127.0f;
    if (c.divides) return unit == 0.0f || unit != unit ? nothing(c) : unit;
    return unit < smallestNormalFloat || unit != unit ? 0.0f : 127.0f / scale;
  }
  if (c.rule == gridTraining && scale == scale) {
    const float bounded = scale > 1e-12f ? scale : 1e-12f;
    return c.divides ? bounded : 1.0f / bounded;
  }
  if (c.divides) return scale == 0.0f || scale != scale ? nothing(c) : scale;
  return scale < smallestNormalFloat || scale != scale ? 0.0f : 1.0f / scale;
}

FETTLE_FN TileScale minifloatScale(const GridCodec& c, float largest) {
  const float amax = largest < c.epsilon ? c.epsilon : largest;
  if (c.powerOfTwo && (bitsOf(amax) == 0x7F800000u)) return {floatOf(0x7FC00000u), 0.0f, 0};
  if (amax == 0.0f || !isFiniteFloat(amax)) return {1.0f, 1.0f, 0};
  float scale = c.magnitude / amax;
  if (!isFiniteFloat(scale)) scale = floatOf(0x7F7FFFFFu);
  if (c.powerOfTwo) scale = floatOf(bitsOf(scale) & 0x7F800000u);
  return {1.0f / scale, scale, 0};
}

FETTLE_FN TileScale scaleOf(const GridCodec& c, float largest, float smallest) {
  if (c.rule == gridMinifloat) return minifloatScale(c, largest);
  const TileScale notFinite = {floatOf(0x7FC00000u), nothing(c), 0};
  if (!isFiniteFloat(largest) || !isFiniteFloat(smallest)) return notFinite;
  if (!c.twoSided) {
    const float scale = c.rule == gridVectorwise ? largest : largest / c.magnitude;
    return {scale, factorOf(c, scale), 0};
  }
  float low = smallest < 0.0f ? smallest : 0.0f;
  float high = largest > 0.0f ? largest : 0.0f;
  if (c.rule == gridCentred && low < 0.0f) {
    high = -low > high ? -low : high;
    low = -high;
  }
  if (low == 0.0f && high == 0.0f) {
    low = -1.0f;
    high = 1.0f;
  }
  const float width = high - low;
  if (!isFiniteFloat(width)) return notFinite;
  const double divisor = (double(high) - double(low)) / double(c.highest);
  const float scale = float(divisor);
  if (scale == 0.0f) return {0.0f, nothing(c), 0};
  const int32_t zero = c.rule == gridCentred ? int32_t(1) << (c.bits - 1) : int32_t(::rint(-double(low) / divisor));
  return {scale, c.stochastic ? scale : width, zero};
}

FETTLE_FN int32_t limitedCode(const GridCodec& c, float rounded, float zero) {
  // NaN becomes the code of 0.
  const float code = (rounded == rounded ? rounded : 0.0f) + zero;
  const float atMost = code > c.highest ? c.highest : code;
  return int32_t(atMost < c.lowest ? c.lowest : atMost);
}

FETTLE_FN int32_t stochasticInteger(const GridCodec& c, float quotient, float zero, uint32_t word) {
  const float t = absolute(quotient);
  const float bounded = t < 65536.0f ? t : t == t ? 65536.0f : 0.0f;
  const float whole = ::floorf(bounded);
  const uint32_t fraction = uint32_t((bounded - whole) * 16777216.0f);
  const float magnitude = whole + ((word >> 8) + fraction >= (1u << 24) ? 1.0f : 0.0f);
  return limitedCode(c, quotient < 0.0f ? -magnitude : magnitude, zero);
}

FETTLE_FN uint32_t wordOf(const GridCodec& c, int64_t element) {
  return philox(c.seed, uint64_t(element) >> 2, c.step, c.stream).word[element & 3];
}

// The integer nearest to x / factor * levels: that of doubles wherever floats could round to another.
FETTLE_FN float nearestQuotient(float x, float factor, float levels) {
  const float v = x / factor * levels;
  const float nearest = ::rintf(v);
  if (!(absolute(v - nearest) > surelyRounded)) return nearest;
  return float(::rint(double(x) / (double(factor) / double(levels))));
}

FETTLE_FN int32_t gridCode(const GridCodec& c, float x, float factor, float zero, int64_t element) {
  if (c.rule == gridMinifloat) {
    if (factor == 0.0f) return 0;
    const float scaled = scaledBy(x, factor);
    return c.stochastic ? encodeStochastic(c.minifloat, scaled, wordOf(c, element)) : encodeNearest(c.minifloat, scaled);
  }
  if (c.twoSided && !c.stochastic) return limitedCode(c, nearestQuotient(x, factor, c.levels), zero);
  const float v = c.divides ? x / factor : x * factor;
  return c.stochastic ? stochasticInteger(c, v, zero, wordOf(c, element)) : limitedCode(c, ::rintf(v), zero);
}

// n codes that share a factor; the loops are apart so that each becomes vectors.
FETTLE_FN void encodeRun(const GridCodec& c, const float* __restrict x, int64_t n, float factor, int32_t zeroPoint,
                         uint8_t* __restrict codes, int64_t element) {
  const float zero = float(zeroPoint);
  if (c.stochastic || factor == 0.0f) {
    for (int64_t i = 0; i < n; i++) codes[i] = uint8_t(gridCode(c, x[i], factor, zero, element + i));
  } else if (c.rule == gridMinifloat) {
    const Minifloat f = c.minifloat;
    for (int64_t i = 0; i < n; i++) codes[i] = uint8_t(encodeNearest(f, scaledBy(x[i], factor)));
  } else {
    GridCodec local;
    local.lowest = c.lowest;
    local.highest = c.highest;
    if (c.twoSided) {
      for (int64_t i = 0; i < n; i++) codes[i] = uint8_t(limitedCode(local, nearestQuotient(x[i], factor, c.levels), zero));
    } else if (c.divides) {
      for (int64_t i = 0; i < n; i++) codes[i] = uint8_t(limitedCode(local, ::rintf(x[i] / factor), zero));
    } else {
      for (int64_t i = 0; i < n; i++) codes[i] = uint8_t(limitedCode(local, ::rintf(x[i] * factor), zero));
    }
  }
}

// The extremes of a strip's parts: the largest magnitude, or the largest and the smallest number.
FETTLE_FN void stripExtremes(const GridCodec& c, const Grid& g, const GridUnit& u, const float* x, int32_t* largest, int32_t* smallest) {
  const int count = int(u.lastPart - u.firstPart);
  for (int p = 0; p < count; p++) largest[p] = c.twoSided ? INT32_MIN : 0;
  for (int p = 0; p < count; p++) smallest[p] = c.twoSided ? INT32_MAX : 0;
  for (int64_t row = u.firstRow; row < u.lastRow; row++) {
    const float* values = x + row * g.columns;
    for (int p = 0; p < count; p++) {
      const int64_t from = partStart(g, u.firstPart + p);
      const int64_t to = partEnd(g, u.firstPart + p);
      int32_t high = largest[p];
      if (c.twoSided) {
        int32_t low = smallest[p];
        for (int64_t i = from; i < to; i++) {
          const int32_t key = keyOf(values[i]);
          high = key > high ? key : high;
          low = key < low ? key : low;
        }
        smallest[p] = low;
      } else {
        for (int64_t i = from; i < to; i++) {
          const int32_t magnitude = int32_t(bitsOf(values[i]) & 0x7FFFFFFFu);
          high = magnitude > high ? magnitude : high;
        }
      }
      largest[p] = high;
    }
  }
  if (u.firstRow >= u.lastRow && c.twoSided) {
    for (int p = 0; p < count; p++) largest[p] = smallest[p] = 0;
  }
}

// The codes of a strip, given what every part is encoded with.
FETTLE_FN void stripEncode(const fettle_call& call, const GridCodec& c, const Grid& g, const GridUnit& u, const float* factor,
                           const int32_t* zero) {
  const float* x = arrayOf<const float>(call, 0);
  uint8_t* codes = arrayOf<uint8_t>(call, 1);
  const int count = int(u.lastPart - u.firstPart);
  for (int64_t row = u.firstRow; row < u.lastRow; row++) {
    const int64_t base = row * g.columns;
    for (int p = 0; p < count; p++) {
      const int64_t from = partStart(g, u.firstPart + p);
      encodeRun(c, x + base + from, partEnd(g, u.firstPart + p) - from, factor[p], zero[p], codes + base + from, base + from);
    }
  }
  uint8_t* transposed = arrayOf<uint8_t>(call, 4);
  if (transposed == nullptr || count == 0) return;
  const int64_t last = partEnd(g, u.lastPart - 1);
  for (int64_t column = partStart(g, u.firstPart); column < last; column++) {
    for (int64_t row = u.firstRow; row < u.lastRow; row++) {
      transposed[column * g.rows + row] = codes[row * g.columns + column];
    }
  }
}

FETTLE_FN void storeScale(const fettle_call& call, int64_t tile, const TileScale& t) {
  arrayOf<float>(call, 2)[tile] = t.scale;
  if (call.array[3] != nullptr) arrayOf<int32_t>(call, 3)[tile] = t.zero;
}

// The scales of a strip whose parts are tiles, given their extremes: to the arrays, and what each is encoded with.
FETTLE_FN void stripScales(const fettle_call& call, const GridCodec& c, const Grid& g, const GridUnit& u, const int32_t* largest,
                           const int32_t* smallest, float* factor, int32_t* zero) {
  for (int64_t p = u.firstPart; p < u.lastPart; p++) {
    const int64_t k = p - u.firstPart;
    const TileScale t = scaleOf(c, floatOfKey(largest[k]), floatOfKey(smallest[k]));
    factor[k] = t.factor;
    zero[k] = t.zero;
    storeScale(call, u.band * g.tilesAcross + p, t);
  }
}

// Where every tile is one part. A unit is a strip.
struct GridQuantize {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const Grid g = gridOf(call);
    const GridCodec c = gridCodec(call);
    const GridUnit u = gridUnit(g, unit);
    int32_t largest[gridStripParts], smallest[gridStripParts], zero[gridStripParts];
    float factor[gridStripParts];
    stripExtremes(c, g, u, arrayOf<const float>(call, 0), largest, smallest);
    stripScales(call, c, g, u, largest, smallest, factor, zero);
    stripEncode(call, c, g, u, factor, zero);
  }
};

// The extremes of every part into arrays 6 and 7. A unit is a strip.
struct GridExtremes {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const Grid g = gridOf(call);
    const GridCodec c = gridCodec(call);
    const GridUnit u = gridUnit(g, unit);
    int32_t largest[gridStripParts], smallest[gridStripParts];
    stripExtremes(c, g, u, arrayOf<const float>(call, 0), largest, smallest);
    for (int64_t p = u.firstPart; p < u.lastPart; p++) {
      const int64_t at = u.band * g.parts + p;
      arrayOf<float>(call, 6)[at] = floatOfKey(largest[p - u.firstPart]);
      if (c.twoSided) arrayOf<float>(call, 7)[at] = floatOfKey(smallest[p - u.firstPart]);
    }
  }
};

// The scales and factors of tiles from their parts' extremes. A unit is a tile.
struct GridScales {
  FETTLE_FN void unit(const fettle_call& call, int64_t tile) {
    const Grid g = gridOf(call);
    const GridCodec c = gridCodec(call);
    const int64_t down = tile / g.tilesAcross, across = tile % g.tilesAcross;
    int32_t largest = c.twoSided ? INT32_MIN : 0, smallest = c.twoSided ? INT32_MAX : 0;
    for (int64_t j = 0; j < g.partsDown; j++) {
      for (int64_t k = 0; k < g.partsAcross; k++) {
        const int64_t at = (down * g.partsDown + j) * g.parts + across * g.partsAcross + k;
        const int32_t high = keyOf(arrayOf<const float>(call, 6)[at]);
        largest = high > largest ? high : largest;
        if (c.twoSided) {
          const int32_t low = keyOf(arrayOf<const float>(call, 7)[at]);
          smallest = low < smallest ? low : smallest;
        }
      }
    }
    const TileScale t = scaleOf(c, floatOfKey(largest), floatOfKey(smallest));
    storeScale(call, tile, t);
    arrayOf<float>(call, 5)[tile] = t.factor;
  }
};

// Codes by the scales that are there. A unit is a strip.
struct GridEncode {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const Grid g = gridOf(call);
    const GridCodec c = encodingCodec(call);
    const GridUnit u = gridUnit(g, unit);
    int32_t zero[gridStripParts];
    float factor[gridStripParts];
    for (int64_t p = u.firstPart; p < u.lastPart; p++) {
      const int64_t tile = u.band / g.partsDown * g.tilesAcross + p / g.partsAcross;
      factor[p - u.firstPart] = call.array[5] != nullptr ? arrayOf<const float>(call, 5)[tile]
                                                         : factorOf(c, arrayOf<const float>(call, 2)[tile]);
      zero[p - u.firstPart] = call.array[3] != nullptr ? arrayOf<const int32_t>(call, 3)[tile] : 0;
    }
    stripEncode(call, c, g, u, factor, zero);
  }
};

// Values of codes, into array 0: scale * (code - zero). A unit is a strip.
struct GridDecode {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const Grid g = gridOf(call);
    const GridCodec c = gridCodec(call);
    const GridUnit u = gridUnit(g, unit);
    for (int64_t row = u.firstRow; row < u.lastRow; row++) {
      for (int64_t p = u.firstPart; p < u.lastPart; p++) {
        const int64_t tile = u.band / g.partsDown * g.tilesAcross + p / g.partsAcross;
        const float stored = arrayOf<const float>(call, 2)[tile];
        const float scale = c.rule == gridVectorwise ? stored / 127.0f : stored;
        const float zero = call.array[3] != nullptr ? float(arrayOf<const int32_t>(call, 3)[tile]) : 0.0f;
        const int64_t from = row * g.columns + partStart(g, p), to = row * g.columns + partEnd(g, p);
        float* __restrict y = arrayOf<float>(call, 0);
        const uint8_t* __restrict codes = arrayOf<const uint8_t>(call, 1);
        if (c.rule == gridMinifloat) {
          for (int64_t i = from; i < to; i++) y[i] = decodeMinifloat(c.minifloat, codes[i]) * scale;
        } else if (c.twoSided) {
          for (int64_t i = from; i < to; i++) y[i] = (float(codes[i]) - zero) * scale;
        } else {
          for (int64_t i = from; i < to; i++) y[i] = float(int8_t(codes[i])) * scale;
        }
      }
    }
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
