// Blocks of codes on the CPU: the formats of core/blocks.h by vectors, as in a step.
#include "cpu/block_codec.h"
#include "cpu/kernel_tier.h"
#include "kernels/blocks.h"

namespace fettle {
namespace FETTLE_TIER {

// A call's arrays as one row of a tensor. Blocks of more than 2^31 elements go the plain way.
template <>
struct CpuKernel<BlockEncode> {
  static inline __attribute__((always_inline)) void range(const fettle_call& call, int64_t first, int64_t last) {
    const int64_t bits = bitsOfCode(call.integer[1]);
    for (int64_t unit = first; unit < last; unit++) {
      const CallBlock block = CallBlock::of(call, unit);
      if (block.n > INT32_MAX) {
        BlockEncode::unit(call, unit);
        continue;
      }
      withCodec(call.integer[1], [&](auto codec) {
        using Codec = decltype(codec);
        const float* x = arrayOf<const float>(call, 0) + block.first;
        encodeBlock<Codec, codeBits<Codec>>(x, int(block.n), largestMagnitude(x, int(block.n)), block.whole,
                                            arrayOf<uint8_t>(call, 1) + block.first * bits / 8,
                                            arrayOf<float>(call, 2) + unit);
      });
    }
  }
};

namespace {

// A book for vectors: lane by lane, the index of a value's place in it by halving, with tables padded to a power of two.
class VectorBook {
 public:
  explicit VectorBook(const Book& book) : upper_(book.upper), size_(1) {
    while (size_ < book.count) size_ *= 2;
    for (int i = 0; i < largestBook; i++) {
      const bool bounded = i + 1 < book.count;
      const float value = bounded ? book.values[i] : __builtin_nanf("");
      const float next = bounded ? book.values[i + 1] : __builtin_nanf("");
      // Nothing is above what is not there.
      lower_[i] = value;
      bound_[i] = book.upper ? (next - value) * 0.5f : (value + next) * 0.5f;
      code_[i] = book.codes[i < book.count ? i : book.count - 1];
      ordered_ = ordered_ && (i >= book.count || code_[i] == i);
    }
    // Probes in the order of the levels: those of one level side by side.
    for (int level = 0; level < levels; level++) {
      for (int j = 0; j < 1 << level; j++) {
        const int probe = j * (largestBook >> level) + (largestBook / 2 >> level) - 1;
        levelLower_[(1 << level) + j] = lower_[probe];
        levelBound_[(1 << level) + j] = bound_[probe];
      }
    }
  }

  // The codes of Vector::lanes values, a byte each.
  FETTLE_INLINE void encode(Vector x, uint8_t* codes) const {
#if defined(__AVX512F__)
    if (size_ == largestBook && ordered_) {
      const __m512i index = upper_ ? descend<true>(x.v) : descend<false>(x.v);
      _mm_storeu_si128(reinterpret_cast<__m128i*>(codes), _mm512_cvtepi32_epi8(index));
      return;
    }
    __m512i index = _mm512_setzero_si512();
    for (int step = size_ / 2; step > 0; step /= 2) {
      const __m512i probe = _mm512_add_epi32(index, _mm512_set1_epi32(step - 1));
      const __m512 bound = entry(bound_, probe);
      const __mmask16 above = upper_ ? _mm512_cmp_ps_mask(_mm512_sub_ps(x.v, entry(lower_, probe)), bound, _CMP_GE_OQ)
                                     : _mm512_cmp_ps_mask(x.v, bound, _CMP_GT_OQ);
      index = _mm512_mask_add_epi32(index, above, index, _mm512_set1_epi32(step));
    }
    const __m512i code = size_ <= 16 ? _mm512_permutexvar_epi32(index, _mm512_loadu_si512(code_))
                                     : _mm512_i32gather_epi32(index, code_, 4);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(codes), _mm512_cvtepi32_epi8(code));
#else
    __m256i index = _mm256_setzero_si256();
    for (int step = size_ / 2; step > 0; step /= 2) {
      const __m256i probe = _mm256_add_epi32(index, _mm256_set1_epi32(step - 1));
      const __m256 bound = _mm256_i32gather_ps(bound_, probe, 4);
      const __m256 above = upper_ ? _mm256_cmp_ps(_mm256_sub_ps(x.v, _mm256_i32gather_ps(lower_, probe, 4)), bound, _CMP_GE_OQ)
                                  : _mm256_cmp_ps(x.v, bound, _CMP_GT_OQ);
      index = _mm256_add_epi32(index, _mm256_and_si256(_mm256_castps_si256(above), _mm256_set1_epi32(step)));
    }
    alignas(32) int32_t code[Vector::lanes];
    _mm256_store_si256(reinterpret_cast<__m256i*>(code), _mm256_i32gather_epi32(code_, index, 4));
    for (int k = 0; k < Vector::lanes; k++) codes[k] = uint8_t(code[k]);
#endif
  }

