// Arrays that are too large to stay in a cache. Stores that go past it spare reading what they overwrite.
#pragma once

#include "core/doubles.h"
#include "core/vector.h"

namespace fettle {
namespace FETTLE_TIER {

// From here on; below, such stores cost more than they spare.
constexpr int64_t streamedBytes = int64_t(16) << 20;

// How far ahead of a long stream of elements to read: two pages of floats, as hardware stops at the end of one.
constexpr int64_t streamAhead = 2048;

FETTLE_FN void streamVector(float* to, Vector x) {
#if defined(__AVX512F__)
  _mm512_stream_ps(to, x.v);
#else
  _mm256_stream_ps(to, x.v);
#endif
}

// Rounded to floats.
FETTLE_FN void streamNarrow(float* to, Doubles x) {
#if defined(__AVX512F__)
  _mm256_stream_ps(to, _mm512_cvtpd_ps(x.v));
#else
  _mm_stream_ps(to, _mm256_cvtpd_ps(x.v));
#endif
}

// Floats from an address on until a vector's boundary.
FETTLE_FN int64_t floatsToBoundary(const float* to) {
  constexpr uintptr_t bytes = Vector::lanes * sizeof(float);
  return int64_t((bytes - reinterpret_cast<uintptr_t>(to) % bytes) % bytes / sizeof(float));
}

// Whoever is told that the work is done must see it.
FETTLE_FN void streamEnd() { _mm_sfence(); }

// From how many elements on codes and what they stand for go past the cache, which could not hold their call's operands. Only registers of a whole line do.
constexpr int64_t streamedElements = Vector::lanes == 16 ? int64_t(1) << 23 : INT64_MAX;
// Floats by which reading runs ahead: a page, as hardware does not.
constexpr int64_t readAhead = 1024;

FETTLE_FN bool isStreamed(int64_t elements) { return elements >= streamedElements; }

FETTLE_FN void fence(bool streamed) {
  if (streamed) _mm_sfence();
}

}  // namespace FETTLE_TIER
}  // namespace fettle
