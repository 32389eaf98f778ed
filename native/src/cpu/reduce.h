// The fixed-order double reduction on the CPU: chunks of 4,096 elements, 128 lanes, halving trees.
//
// Lane l of a chunk adds elements l, l + 128, ... in order; the lanes of a chunk and then the chunks are
// added by halving trees. A product of two floats is exact in double, so fma and multiply-add agree.
#pragma once

#include "core/doubles.h"
#include "core/rule.h"
#include "core/tree.h"
#include "core/vector.h"
#include "cpu/stream.h"

namespace fettle {
namespace FETTLE_TIER {

struct Lanes {
  alignas(64) double sum[reductionLanes];
  FETTLE_INLINE void clear() { memset(sum, 0, sizeof sum); }
};

// Adds a[i] * b[i], i < n; element 0 belongs to lane 0. Squares are widened once. A stream is read ahead of.
template <bool squares, bool stream>
FETTLE_FN void accumulateProducts(Lanes& lanes, const float* a, const float* b, int n) {
  constexpr int each = Doubles::lanes;
  // All lanes at once where there are registers for them.
  constexpr int registers = each == 8 ? 16 : 8;
  constexpr int width = registers * each;
  const int whole = n / reductionLanes * reductionLanes;
  for (int block = 0; block < reductionLanes; block += width) {
    Doubles sum[registers];
    for (int k = 0; k < registers; k++) sum[k] = Doubles::load(lanes.sum + block + each * k);
    for (int i = block; i < whole; i += reductionLanes) {
      for (int k = 0; stream && k < width; k += 16) {
        _mm_prefetch(reinterpret_cast<const char*>(a + i + k + streamAhead), _MM_HINT_T0);
      }
      for (int k = 0; k < registers; k++) {
        const Doubles x = Doubles::widen(a + i + each * k);
        sum[k] = fma(x, squares ? x : Doubles::widen(b + i + each * k), sum[k]);
      }
    }
    for (int k = 0; k < registers; k++) sum[k].store(lanes.sum + block + each * k);
  }
  for (int i = whole; i < n; i++) lanes.sum[i - whole] += double(a[i]) * double(b[i]);
}

[[maybe_unused]] static void accumulate(Lanes& lanes, const float* a, const float* b, int n) {
  accumulateProducts<false, false>(lanes, a, b, n);
}

[[maybe_unused]] static void accumulateSquares(Lanes& lanes, const float* a, int n) {
  accumulateProducts<true, false>(lanes, a, a, n);
}

// The same for what comes from memory and goes on behind a[n].
[[maybe_unused]] static void accumulateStream(Lanes& lanes, const float* a, int n) {
  accumulateProducts<true, true>(lanes, a, a, n);
}

FETTLE_FN Doubles lowerHalf(Vector x) {
#if defined(__AVX512F__)
  return _mm512_cvtps_pd(_mm512_castps512_ps256(x.v));
#else
  return _mm256_cvtps_pd(_mm256_castps256_ps128(x.v));
#endif
}

FETTLE_FN Doubles upperHalf(Vector x) {
#if defined(__AVX512F__)
  return _mm512_cvtps_pd(_mm512_extractf32x8_ps(x.v, 1));
#else
  return _mm256_cvtps_pd(_mm256_extractf128_ps(x.v, 1));
#endif
}

// The lanes added by halving.
FETTLE_FN double halvingSum(Doubles x) {
#if defined(__AVX512F__)
  const __m256d four = _mm256_add_pd(_mm512_castpd512_pd256(x.v), _mm512_extractf64x4_pd(x.v, 1));
#else
  const __m256d four = x.v;
#endif
  const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
  return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}

// The larger of the two; a NaN in either comes out.
FETTLE_FN double larger(double x, double y) { return x > y || x != x ? x : y; }
FETTLE_FN Doubles larger(Doubles x, Doubles y) { return choose(y == y, choose(x < y, y, x), y); }

// Adds a * b to the lanes from lane `at` on, or raises them to a where the largest is asked for.
template <bool maximum>
FETTLE_FN void addTerm(Lanes& lanes, int at, Vector a, Vector b) {
  double* low = lanes.sum + at;
  double* high = low + Doubles::lanes;
  if constexpr (maximum) {
    larger(Doubles::load(low), lowerHalf(a)).store(low);
    larger(Doubles::load(high), upperHalf(a)).store(high);
  } else {
    fma(lowerHalf(a), lowerHalf(b), Doubles::load(low)).store(low);
    fma(upperHalf(a), upperHalf(b), Doubles::load(high)).store(high);
  }
}

// treeSum of all lanes, in registers.
FETTLE_FN double lanesSum(const double* lanes) {
  Doubles sum[reductionLanes / Doubles::lanes];
#pragma GCC unroll 32
  for (int k = 0; k < reductionLanes / Doubles::lanes; k++) sum[k] = Doubles::load(lanes + k * Doubles::lanes);
#pragma GCC unroll 8
  for (int half = reductionLanes / Doubles::lanes / 2; half > 0; half /= 2) {
#pragma GCC unroll 16
    for (int k = 0; k < half; k++) sum[k] = sum[k] + sum[k + half];
  }
  return halvingSum(sum[0]);
}

// Adds the terms of elements 0 .. n - 1 to the lanes of each sum; n is a multiple of the lanes. termsAt(i) answers those of the
// vector at element i. The sums are variables of this loop, so that as many stay in registers as there is room for; elements
// are read in order, as jumps between them cost more than the stores that they spare.
template <int sums, bool maximum, class TermsAt>
FETTLE_FN void accumulateTerms(Lanes* lanes, int64_t n, const TermsAt& termsAt) {
  if constexpr (maximum) {
    // The largest of floats is one of them, in whatever order.
    static_assert(sums == 1, "one largest term");
    constexpr int chains = 4;
    Vector largest[chains] = {Vector(0.0f), Vector(0.0f), Vector(0.0f), Vector(0.0f)};
    for (int64_t i = 0; i < n; i += chains * Vector::lanes) {
#pragma GCC unroll 4
      for (int v = 0; v < chains; v++) largest[v] = larger(largest[v], termsAt(i + v * Vector::lanes).a[0]);
    }
    for (const Vector& each : largest) addTerm<true>(lanes[0], 0, each, each);
    return;
  }
  constexpr int each = Doubles::lanes;
  Doubles sum[sums][reductionLanes / each];
#pragma GCC unroll 4
  for (int k = 0; k < sums; k++) {
#pragma GCC unroll 32
    for (int v = 0; v < reductionLanes / each; v++) sum[k][v] = Doubles::load(lanes[k].sum + v * each);
  }
  for (int64_t i = 0; i < n; i += reductionLanes) {
#pragma GCC unroll 16
    for (int v = 0; v < reductionLanes / Vector::lanes; v++) {
      const Terms<Vector> terms = termsAt(i + v * Vector::lanes);
#pragma GCC unroll 4
      for (int k = 0; k < sums; k++) {
        sum[k][2 * v] = fma(lowerHalf(terms.a[k]), lowerHalf(terms.b[k]), sum[k][2 * v]);
        sum[k][2 * v + 1] = fma(upperHalf(terms.a[k]), upperHalf(terms.b[k]), sum[k][2 * v + 1]);
      }
    }
  }
#pragma GCC unroll 4
  for (int k = 0; k < sums; k++) {
#pragma GCC unroll 32
    for (int v = 0; v < reductionLanes / each; v++) sum[k][v].store(lanes[k].sum + v * each);
  }
}

// What the lanes of a chunk come to.
template <bool maximum>
FETTLE_FN double sumOf(Lanes& lanes) {
  return maximum ? largestOf(lanes.sum, reductionLanes) : lanesSum(lanes.sum);
}

}  // namespace FETTLE_TIER
}  // namespace fettle