 private:
  static constexpr int largestBook = 256;
  static constexpr int levels = 8;

#if defined(__AVX512F__)
  FETTLE_INLINE __m512 entry(const float* table, __m512i index) const {
    return size_ <= 16 ? _mm512_permutexvar_ps(index, _mm512_loadu_ps(table)) : _mm512_i32gather_ps(index, table, 4);
  }

  // Entry j of a level by permutes: a gather costs several times as much.
  template <int level>
  FETTLE_FN __m512 pick(const float* all, __m512i j) {
    const float* t = all + (1 << level);
    const auto pair = [&](int at) {
      return _mm512_permutex2var_ps(_mm512_loadu_ps(t + at), j, _mm512_loadu_ps(t + at + 16));
    };
    if constexpr (level <= 4) {
      return _mm512_permutexvar_ps(j, _mm512_loadu_ps(t));
    } else if constexpr (level == 5) {
      return pair(0);
    } else {
      const __mmask16 bit5 = _mm512_test_epi32_mask(j, _mm512_set1_epi32(32));
      const __m512 low = _mm512_mask_blend_ps(bit5, pair(0), pair(32));
      if constexpr (level == 6) {
        return low;
      } else {
        const __mmask16 bit6 = _mm512_test_epi32_mask(j, _mm512_set1_epi32(64));
        return _mm512_mask_blend_ps(bit6, low, _mm512_mask_blend_ps(bit5, pair(64), pair(96)));
      }
    }
  }

  template <bool upper, int level = 0>
  FETTLE_INLINE __m512i descend(__m512 x, __m512i j = _mm512_setzero_si512()) const {
    const __m512 bound = pick<level>(levelBound_, j);
    const __mmask16 above = upper
                                ? _mm512_cmp_ps_mask(_mm512_sub_ps(x, pick<level>(levelLower_, j)), bound, _CMP_GE_OQ)
                                : _mm512_cmp_ps_mask(x, bound, _CMP_GT_OQ);
    const __m512i twice = _mm512_add_epi32(j, j);
    const __m512i next = _mm512_mask_add_epi32(twice, above, twice, _mm512_set1_epi32(1));
    if constexpr (level + 1 < levels) {
      return descend<upper, level + 1>(x, next);
    } else {
      return next;
    }
  }
#endif

  bool upper_;
  int size_;
  bool ordered_ = true;  // whether a value's place is its code
  float lower_[largestBook];
  float bound_[largestBook];
  int32_t code_[largestBook];
  // A level starts at 2^level; loads may go a register beyond the last.
  float levelLower_[largestBook + 16] = {};
  float levelBound_[largestBook + 16] = {};
};

}  // namespace

// Blocks of more than 2^31 elements go the plain way.
template <>
struct CpuKernel<CodeBookEncode> {
  static __attribute__((noinline)) void encode(const fettle_call& call, const Book& book, const VectorBook& vectors,
                                               int64_t unit) {
    const CallBlock block = CallBlock::of(call, unit);
    const float* x = arrayOf<const float>(call, 0) + block.first;
    uint8_t* codes = arrayOf<uint8_t>(call, 1);
    const int64_t bits = call.integer[2];
    const int n = int(block.n);
    const float largest = largestMagnitude(x, n);
    if (!isFinite(bitsOf(largest))) {
      CodeBookEncode::unit(call, unit);
      return;
    }
    const BlockScale by =
        book.upper ? QuotientScale::scaleOf(largest, block.whole) : ReciprocalScale::scaleOf(largest, block.whole);
    const Vector factor(by.factor);
    int i = 0;
    for (; i + Vector::lanes <= n; i += Vector::lanes) {
      const Vector given = Vector::load(x + i);
      uint8_t bytes[Vector::lanes];
      vectors.encode(by.divides ? given / factor : given * factor, bytes);
      if (bits == 8) {
        memcpy(codes + block.first + i, bytes, sizeof bytes);
      } else {
        for (int k = 0; k < Vector::lanes; k += 2) {
          codes[(block.first + i + k) / 2] = uint8_t(bytes[k] << 4 | bytes[k + 1]);
        }
      }
    }
    for (; i < n; i++) {
      putCode(codes, bits, block.first + i, book.codeOf(by.divides ? x[i] / by.factor : x[i] * by.factor));
    }
    if (bits == 4 && n % 2 != 0) putCode(codes, bits, block.first + n, book.codeOf(0.0f));
    arrayOf<float>(call, 2)[unit] = by.stored;
  }

