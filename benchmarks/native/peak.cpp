// What one core computes when memory does not matter, compiled once per tier: registers or the nearest cache only.
#include <immintrin.h>
#include <math.h>

#include "tier.h"

namespace {

constexpr int chains = 12;  // more than latency times units, fewer than registers
constexpr int resident = 2048;

#if defined(__AVX512F__)
using Floats = __m512;
Floats all(float x) { return _mm512_set1_ps(x); }
Floats fma(Floats a, Floats b, Floats c) { return _mm512_fmadd_ps(a, b, c); }
#else
using Floats = __m256;
Floats all(float x) { return _mm256_set1_ps(x); }
Floats fma(Floats a, Floats b, Floats c) { return _mm256_fmadd_ps(a, b, c); }
#endif

// Two operations per lane and fma.
int64_t multiplyAdds(int64_t rounds) {
  Floats sums[chains];
  for (int k = 0; k < chains; k++) sums[k] = all(static_cast<float>(k));
  Floats factor = all(0.5f);
  const Floats term = all(1.0f);
  for (int64_t round = 0; round < rounds; round++) {
    for (int k = 0; k < chains; k++) sums[k] = fma(sums[k], factor, term);
    asm volatile("" : "+v"(factor));
  }
  for (int k = 0; k < chains; k++) asm volatile("" : : "v"(sums[k]));
  return rounds * chains * static_cast<int64_t>(sizeof(Floats) / sizeof(float)) * 2;
}

// One division and one square root per element, as in every rule of Adam's kind.
int64_t divisionsAndRoots(int64_t rounds) {
  alignas(64) float numerators[resident];
  alignas(64) float squares[resident];
  alignas(64) float quotients[resident];
  for (int i = 0; i < resident; i++) {
    numerators[i] = 1.0f;
    squares[i] = static_cast<float>(i + 1);
  }
  for (int64_t round = 0; round < rounds; round++) {
    for (int i = 0; i < resident; i++) quotients[i] = numerators[i] / sqrtf(squares[i]);
    asm volatile("" : : "r"(numerators), "r"(squares), "r"(quotients) : "memory");
  }
  return rounds * resident;
}

#if defined(__AVX512F__)
// Two operations per product of two bytes; the caller knows that the CPU has the instruction.
__attribute__((target("avx512vnni"))) int64_t byteProducts(int64_t rounds) {
  __m512i sums[chains];
  for (int k = 0; k < chains; k++) sums[k] = _mm512_setzero_si512();
  __m512i left = _mm512_set1_epi8(1);
  const __m512i right = _mm512_set1_epi8(1);
  for (int64_t round = 0; round < rounds; round++) {
    for (int k = 0; k < chains; k++) sums[k] = _mm512_dpbusd_epi32(sums[k], left, right);
    asm volatile("" : "+v"(left));
  }
  for (int k = 0; k < chains; k++) asm volatile("" : : "v"(sums[k]));
  return rounds * chains * static_cast<int64_t>(sizeof(__m512i)) * 2;
}
#else
int64_t byteProducts(int64_t) { return 0; }
#endif

}  // namespace

#define FETTLE_PEAKS_NAME(tier) peaks_##tier
#define FETTLE_PEAKS(tier) FETTLE_PEAKS_NAME(tier)
const PeakFunction FETTLE_PEAKS(FETTLE_TIER)[3] = {multiplyAdds, divisionsAndRoots, byteProducts};
