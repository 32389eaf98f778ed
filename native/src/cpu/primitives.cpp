// The drivers of the primitives on the CPU, compiled once per tier: elementwise chunks, rows, runs of pixels.
//
// An f32 array is worked on where it lies; any other passes through a tile of padded scratch.
#include "core/doubles.h"
#include "cpu/codec.h"
#include "cpu/primitive_tier.h"
#include "cpu/reduce.h"
#include "cpu/stored.h"
#include "cpu/stream.h"
#include "primitives/elements.h"
#include "primitives/pixels.h"
#include "primitives/rows.h"
#include "primitives/steps.h"

namespace fettle {
namespace FETTLE_TIER {
namespace {

constexpr int tileElements = 512;
constexpr int tileStride = tileElements + 48;
static_assert(FETTLE_PIXEL_RUN == tileElements, "a unit of pixels is one tile");

int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

// An array's floats first .. first + n - 1: the memory itself, or a decoded tile.
const float* load(const fettle_operand& from, int64_t first, int n, float* scratch) {
  if (from.dtype == FETTLE_F32) return static_cast<const float*>(from.data) + first;
  decodeTile(arrayAt(from, first), n, scratch);
  return scratch;
}

// Where an array's floats are to be put; `store` completes it.
float* place(const fettle_operand& to, int64_t first, float* scratch) {
  return to.dtype == FETTLE_F32 ? static_cast<float*>(to.data) + first : scratch;
}

void store(const fettle_operand& to, int64_t first, int n, const float* values) {
  if (to.dtype != FETTLE_F32) encodeTile(arrayAt(to, first), n, values);
}

void copyBytes(const fettle_operand& from, const fettle_operand& to, int64_t first, int n) {
  const int64_t size = bytesOf(from.dtype);
  memcpy(static_cast<char*>(to.data) + first * size, static_cast<const char*>(from.data) + first * size,
         size_t(n * size));
}

// Where the values of an elementwise loop come from and go to. What is not there is null.
template <class P>
struct Places {
  const float* in[P::inputs];
  float* out[P::outputs + 1];
  float* saved;
  // What is only written goes past the cache where it is too large for it.
  bool past[P::outputs + 1];
  bool savesPast;
};

FETTLE_FN void storeVector(float* to, Vector x, bool past) {
  if (past) {
    streamVector(to, x);
  } else {
    x.store(to);
  }
}

// One step of an elementwise loop, on a vector or on a float.
template <class P>
FETTLE_FN Terms<Vector> applyVector(const float* c, const Places<P>& at, int64_t i) {
  Vector x[P::inputs];
  Vector y[P::outputs + 1];
  Terms<Vector> terms;
  for (int k = 0; k < P::inputs; k++) x[k] = Vector::load(at.in[k] + i);
  P::apply(c, x, y, terms);
  if (P::saves && at.saved != nullptr) storeVector(at.saved + i, x[0], at.savesPast);
  for (int k = 0; k < P::outputs; k++) storeVector(at.out[k] + i, y[k], at.past[k]);
  return terms;
}

template <class P>
FETTLE_FN void applyScalar(const float* c, const Places<P>& at, Lanes* lanes, int64_t i) {
  float x[P::inputs];
  float y[P::outputs + 1];
  Terms<float> terms;
  for (int k = 0; k < P::inputs; k++) x[k] = at.in[k][i];
  P::apply(c, x, y, terms);
  if (P::saves && at.saved != nullptr) at.saved[i] = x[0];
  for (int k = 0; k < P::outputs; k++) at.out[k][i] = y[k];
  for (int k = 0; k < P::sums; k++) {
    double& lane = lanes[k].sum[i & (reductionLanes - 1)];
    lane = P::maximum ? larger(lane, double(terms.a[k])) : lane + double(terms.a[k]) * double(terms.b[k]);
  }
}

template <class P>
struct Elements {
  static constexpr int saved = P::inputs + P::outputs;
  static constexpr int arrays = saved + (P::saves ? 1 : 0);

  static void sweep(const float* c, const Places<P>& given, Lanes* lanes, int64_t n) {
    // A copy, so that no store can be thought to change it.
    const Places<P> at = given;
    int64_t i = 0;
    if constexpr (P::sums > 0) {
      i = n / reductionLanes * reductionLanes;
      accumulateTerms<P::sums, P::maximum>(lanes, i, [&](int64_t k) FETTLE_LAMBDA { return applyVector<P>(c, at, k); });
    }
    for (; i + Vector::lanes <= n; i += Vector::lanes) {
      const Terms<Vector> terms = applyVector<P>(c, at, i);
      for (int k = 0; k < P::sums; k++) {
        addTerm<P::maximum>(lanes[k], int(i & (reductionLanes - 1)), terms.a[k], terms.b[k]);
      }
    }
    for (; i < n; i++) applyScalar<P>(c, at, lanes, i);
  }

  static bool goesPast(const fettle_item& item, int index) {
    const void* data = item.array[index].data;
    bool past = item.elements * int64_t(sizeof(float)) >= streamedBytes && uintptr_t(data) % sizeof(Vector) == 0;
    for (int k = 0; k < P::inputs; k++) past = past && data != item.array[k].data;
    return past;
  }