  static inline __attribute__((always_inline)) void range(const fettle_call& call, int64_t first, int64_t last) {
    const Book book = Book::of(call);
    const VectorBook vectors(book);
    for (int64_t unit = first; unit < last; unit++) {
      if (CallBlock::of(call, unit).n > INT32_MAX) {
        CodeBookEncode::unit(call, unit);
      } else {
        encode(call, book, vectors, unit);
      }
    }
  }
};

namespace {

// The values of codes, from a table in registers where there are enough.
template <bool large>
class CodeValues {
 public:
  // Entries from `count` on are NaN.
  FETTLE_INLINE CodeValues(const float* values, int64_t count) {
    for (int i = 0; i < entries; i++) table_[i] = i < count ? values[i] : __builtin_nanf("");
  }

#if defined(__AVX512F__)
  FETTLE_INLINE Vector operator()(__m128i codes) const {
    const __m512i index = _mm512_cvtepu8_epi32(codes);
    if (!large) return _mm512_permutexvar_ps(index, _mm512_loadu_ps(table_));
    const auto pair = [&](int at) {
      return _mm512_permutex2var_ps(_mm512_loadu_ps(table_ + at), index, _mm512_loadu_ps(table_ + at + 16));
    };
    const __mmask16 bit5 = _mm512_test_epi32_mask(index, _mm512_set1_epi32(32));
    const __mmask16 bit6 = _mm512_test_epi32_mask(index, _mm512_set1_epi32(64));
    const __mmask16 bit7 = _mm512_test_epi32_mask(index, _mm512_set1_epi32(128));
    const auto quarter = [&](int at) { return _mm512_mask_blend_ps(bit5, pair(at), pair(at + 32)); };
    const auto half = [&](int at) { return _mm512_mask_blend_ps(bit6, quarter(at), quarter(at + 64)); };
    return _mm512_mask_blend_ps(bit7, half(0), half(128));
  }
#else
  FETTLE_INLINE Vector operator()(__m128i codes) const {
    if (!large) {
      const __m256i index = _mm256_cvtepu8_epi32(codes);
      const __m256 low = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table_), index);
      const __m256 high = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table_ + 8), index);
      return _mm256_blendv_ps(low, high, _mm256_castsi256_ps(_mm256_slli_epi32(index, 28)));
    }
    const uint64_t bytes = uint64_t(_mm_cvtsi128_si64(codes));
    const auto entry = [&](int k) { return table_[bytes >> (8 * k) & 255]; };
    return _mm256_setr_ps(entry(0), entry(1), entry(2), entry(3), entry(4), entry(5), entry(6), entry(7));
  }
#endif

 private:
  static constexpr int entries = large ? 256 : 16;
  float table_[entries];
};

template <bool large, int bits>
FETTLE_FN void decodeBookUnits(const fettle_call& call, int64_t first, int64_t last) {
  const CodeValues<large> valueOf(arrayOf<const float>(call, 3), call.integer[1]);
  constexpr size_t bytes = size_t(Vector::lanes) * bits / 8;
  const auto codesAt = [](const uint8_t* from, size_t count) {
    __m128i codes = _mm_setzero_si128();
    memcpy(&codes, from, count);
    if (bits == 8) return codes;
    const __m128i nibble = _mm_set1_epi8(15);
    return _mm_unpacklo_epi8(_mm_and_si128(_mm_srli_epi16(codes, 4), nibble), _mm_and_si128(codes, nibble));
  };
  for (int64_t unit = first; unit < last; unit++) {
    const CallBlock block = CallBlock::of(call, unit);
    const uint8_t* codes = arrayOf<const uint8_t>(call, 1) + block.first * bits / 8;
    float* y = arrayOf<float>(call, 0) + block.first;
    const Vector scale(arrayOf<const float>(call, 2)[unit]);
    int64_t i = 0;
    for (; i + Vector::lanes <= block.n; i += Vector::lanes) (valueOf(codesAt(codes + i * bits / 8, bytes)) * scale).store(y + i);
    if (i < block.n) {
      const size_t rest = size_t((block.n - i) * bits + 7) / 8;
      (valueOf(codesAt(codes + i * bits / 8, rest)) * scale).storePart(y + i, int(block.n - i));
    }
  }
}

}  // namespace

template <>
struct CpuKernel<CodeBookDecode> {
  static inline __attribute__((always_inline)) void range(const fettle_call& call, int64_t first, int64_t last) {
    if (call.integer[2] == 4) {
      decodeBookUnits<false, 4>(call, first, last);
    } else {
      decodeBookUnits<true, 8>(call, first, last);
    }
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle

#define FETTLE_FAMILY "fettle/kernels/blocks.def"
#include "cpu/kernel_family.h"
