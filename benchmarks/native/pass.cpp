// The loops of all passes, compiled once per tier.
#include <immintrin.h>
#include <string.h>

#include "tier.h"

namespace {

#if defined(__AVX512F__)
using Bits = __m512i;
Bits load(const char* from) { return _mm512_loadu_si512(from); }
void store(char* to, Bits x) { _mm512_storeu_si512(to, x); }
void stream(char* to, Bits x) { _mm512_stream_si512(reinterpret_cast<Bits*>(to), x); }
Bits either(Bits a, Bits b) { return _mm512_or_si512(a, b); }
Bits sum(Bits a, Bits b) { return _mm512_add_epi32(a, b); }
Bits bitsOf(float x) { return _mm512_castps_si512(_mm512_set1_ps(x)); }
Bits fma(float factor, Bits a, Bits b) {
  return _mm512_castps_si512(_mm512_fmadd_ps(_mm512_set1_ps(factor), _mm512_castsi512_ps(a), _mm512_castsi512_ps(b)));
}
#else
using Bits = __m256i;
Bits load(const char* from) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)); }
void store(char* to, Bits x) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), x); }
void stream(char* to, Bits x) { _mm256_stream_si256(reinterpret_cast<Bits*>(to), x); }
Bits either(Bits a, Bits b) { return _mm256_or_si256(a, b); }
Bits sum(Bits a, Bits b) { return _mm256_add_epi32(a, b); }
Bits bitsOf(float x) { return _mm256_castps_si256(_mm256_set1_ps(x)); }
Bits fma(float factor, Bits a, Bits b) {
  return _mm256_castps_si256(_mm256_fmadd_ps(_mm256_set1_ps(factor), _mm256_castsi256_ps(a), _mm256_castsi256_ps(b)));
}
#endif

constexpr int vectorBytes = sizeof(Bits);

// The arrays of one element width.
template <int width, int inPlace, int read, int written>
struct Arrays {
  static constexpr int loaded = inPlace + read;
  static constexpr int count = loaded + written;
  static constexpr int least = count > 0 ? width : 8;

  static char* at(int64_t array, int64_t element) { return reinterpret_cast<char*>(array) + element * width; }

  // One group of `elements`: all its vectors, loaded before anything is stored.
  template <int elements>
  struct Group {
    static constexpr int vectors = elements * width / vectorBytes;
    Bits x[loaded > 0 ? loaded : 1][vectors > 0 ? vectors : 1];

    void loadAll(const int64_t* arrays, int64_t first) {
      for (int k = 0; k < loaded; k++) {
        for (int j = 0; j < vectors; j++) {
          x[k][j] = load(at(arrays[k], first) + j * vectorBytes);
        }
      }
    }
    void prefetchAll(const int64_t* arrays, int64_t first, int64_t ahead) const {
      for (int k = 0; k < count; k++) {
        const char* next = at(arrays[k], first) + ahead;
        for (int j = 0; j < elements * width; j += 64) {
          if (k < inPlace || k >= loaded) {
            __builtin_prefetch(next + j, 1);
          } else {
            __builtin_prefetch(next + j, 0);
          }
        }
      }
    }
    // One fma or integer sum per output; what no output takes in goes into `rest`, or it would not be loaded at all.
    template <bool past>
    void storeAll(const int64_t* arrays, int64_t first, float factor, Bits zero, Bits& rest) {
      constexpr int neighbour = width == 4 && inPlace > 0 ? 1 : 0;
      for (int j = 0; j < vectors; j++) {
        for (int k = inPlace + neighbour; k < loaded; k++) rest = either(rest, x[k][j]);
        for (int k = 0; k < inPlace; k++) {
          const Bits y = width == 4 ? fma(factor, x[(k + 1) % loaded][j], x[k][j]) : sum(x[k][j], zero);
          store(at(arrays[k], first) + j * vectorBytes, y);
        }
        for (int k = loaded; k < count; k++) {
          char* to = at(arrays[k], first) + j * vectorBytes;
          if (past) {
            stream(to, zero);
          } else {
            store(to, zero);
          }
        }
      }
    }
  };

  // Whether what is only written can be written past the caches from this element on.
  static bool aligned(const int64_t* arrays, int64_t first) {
    int64_t bits = 0;
    for (int k = loaded; k < count; k++) bits |= arrays[k] + first * width;
    return bits % vectorBytes == 0;
  }

