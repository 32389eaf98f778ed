// Tiles of 16-bit formats to and from float tiles on the CPU.
#pragma once

#include "core/formats.h"
#include "core/noise.h"
#include "core/vector.h"
#include "fettle/plan.h"

namespace fettle {
namespace FETTLE_TIER {

FETTLE_FN int64_t bytesOf(int64_t dtype) { return dtype == FETTLE_F32 ? 4 : 2; }

// Random words for a run of elements of any length: the word of element first + i is words[(first & 3) + i].
inline __attribute__((noinline)) static void drawWords(const Noise& noise, int64_t first, int n, uint32_t* words) {
  const uint64_t quad = uint64_t(first) >> 2;
  const int quads = (int(first & 3) + n + 3) / 4;
  for (int i = 0; i < quads; i++) {
    const Words drawn = wordsOf(noise, quad + uint64_t(i));
    for (int k = 0; k < 4; k++) words[4 * i + k] = drawn.word[k];
  }
}

static void decodeTile(const void* from, int64_t dtype, int64_t first, int n, float* to) {
  const uint16_t* codes = static_cast<const uint16_t*>(from) + first;
  if (dtype == FETTLE_BF16) {
    for (int i = 0; i < n; i++) to[i] = Bf16::decode(codes[i]);
    return;
  }
  int i = 0;
#if defined(__AVX512F__)
  for (; i + 16 <= n; i += 16) {
    const __m256i packed = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes + i));
    _mm512_storeu_ps(to + i, _mm512_cvtph_ps(packed));
  }
#else
  for (; i + 8 <= n; i += 8) {
    const __m128i packed = _mm_loadu_si128(reinterpret_cast<const __m128i*>(codes + i));
    _mm256_storeu_ps(to + i, _mm256_cvtph_ps(packed));
  }
#endif
  for (; i < n; i++) to[i] = F16::decode(codes[i]);
}

static void encodeNearest(const float* from, int64_t dtype, int64_t first, int n, void* to) {
  uint16_t* codes = static_cast<uint16_t*>(to) + first;
  if (dtype == FETTLE_BF16) {
    for (int i = 0; i < n; i++) codes[i] = Bf16::nearest(from[i]);
    return;
  }
  int i = 0;
#if defined(__AVX512F__)
  for (; i + 16 <= n; i += 16) {
    const __m512 x = _mm512_loadu_ps(from + i);
    const __m256i packed = _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    const __mmask16 nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(codes + i),
                        _mm256_mask_blend_epi16(nan, packed, _mm256_set1_epi16(0x7E00)));
  }
#else
  for (; i + 8 <= n; i += 8) {
    const __m256 x = _mm256_loadu_ps(from + i);
    const __m128i packed = _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    const __m256i wide = _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q));
    const __m128i nan = _mm_packs_epi32(_mm256_castsi256_si128(wide), _mm256_extracti128_si256(wide, 1));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(codes + i),
                     _mm_blendv_epi8(packed, _mm_set1_epi16(0x7E00), nan));
  }
#endif
  for (; i < n; i++) codes[i] = F16::nearest(from[i]);
}

[[maybe_unused]] static void encodeStochastic(const float* from, int64_t dtype, int64_t first, int n, void* to, const Noise& noise) {
  uint16_t* codes = static_cast<uint16_t*>(to) + first;
  constexpr int batch = 512;
  uint32_t drawn[batch + 8];
  for (int done = 0; done < n; done += batch) {
    const int size = n - done < batch ? n - done : batch;
    drawWords(noise, first + done, size, drawn);
    const uint32_t* words = drawn + (first & 3);
    if (dtype == FETTLE_BF16) {
      for (int i = 0; i < size; i++) codes[done + i] = Bf16::stochastic(from[done + i], words[i]);
    } else {
      for (int i = 0; i < size; i++) codes[done + i] = F16::stochastic(from[done + i], words[i]);
    }
  }
}

}  // namespace FETTLE_TIER
}  // namespace fettle
