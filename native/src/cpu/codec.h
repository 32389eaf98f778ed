// 16-bit formats on the CPU: a vector at a time, on its way between memory and registers, and tiles of them
// with stochastic rounding.
#pragma once

#include "core/formats.h"
#include "core/vector.h"
#include "cpu/words.h"
#include "fettle/plan.h"

namespace fettle {
namespace FETTLE_TIER {

FETTLE_FN int64_t bytesOf(int64_t dtype) { return dtype == FETTLE_F32 ? 4 : 2; }

// 16-bit codes of one vector's lanes.
#if defined(__AVX512F__)

struct Codes {
  __m256i v;
  FETTLE_FN Codes load(const uint16_t* from) { return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from))}; }
  FETTLE_INLINE void store(uint16_t* to) const { _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), v); }
  FETTLE_FN Codes loadPart(const uint16_t* from, int count) {
    return {_mm256_maskz_loadu_epi16(Vector::firstLanes(count), from)};
  }
  FETTLE_INLINE void storePart(uint16_t* to, int count) const {
    _mm256_mask_storeu_epi16(to, Vector::firstLanes(count), v);
  }
};

FETTLE_FN Vector decodeBf16(Codes codes) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(codes.v), 16));
}

FETTLE_FN Vector decodeF16(Codes codes) { return _mm512_cvtph_ps(codes.v); }

// Words whose upper halves are the nearest bf16 codes, NaN aside.
FETTLE_FN __m512i bf16Words(Vector x) {
  // Half a unit less one, and one more where the kept part is odd; a carry runs into the exponent as it should.
  const __m512i bits = _mm512_castps_si512(x.v);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  return _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7FFF)), odd);
}

FETTLE_FN Codes nearestBf16(Vector x) {
  const __mmask16 number = _mm512_cmp_ps_mask(x.v, x.v, _CMP_ORD_Q);
  return {_mm512_mask_cvtepi32_epi16(_mm256_set1_epi16(0x7FC0), number, _mm512_srli_epi32(bf16Words(x), 16))};
}

// The nearest bf16 value.
FETTLE_FN Vector toBf16(Vector x) {
  const __mmask16 number = _mm512_cmp_ps_mask(x.v, x.v, _CMP_ORD_Q);
  const __m512i upper = _mm512_set1_epi32(int(0xFFFF0000u));
  return _mm512_castsi512_ps(_mm512_mask_and_epi32(_mm512_set1_epi32(0x7FC00000), number, bf16Words(x), upper));
}

FETTLE_FN Codes nearestF16(Vector x) {
  const __m256i code = _mm512_cvtps_ph(x.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const __mmask16 nan = _mm512_cmp_ps_mask(x.v, x.v, _CMP_UNORD_Q);
  return {_mm256_mask_blend_epi16(nan, code, _mm256_set1_epi16(0x7E00))};
}

#else

struct Codes {
  __m128i v;
  FETTLE_FN Codes load(const uint16_t* from) { return {_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))}; }
  FETTLE_INLINE void store(uint16_t* to) const { _mm_storeu_si128(reinterpret_cast<__m128i*>(to), v); }
  FETTLE_FN Codes loadPart(const uint16_t* from, int count) {
    uint16_t lane[Vector::lanes] = {};
    for (int k = 0; k < count; k++) lane[k] = from[k];
    return load(lane);
  }
  FETTLE_INLINE void storePart(uint16_t* to, int count) const {
    uint16_t lane[Vector::lanes];
    store(lane);
    for (int k = 0; k < count; k++) to[k] = lane[k];
  }
};

FETTLE_FN Vector decodeBf16(Codes codes) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(codes.v), 16));
}

FETTLE_FN Vector decodeF16(Codes codes) { return _mm256_cvtph_ps(codes.v); }

// The low halves of eight words.
FETTLE_FN __m128i lowHalves(__m256i words) {
  return _mm_packus_epi32(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
}

// Words whose upper halves are the nearest bf16 codes, NaN aside.
FETTLE_FN __m256i bf16Words(Vector x) {
  const __m256i bits = _mm256_castps_si256(x.v);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  return _mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7FFF)), odd);
}

