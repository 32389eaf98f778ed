// Masks on the CPU.
#include "cpu/kernel_tier.h"
#include "cpu/keys.h"
#include "cpu/pieces.h"
#include "cpu/stream.h"
#include "kernels/masks/bits.h"
#include "kernels/masks/nm.h"

namespace fettle {
namespace FETTLE_TIER {

template <>
struct CpuKernel<MaskApply> {
  FETTLE_FN void range(const fettle_call& call, int64_t first, int64_t last) {
    if (call.integer[1] != 4) {
      for (int64_t unit = first; unit < last; unit++) MaskApply::unit(call, unit);
      return;
    }
    const float* x = arrayOf<const float>(call, 0);
    const uint8_t* mask = arrayOf<const uint8_t>(call, 1);
    float* out = arrayOf<float>(call, 2);
    const int64_t end = smaller(last * packUnit, call.integer[0]);
    int64_t i = first * packUnit;
    if (out != x && call.integer[0] * 4 >= streamedBytes) {
      const int head = int(smaller(floatsToBoundary(out + i), end - i));
      part(x, mask, out, i, head);
      i += head;
      const int firstBit = head % 8;
      for (; i + Vector::lanes <= end; i += Vector::lanes) {
        _mm_prefetch(reinterpret_cast<const char*>(x + i + streamAhead), _MM_HINT_T0);
        streamVector(out + i, masked(Vector::load(x + i), mask + i / 8, firstBit));
      }
      part(x, mask, out, i, int(end - i));
      streamEnd();
      return;
    }
    for (; i + Vector::lanes <= end; i += Vector::lanes) masked(Vector::load(x + i), mask + i / 8, 0).store(out + i);
    part(x, mask, out, i, int(end - i));
  }
  // Fewer elements than a vector has.
  FETTLE_FN void part(const float* x, const uint8_t* mask, float* out, int64_t i, int count) {
    if (count <= 0) return;
    masked(Vector::loadPart(x + i, count), keptLanes(mask + i / 8, int(i % 8), count)).storePart(out + i, count);
  }
};

// Contiguous groups of a power of two that divides a vector: every entry is compared with the others of its group, which
// come past by rotation.
template <int64_t dtype, int m>
struct NmRotation {
  int32_t from[m][Keys::lanes];
  int32_t tie[m][Keys::lanes];

  FETTLE_INLINE NmRotation() {
    for (int r = 1; r < m; r++) {
      for (int lane = 0; lane < Keys::lanes; lane++) {
        const int other = (lane % m + r) % m;
        from[r][lane] = lane / m * m + other;
        // Keys are whole numbers: at least x is more than x - 1.
        tie[r][lane] = other < lane % m ? 1 : 0;
      }
    }
  }

  FETTLE_INLINE uint32_t kept(const void* x, int64_t i, int32_t n) const {
    const Keys keys = loadKeys<dtype, magnitudeKey>(x, i);
#if defined(__AVX512F__)
    __m512i before = _mm512_setzero_si512();
    for (int r = 1; r < m; r++) {
      const __m512i other = _mm512_permutexvar_epi32(_mm512_loadu_si512(from[r]), keys.v);
      const __m512i limit = _mm512_sub_epi32(keys.v, _mm512_loadu_si512(tie[r]));
      const __mmask16 goes = _mm512_cmpgt_epi32_mask(other, limit);
      before = _mm512_mask_add_epi32(before, goes, before, _mm512_set1_epi32(1));
    }
    return _mm512_cmplt_epi32_mask(before, _mm512_set1_epi32(n));
#else
    __m256i before = _mm256_setzero_si256();
    for (int r = 1; r < m; r++) {
      const __m256i index = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from[r]));
      const __m256i ties = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(tie[r]));
      const __m256i other = _mm256_permutevar8x32_epi32(keys.v, index);
      // A comparison that holds is -1.
      before = _mm256_sub_epi32(before, _mm256_cmpgt_epi32(other, _mm256_sub_epi32(keys.v, ties)));
    }
    return lanesOf(_mm256_cmpgt_epi32(_mm256_set1_epi32(n), before));
#endif
  }
};

// Groups of four: of every pair of an entry and the next two in turn the one that goes before is found once, a bit per entry.
// Answers which of 64 entries stay.
template <int64_t dtype>
FETTLE_FN uint64_t keptOfFours(const void* x, int64_t i, int64_t n) {
  uint64_t next = 0;
  uint64_t second = 0;
  for (int k = 0; k < 64; k += Keys::lanes) {
    const Keys keys = loadKeys<dtype, magnitudeKey>(x, i + k);
    // Keys are whole numbers: at least x is more than x - 1. Of equal entries the one further ahead goes before.
#if defined(__AVX512F__)
    const __m512i lastTie = _mm512_set_epi32(1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0);
    const __m512i lastTies = _mm512_set_epi32(1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0);
    next |= uint64_t(_mm512_cmpgt_epi32_mask(_mm512_shuffle_epi32(keys.v, _MM_PERM_ADCB), _mm512_sub_epi32(keys.v, lastTie))) << k;
    second |= uint64_t(_mm512_cmpgt_epi32_mask(_mm512_shuffle_epi32(keys.v, _MM_PERM_BADC), _mm512_sub_epi32(keys.v, lastTies))) << k;
#else
    const __m256i lastTie = _mm256_set_epi32(1, 0, 0, 0, 1, 0, 0, 0);
    const __m256i lastTies = _mm256_set_epi32(1, 1, 0, 0, 1, 1, 0, 0);
    next |= uint64_t(lanesOf(_mm256_cmpgt_epi32(_mm256_shuffle_epi32(keys.v, 0x39), _mm256_sub_epi32(keys.v, lastTie)))) << k;
    second |= uint64_t(lanesOf(_mm256_cmpgt_epi32(_mm256_shuffle_epi32(keys.v, 0x4E), _mm256_sub_epi32(keys.v, lastTies)))) << k;
#endif
  }
  // The entry before goes before this one unless this one goes before it.
  constexpr uint64_t firsts = 0x1111111111111111u;
  const uint64_t before = ~((next << 1 & ~firsts) | (next >> 3 & firsts));
  switch (n) {
    case 0: return 0;
    case 1: return ~(next | second | before);
    case 2: return ~((next & second) | (next & before) | (second & before));
    case 3: return ~(next & second & before);
    default: return ~uint64_t(0);
  }
}