  static void unit(const fettle_batch& batch, const fettle_item& item, int64_t chunk) {
    alignas(64) float scratch[saved * (FETTLE_CHUNK + 48)];
    // Where everything is in f32, a chunk needs no scratch.
    bool direct = true;
    for (int k = 0; k < arrays; k++) direct = direct && item.array[k].dtype == FETTLE_F32;
    const int tile = direct ? FETTLE_CHUNK : tileOf(item.array + P::inputs, P::outputs, tileElements);
    const int stride = tile + 48;
    float c[FETTLE_MAX_FACTORS];
    for (int k = 0; k < FETTLE_MAX_FACTORS; k++) c[k] = float(item.factors[k]);
    Lanes lanes[P::sums + 1];
    for (int k = 0; k < P::sums; k++) lanes[k].clear();
    Places<P> places = {};
    for (int k = 0; k < P::outputs; k++) places.past[k] = direct && goesPast(item, P::inputs + k);
    places.savesPast = P::saves && direct && goesPast(item, saved);
    const int64_t first = chunk * FETTLE_CHUNK;
    const int64_t last = least(first + FETTLE_CHUNK, item.elements);
    for (int64_t at = first; at < last; at += tile) {
      const int n = int(least(tile, last - at));
      if (P::saves && direct) places.saved = place(item.array[saved], at, nullptr);
      if (P::saves && !direct) copyBytes(item.array[0], item.array[saved], at, n);
      if (!direct && P::outputs + P::sums == 0) continue;
      for (int k = 0; k < P::inputs; k++) {
        places.in[k] = loadStored(item, item.array[k], at, n, scratch + k * stride);
      }
      for (int k = 0; k < P::outputs; k++) {
        places.out[k] = place(item.array[P::inputs + k], at, scratch + (P::inputs + k) * stride);
      }
      sweep(c, places, lanes, n);
      for (int k = 0; k < P::outputs; k++) storeStored(item, item.array[P::inputs + k], at, n, places.out[k]);
    }
    for (int k = 0; k < P::sums; k++) {
      batch.sums[k * batch.sum_count + item.first_sum + chunk] = sumOf<P::maximum>(lanes[k]);
    }
  }
};

template <class P>
struct Rows {
  // The sum of a chunk of a row. Lanes that no element reaches are 0 and change no sum, so a short row leaves them out.
  static double chunkSum(const fettle_operand& array, int64_t first, int64_t last) {
    alignas(64) float scratch[3][tileStride];
    const int used = int(least(reductionLanes, last - first));
    Lanes lanes;
    for (int k = 0; k < used; k++) lanes.sum[k] = 0.0;
    for (int64_t at = first; at < last; at += tileElements) {
      const int n = int(least(tileElements, last - at));
      const float* x = load(array, at, n, scratch[0]);
      int i = 0;
      for (; i + Vector::lanes <= n; i += Vector::lanes) {
        Vector a;
        Vector b;
        P::term(Vector::load(x + i), a, b);
        a.store(scratch[1] + i);
        b.store(scratch[2] + i);
      }
      for (; i < n; i++) P::term(x[i], scratch[1][i], scratch[2][i]);
      accumulate(lanes, scratch[1], scratch[2], n);
    }
    return treeSum(lanes.sum, used);
  }

  static void apply(const fettle_item& item, const RowFactors& factors, int64_t first, int64_t last) {
    alignas(64) float scratch[P::inputs + P::outputs][tileStride];
    for (int64_t at = first; at < last; at += tileElements) {
      const int n = int(least(tileElements, last - at));
      const float* in[P::inputs];
      for (int k = 0; k < P::inputs; k++) in[k] = load(item.array[k], at, n, scratch[k]);
      float* out = place(item.array[P::inputs], at, scratch[P::inputs + P::outputs - 1]);
      int i = 0;
      for (; i + Vector::lanes <= n; i += Vector::lanes) {
        Vector x[P::inputs];
        Vector y;
        for (int k = 0; k < P::inputs; k++) x[k] = Vector::load(in[k] + i);
        P::apply(factors, x, &y);
        y.store(out + i);
      }
      for (; i < n; i++) {
        float x[P::inputs];
        for (int k = 0; k < P::inputs; k++) x[k] = in[k][i];
        P::apply(factors, x, out + i);
      }
      store(item.array[P::inputs], at, n, out);
    }
  }