FETTLE_FN Codes nearestBf16(Vector x) {
  const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(x.v, x.v, _CMP_UNORD_Q));
  return {lowHalves(_mm256_blendv_epi8(_mm256_srli_epi32(bf16Words(x), 16), _mm256_set1_epi32(0x7FC0), nan))};
}

// The nearest bf16 value.
FETTLE_FN Vector toBf16(Vector x) {
  const __m256 nan = _mm256_cmp_ps(x.v, x.v, _CMP_UNORD_Q);
  const __m256i upper = _mm256_and_si256(bf16Words(x), _mm256_set1_epi32(int(0xFFFF0000u)));
  return _mm256_blendv_ps(_mm256_castsi256_ps(upper), _mm256_castsi256_ps(_mm256_set1_epi32(0x7FC00000)), nan);
}

FETTLE_FN Codes nearestF16(Vector x) {
  const __m128i code = _mm256_cvtps_ph(x.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(x.v, x.v, _CMP_UNORD_Q));
  return {_mm_blendv_epi8(code, _mm_set1_epi16(0x7E00), lowHalves(_mm256_srli_epi32(nan, 16)))};
}

#endif

// An array of an elementwise format, from a tile's first element on. data is null where there is none.
struct Array {
  char* data;
  int64_t dtype;
};

FETTLE_FN Array arrayAt(const fettle_operand& operand, int64_t first) {
  if (operand.data == nullptr) return {nullptr, FETTLE_F32};
  return {static_cast<char*>(operand.data) + first * bytesOf(operand.dtype), operand.dtype};
}

// The format of an array in a loop that was not compiled for one.
constexpr int64_t anyFormat = -1;

// The vector of floats from element i on; `format` is the array's, or anyFormat.
template <int64_t format>
FETTLE_FN Vector loadFrom(const Array& array, int64_t i) {
  const int64_t dtype = format == anyFormat ? array.dtype : format;
  if (dtype == FETTLE_F32) return Vector::load(reinterpret_cast<const float*>(array.data) + i);
  const Codes codes = Codes::load(reinterpret_cast<const uint16_t*>(array.data) + i);
  return dtype == FETTLE_BF16 ? decodeBf16(codes) : decodeF16(codes);
}

// The way back, to nearest.
template <int64_t format>
FETTLE_FN void storeTo(const Array& array, int64_t i, Vector x) {
  const int64_t dtype = format == anyFormat ? array.dtype : format;
  if (dtype == FETTLE_F32) {
    x.store(reinterpret_cast<float*>(array.data) + i);
  } else {
    const Codes codes = dtype == FETTLE_BF16 ? nearestBf16(x) : nearestF16(x);
    codes.store(reinterpret_cast<uint16_t*>(array.data) + i);
  }
}

// The same for the first `count` lanes, where the array ends within the vector.
FETTLE_FN Vector loadPart(const Array& array, int64_t i, int count) {
  if (array.dtype == FETTLE_F32) return Vector::loadPart(reinterpret_cast<const float*>(array.data) + i, count);
  const Codes codes = Codes::loadPart(reinterpret_cast<const uint16_t*>(array.data) + i, count);
  return array.dtype == FETTLE_BF16 ? decodeBf16(codes) : decodeF16(codes);
}

FETTLE_FN void storePart(const Array& array, int64_t i, int count, Vector x) {
  if (array.dtype == FETTLE_F32) {
    x.storePart(reinterpret_cast<float*>(array.data) + i, count);
  } else {
    const Codes codes = array.dtype == FETTLE_BF16 ? nearestBf16(x) : nearestF16(x);
    codes.storePart(reinterpret_cast<uint16_t*>(array.data) + i, count);
  }
}

// The floats of a whole tile, in scratch whose last vector is written whole.
static void decodeTile(const Array& array, int n, float* to) {
  int i = 0;
  for (; i + Vector::lanes <= n; i += Vector::lanes) loadFrom<anyFormat>(array, i).store(to + i);
  if (i < n) loadPart(array, i, n - i).store(to + i);
}

// A whole tile to an array, to nearest; scratch may be read to the end of its last vector.
[[maybe_unused]] static void encodeTile(const Array& array, int n, const float* from) {
  int i = 0;
  for (; i + Vector::lanes <= n; i += Vector::lanes) storeTo<anyFormat>(array, i, Vector::load(from + i));
  if (i < n) storePart(array, i, n - i, Vector::loadPart(from + i, n - i));
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