  // The few elements behind the last group.
  static void tail(const int64_t* arrays, int64_t first, int64_t last, Bits& rest) {
    unsigned char byte = 0;
    for (int k = 0; k < loaded; k++) {
      for (int64_t i = first; i < last; i++) {
        volatile char* own = at(arrays[k], i);
        const char x = *own;
        byte = static_cast<unsigned char>(byte | x);
        if (k < inPlace) *own = x;
      }
    }
    Bits x;
    memset(&x, byte, sizeof x);
    rest = either(rest, x);
  }
};

template <int I4, int R4, int W4, int I2, int R2, int W2, int I1, int R1, int W1>
struct Pass {
  using Four = Arrays<4, I4, R4, W4>;
  using Two = Arrays<2, I2, R2, W2>;
  using One = Arrays<1, I1, R1, W1>;
  static constexpr int least24 = Four::least < Two::least ? Four::least : Two::least;
  static constexpr int elements = vectorBytes / (One::least < least24 ? One::least : least24);

  template <bool prefetching, bool past>
  static int64_t loop(const int64_t* arrays, int64_t first, int64_t last, int64_t ahead, float factor, Bits& rest) {
    const int64_t* four = arrays;
    const int64_t* two = four + Four::count;
    const int64_t* one = two + Two::count;
    const Bits zero = bitsOf(factor);
    int64_t i = first;
    for (; i + elements <= last; i += elements) {
      typename Four::template Group<elements> a;
      typename Two::template Group<elements> b;
      typename One::template Group<elements> c;
      a.loadAll(four, i);
      b.loadAll(two, i);
      c.loadAll(one, i);
      if (prefetching) {
        a.prefetchAll(four, i, ahead);
        b.prefetchAll(two, i, ahead);
        c.prefetchAll(one, i, ahead);
      }
      a.template storeAll<past>(four, i, factor, zero, rest);
      b.template storeAll<past>(two, i, factor, zero, rest);
      c.template storeAll<past>(one, i, factor, zero, rest);
    }
    return i;
  }

  static double run(const int64_t* arrays, int64_t first, int64_t last, int64_t ahead, bool past, float factor) {
    // A local copy, so that no store can be thought to change an address.
    int64_t own[Four::count + Two::count + One::count];
    memcpy(own, arrays, sizeof own);
    Bits rest = {};
    const bool aligned = Four::aligned(own, first) && Two::aligned(own + Four::count, first) &&
                         One::aligned(own + Four::count + Two::count, first);
    int64_t done = first;
    if (past && aligned) {
      done = loop<false, true>(own, first, last, ahead, factor, rest);
      _mm_sfence();
    } else if (ahead > 0) {
      done = loop<true, false>(own, first, last, ahead, factor, rest);
    } else {
      done = loop<false, false>(own, first, last, ahead, factor, rest);
    }
    Four::tail(own, done, last, rest);
    Two::tail(own + Four::count, done, last, rest);
    One::tail(own + Four::count + Two::count, done, last, rest);
    double result;
    memcpy(&result, &rest, sizeof result);
    return result;
  }
};

// One array that is only read goes faster as four streams, a quarter apart: more misses in flight.
template <int width>
double quarters(const int64_t* arrays, int64_t first, int64_t last, int64_t, bool, float) {
  constexpr int elements = vectorBytes / width;
  const char* base = reinterpret_cast<const char*>(arrays[0]) + first * width;
  const int64_t quarter = (last - first) / 4 / elements * elements * width;
  Bits rest[4] = {};
  for (int64_t at = 0; at < quarter; at += vectorBytes) {
    for (int k = 0; k < 4; k++) rest[k] = either(rest[k], load(base + k * quarter + at));
  }
  Arrays<width, 0, 1, 0>::tail(arrays, first + 4 * quarter / width, last, rest[0]);
  const Bits all = either(either(rest[0], rest[1]), either(rest[2], rest[3]));
  double result;
  memcpy(&result, &all, sizeof result);
  return result;
}

template <>
struct Pass<0, 1, 0, 0, 0, 0, 0, 0, 0> {
  static constexpr auto run = quarters<4>;
};

template <>
struct Pass<0, 0, 0, 0, 1, 0, 0, 0, 0> {
  static constexpr auto run = quarters<2>;
};

}  // namespace

#define FETTLE_TABLE_OF(tier) FETTLE_TABLE_NAME(tier)
#define FETTLE_TABLE_NAME(tier) passes_##tier

extern const PassFunction FETTLE_TABLE_OF(FETTLE_TIER)[];
const PassFunction FETTLE_TABLE_OF(FETTLE_TIER)[] = {
#define FETTLE_PASS(...) Pass<__VA_ARGS__>::run,
#include "shapes.def"
#undef FETTLE_PASS
};