  static void unit(const fettle_batch& batch, const fettle_item& item, int64_t row) {
    const int64_t chunks = (item.row - 1) / FETTLE_CHUNK + 1;
    const int64_t first = row * item.row;
    const int64_t last = first + item.row;
    double* sums = batch.sums + item.first_sum + row * chunks;
    for (int64_t k = 0; k < chunks; k++) {
      const int64_t from = first + k * FETTLE_CHUNK;
      sums[k] = chunkSum(item.array[0], from, least(from + FETTLE_CHUNK, last));
    }
    const double sum = treeSum(sums, chunks);
    float at = 0.0f;
    // A whole vector is decoded, even of one element.
    alignas(64) float one[Vector::lanes];
    if constexpr (P::labelled) at = *load(item.array[0], first + item.labels[row], 1, one);
    RowFactors factors = {};
    sums[0] = P::begin(item.factors, sum, at, factors);
    if constexpr (P::outputs > 0) {
      apply(item, factors, first, last);
      if constexpr (P::labelled) {
        float* out = place(item.array[P::inputs], first + item.labels[row], one);
        *out = P::applyLabel(factors, at);
        store(item.array[P::inputs], first + item.labels[row], 1, out);
      }
    }
  }
};

template <class P>
struct Pixels {
  static void unit(const fettle_batch&, const fettle_item& item, int64_t unit) {
    alignas(64) float scratch[tileStride];
    alignas(64) float written[tileStride];
    alignas(64) float factor[tileStride];
    const float limit = float(item.factors[0]);
    const int64_t runs = (item.pixels - 1) / tileElements + 1;
    const int64_t pixel = unit % runs * tileElements;
    const int n = int(least(tileElements, item.pixels - pixel));
    const int64_t image = unit / runs * item.row * item.pixels + pixel;
    memset(factor, 0, sizeof factor);
    for (int64_t channel = 0; channel < item.row; channel++) {
      const float* g = load(item.array[0], image + channel * item.pixels, n, scratch);
      int i = 0;
      for (; i + Vector::lanes <= n; i += Vector::lanes) {
        larger(Vector::load(factor + i), absolute(Vector::load(g + i))).store(factor + i);
      }
      for (; i < n; i++) factor[i] = larger(factor[i], absolute(g[i]));
    }
    for (int i = 0; i < n; i += Vector::lanes) {
      P::factor(Vector(limit), Vector::load(factor + i)).store(factor + i);
    }
    for (int64_t channel = 0; channel < item.row; channel++) {
      const int64_t at = image + channel * item.pixels;
      const float* g = load(item.array[0], at, n, scratch);
      float* out = place(item.array[1], at, written);
      int i = 0;
      for (; i + Vector::lanes <= n; i += Vector::lanes) {
        (Vector::load(g + i) * Vector::load(factor + i)).store(out + i);
      }
      for (; i < n; i++) out[i] = g[i] * factor[i];
      store(item.array[1], at, n, out);
    }
  }
};

// Units first .. last - 1 of an item.
template <class Kind>
void unitsOf(const fettle_batch& batch, const fettle_item& item, int64_t first, int64_t last) {
  for (int64_t unit = first; unit < last; unit++) Kind::unit(batch, item, unit);
}

// Nothing but memory: straight from where the floats lie, with every lane in a register.
template <>
void unitsOf<Elements<SquareSum>>(const fettle_batch& batch, const fettle_item& item, int64_t first, int64_t last) {
  if (item.array[0].dtype != FETTLE_F32) {
    for (int64_t unit = first; unit < last; unit++) Elements<SquareSum>::unit(batch, item, unit);
    return;
  }
  const float* x = static_cast<const float*>(item.array[0].data);
  for (int64_t unit = first; unit < last; unit++) {
    const int64_t at = unit * FETTLE_CHUNK;
    Lanes lanes;
    lanes.clear();
    accumulateStream(lanes, x + at, int(least(FETTLE_CHUNK, item.elements - at)));
    batch.sums[item.first_sum + unit] = sumOf<false>(lanes);
  }
}

using Units = void (*)(const fettle_batch&, const fettle_item&, int64_t, int64_t);

const Units units[] = {
#define FETTLE_PRIMITIVE(id, kind, ...) unitsOf<kind<__VA_ARGS__>>,
#include "fettle/primitives.def"
#undef FETTLE_PRIMITIVE
};

void run(const fettle_batch* batch, int64_t first, int64_t last) {
  // The last item whose first unit is not behind `first`; items without units share a number with their successor.
  int64_t low = 0;
  int64_t high = batch->item_count;
  while (high - low > 1) {
    const int64_t middle = low + (high - low) / 2;
    if (batch->items[middle].first_unit <= first) {
      low = middle;
    } else {
      high = middle;
    }
  }
  int64_t unit = first;
  for (int64_t index = low; index < batch->item_count && unit < last; index++) {
    const fettle_item& item = batch->items[index];
    const int64_t end = least(item.first_unit + item.units, last);
    if (unit >= end) continue;
    units[item.primitive](*batch, item, unit - item.first_unit, end - item.first_unit);
    unit = end;
  }
  streamEnd();
}

}  // namespace
}  // namespace FETTLE_TIER

#define FETTLE_TABLE_OF(tier) FETTLE_TABLE_NAME(tier)
#define FETTLE_TABLE_NAME(tier) primitives_##tier

extern const PrimitiveTable FETTLE_TABLE_OF(FETTLE_TIER);
const PrimitiveTable FETTLE_TABLE_OF(FETTLE_TIER) = {FETTLE_TIER::run};

}  // namespace fettle