template <int64_t dtype, int m>
FETTLE_FN void nmRotated(const fettle_call& call, int64_t first, int64_t last) {
  const NmRotation<dtype, m> rotation;
  const int32_t n = int32_t(call.integer[1]);
  const int64_t size = nmUnit(m, 1);
  uint8_t* mask = arrayOf<uint8_t>(call, 1);
  int64_t i = first * size;
  const int64_t end = smaller(last * size, call.integer[0]);
  if constexpr (m == 4) {
    const void* x = call.array[0];
    const int64_t width = dtype == FETTLE_F32 ? 4 : 2;
    for (; i + 64 <= end; i += 64) {
      const char* ahead = static_cast<const char*>(x) + (i + streamAhead) * width;
      for (int64_t line = 0; line < 64 * width; line += 64) _mm_prefetch(ahead + line, _MM_HINT_T0);
      const uint64_t bits = keptOfFours<dtype>(x, i, n);
      memcpy(mask + i / 8, &bits, 8);
    }
  }
  for (; i + Keys::lanes <= end; i += Keys::lanes) {
    const uint32_t bits = rotation.kept(call.array[0], i, n);
    mask[i / 8] = uint8_t(bits);
    if (Keys::lanes == 16) mask[i / 8 + 1] = uint8_t(bits >> 8);
  }
  if (i == end) return;
  for (int64_t at = i / 8; at < unitsOf(end, 8); at++) mask[at] = 0;
  for (; i < end && n > 0; i += m) maskRanked<dtype>(call.array[0], i, 1, n, m, mask);
}

// Groups along another axis, whose rows are whole bytes of the mask: a lane is a column.
template <int64_t dtype>
FETTLE_FN void nmColumns(const fettle_call& call, int64_t first, int64_t last) {
  const int64_t n = call.integer[1];
  const int64_t m = call.integer[2];
  const int64_t inner = call.integer[3];
  const int64_t size = nmUnit(m, inner);
  const int64_t end = smaller(last * size, call.integer[0]);
  uint8_t* mask = arrayOf<uint8_t>(call, 1);
  for (int64_t block = first * size; block < end; block += m * inner) {
    for (int64_t column = 0; column < inner; column += Keys::lanes) {
      Keys keys[mostRanked];
      for (int64_t i = 0; i < m; i++) {
        keys[i] = loadKeys<dtype, magnitudeKey>(call.array[0], block + i * inner + column);
      }
      for (int64_t i = 0; i < m; i++) {
#if defined(__AVX512F__)
        __m512i before = _mm512_setzero_si512();
        const __m512i one = _mm512_set1_epi32(1);
        for (int64_t j = 0; j < m; j++) {
          const __mmask16 goes = j < i ? _mm512_cmpge_epi32_mask(keys[j].v, keys[i].v)
                                       : _mm512_cmpgt_epi32_mask(keys[j].v, keys[i].v);
          before = _mm512_mask_add_epi32(before, goes, before, one);
        }
        const uint32_t bits = _mm512_cmplt_epi32_mask(before, _mm512_set1_epi32(int32_t(n)));
#else
        __m256i before = _mm256_setzero_si256();
        for (int64_t j = 0; j < m; j++) {
          const __m256i limit = _mm256_sub_epi32(keys[i].v, _mm256_set1_epi32(j < i ? 1 : 0));
          before = _mm256_sub_epi32(before, _mm256_cmpgt_epi32(keys[j].v, limit));
        }
        const uint32_t bits = lanesOf(_mm256_cmpgt_epi32(_mm256_set1_epi32(int32_t(n)), before));
#endif
        const int64_t at = (block + i * inner + column) / 8;
        mask[at] = uint8_t(bits);
        if (Keys::lanes == 16) mask[at + 1] = uint8_t(bits >> 8);
      }
    }
  }
}

template <int64_t dtype, int64_t>
struct NmRange {
  FETTLE_FN void range(const fettle_call& call, int64_t first, int64_t last) {
    const int64_t m = call.integer[2];
    const int64_t inner = call.integer[3];
    if (inner == 1 && m == 4) return nmRotated<dtype, 4>(call, first, last);
    if (inner == 1 && m == 8) return nmRotated<dtype, 8>(call, first, last);
    if (inner == 1 && m == 2) return nmRotated<dtype, 2>(call, first, last);
#if defined(__AVX512F__)
    if (inner == 1 && m == 16) return nmRotated<dtype, 16>(call, first, last);
#endif
    if (inner % Keys::lanes == 0 && m <= mostRanked) return nmColumns<dtype>(call, first, last);
    for (int64_t unit = first; unit < last; unit++) NmMaskOf<dtype>::unit(call, unit);
  }
};

template <>
struct CpuKernel<NmMask> {
  FETTLE_FN void range(const fettle_call& call, int64_t first, int64_t last) {
    rangeByFormat<NmRange, magnitudeKey>(call, first, last);
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle

#define FETTLE_FAMILY "fettle/kernels/masks.def"
#include "cpu/kernel_family.h"
