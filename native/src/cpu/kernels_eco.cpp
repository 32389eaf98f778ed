// Training without master weights on the CPU, by vectors: what kernels/eco.h says, with the same bits.
//
// Per 16 weights a step of SGD is some 75 vector operations, as weights and errors are formed in double. The division by the scale is
// a product with its reciprocal unless a lane lies where that could round to another float.
#include "cpu/eco_formats.h"
#include "cpu/kernel_tier.h"
#include "cpu/wide.h"
#include "cpu/words.h"

namespace fettle {
namespace FETTLE_TIER {
namespace {

// Weights with one scale, or as many as are gone through at once.
struct EcoRun {
  uint8_t* codes;
  const float* gradient;
  float* momentum;
  float* second;
  float* errors;
  int64_t first;  // element of the tensor
};

// What becomes of a vector of weights before it is quantized.
struct EcoNext {
  Wide weight;
  Vector momentum, second, denominator;
};

// A smaller scale's reciprocal is not in range.
constexpr double leastScale = 0x1p-900;
// Doubles of a row that are kept from its first pass to its second.
constexpr int64_t keptWeights = 4096;

template <class Lanes, bool adaptive, bool stochastic>
class EcoVectors {
 public:
  FETTLE_INLINE explicit EcoVectors(const fettle_call& call)
      : b1_(float(call.number[0])), c1_(float(call.number[1])), b2_(float(call.number[2])), c2_(float(call.number[3])),
        correction_(float(call.number[4])), eps_(float(call.number[5])), keep_(call.number[6]), rate_(call.number[7]),
        share_(call.number[8]),
        window_({uint64_t(call.integer[3]), uint32_t(call.integer[4]), uint32_t(call.integer[5])}) {}

  // One unit after the other.
  FETTLE_INLINE void run(const fettle_call& call, int64_t from, int64_t to) {
    for (int64_t unit = from; unit < to; unit++) {
      const EcoPlace place = EcoPlace::of(call, unit);
      const EcoRun all = runOf(call, place);
      double* scales = arrayOf<double>(call, 1);
      double scale;
      if (place.count == ecoGroup && call.integer[1] != 0) {
        scale = group(all, scales[unit]);
      } else {
        const bool more = call.integer[1] == 0 && unit + 1 < to;
        scale = row(all, place.count, scales[unit], more);
      }
      if (scale >= leastScale) {
        scales[unit] = scale;
      } else {
        EcoStep::unit(call, unit);
      }
    }
  }

 private:
  FETTLE_FN EcoRun runOf(const fettle_call& call, const EcoPlace& place) {
    return {arrayOf<uint8_t>(call, 0) + place.byte,
            arrayOf<const float>(call, 2) + place.first,
            arrayOf<float>(call, 3) + place.first,
            adaptive ? arrayOf<float>(call, 4) + place.first : nullptr,
            call.array[5] != nullptr ? arrayOf<float>(call, 5) + place.first : nullptr,
            place.first};
  }

  FETTLE_INLINE EcoNext moments(const EcoRun& at, int64_t i) const {
    EcoNext next;
    const Vector g = Vector::load(at.gradient + i);
    next.momentum = movingAverage(Vector::load(at.momentum + i), g, Vector(b1_), Vector(c1_));
    if (adaptive) {
      next.second = movingAverage(Vector::load(at.second + i), g * g, Vector(b2_), Vector(c2_));
      next.denominator = root(next.second * Vector(correction_)) + Vector(eps_);
    }
    return next;
  }

  // Moments as above, and the new weights.
  FETTLE_INLINE EcoNext next(const EcoRun& at, int64_t i, Wide oldScale) const {
    EcoNext next = moments(at, i);
    const Wide step = adaptive ? Wide(next.momentum) / Wide(next.denominator) : Wide(next.momentum);
    next.weight = Wide(keep_) * (Wide(Lanes::load(at.codes, i)) * oldScale) - Wide(rate_) * step;
    return next;
  }

  FETTLE_INLINE void finish(const EcoRun& at, int64_t i, const EcoNext& next, Wide scale, Wide reciprocal) {
    Wide quotient = next.weight * reciprocal;
    if (__builtin_expect(nearMiddle(quotient), 0)) quotient = next.weight / scale;
    const Vector value = stochastic ? Lanes::stochastic(quotient.narrow(), window_.at(at.first + i, Vector::lanes))
                                    : Lanes::nearest(quotient.narrow());
    const Wide error = next.weight - Wide(value) * scale;
    const Wide share = adaptive ? Wide(share_) * Wide(next.denominator) : Wide(share_);
    const Vector momentum = (Wide(next.momentum) + share * error).narrow();
    Lanes::store(at.codes, i, value);
    momentum.store(at.momentum + i);
    if (adaptive) next.second.store(at.second + i);
    if (at.errors != nullptr) error.narrow().store(at.errors + i);
  }

  // The elements behind the last whole vector, or of a group that is none, among zeros that change nothing.
  struct Rest {
    uint8_t codes[ecoGroup] = {};
    float gradient[ecoGroup] = {};
    float momentum[ecoGroup] = {};
    float second[ecoGroup];
    float errors[ecoGroup];
    EcoRun of;
    int64_t from, count;

    FETTLE_INLINE Rest(const EcoRun& all, int64_t start, int64_t n)
        : of({codes, gradient, momentum, second, all.errors == nullptr ? nullptr : errors, all.first + start}), from(start),
          count(n) {
      for (int64_t i = 0; i < ecoGroup; i++) second[i] = 1.0f;
      memcpy(codes, all.codes + byteOf(start), bytes());
      // The other half of a last byte is nobody's, and stays.
      if (halves() && count % 2 != 0) codes[count / 2] &= 0x0F;
      memcpy(gradient, all.gradient + start, size_t(n) * sizeof(float));
      memcpy(momentum, all.momentum + start, size_t(n) * sizeof(float));
      if (adaptive) memcpy(second, all.second + start, size_t(n) * sizeof(float));
    }
    FETTLE_INLINE void putBack(const EcoRun& all) {
      uint8_t* to = all.codes + byteOf(from);
      if (halves() && count % 2 != 0) codes[count / 2] = uint8_t((codes[count / 2] & 0x0F) | (to[count / 2] & 0xF0));
      memcpy(to, codes, bytes());
      memcpy(all.momentum + from, momentum, size_t(count) * sizeof(float));
      if (adaptive) memcpy(all.second + from, second, size_t(count) * sizeof(float));
      if (all.errors != nullptr) memcpy(all.errors + from, errors, size_t(count) * sizeof(float));
    }
    FETTLE_FN bool halves() { return Lanes::Scalar::largest == EcoInt4::largest; }
    FETTLE_FN int64_t byteOf(int64_t i) { return halves() ? i / 2 : i; }
    FETTLE_INLINE size_t bytes() const { return size_t(halves() ? (count + 1) / 2 : count); }
  };

  FETTLE_FN double scaleOf(const LargestWide& largest) { return ecoScale(largest.value(), Lanes::Scalar::largest); }

  // A whole group, in registers from end to end.
  FETTLE_INLINE double group(const EcoRun& all, double old) {
    constexpr int vectors = int(ecoGroup) / Vector::lanes;
    const Wide oldScale(old * Lanes::loaded);
    EcoNext of[vectors];
    LargestWide largest;
    for (int k = 0; k < vectors; k++) {
      of[k] = next(all, k * Vector::lanes, oldScale);
      largest.take(of[k].weight);
    }
    const double scale = scaleOf(largest);
    if (!(scale >= leastScale)) return scale;
    for (int k = 0; k < vectors; k++) finish(all, k * Vector::lanes, of[k], Wide(scale), Wide(1.0 / scale));
    return scale;
  }

  // The new scale; where it is too small or none, nothing was written.
  FETTLE_INLINE double row(const EcoRun& all, int64_t count, double old, bool more) {
    const Wide oldScale(old * Lanes::loaded);
    const int64_t whole = count - count % Vector::lanes;
    // The quotient by the denominator is worth keeping; what SGD would form again is not.
    const int64_t kept = adaptive ? smaller(whole, keptWeights) : 0;
    alignas(64) double weights[adaptive ? keptWeights : 1];
    LargestWide largest;
    int64_t i = 0;
    for (; i < kept; i += Vector::lanes) {
      const EcoNext of = next(all, i, oldScale);
      largest.take(of.weight);
      of.weight.store(weights + i);
    }
    for (; i < whole; i += Vector::lanes) largest.take(next(all, i, oldScale).weight);
    Rest rest(all, whole, count - whole);
    for (int64_t k = 0; k < rest.count; k += Vector::lanes) largest.take(next(rest.of, k, oldScale).weight);
    const double scaleFound = scaleOf(largest);
    if (!(scaleFound >= leastScale)) return scaleFound;
    const Wide scale(scaleFound), reciprocal(1.0 / scaleFound);
    i = 0;
    for (; i < kept; i += Vector::lanes) {
      if (more) prefetchNext(all, i, count);
      EcoNext of = moments(all, i);
      of.weight = Wide::load(weights + i);
      finish(all, i, of, scale, reciprocal);
    }
    for (; i < whole; i += Vector::lanes) {
      if (more) prefetchNext(all, i, count);
      finish(all, i, next(all, i, oldScale), scale, reciprocal);
    }
    for (int64_t k = 0; k < rest.count; k += Vector::lanes) finish(rest.of, k, next(rest.of, k, oldScale), scale, reciprocal);
    rest.putBack(all);
    return scaleFound;
  }

  // The next row comes while this one's arithmetic is done.
  FETTLE_FN void prefetchNext(const EcoRun& all, int64_t i, int64_t count) {
    _mm_prefetch(reinterpret_cast<const char*>(all.gradient + count + i), _MM_HINT_T1);
    _mm_prefetch(reinterpret_cast<const char*>(all.momentum + count + i), _MM_HINT_T1);
    if (adaptive) _mm_prefetch(reinterpret_cast<const char*>(all.second + count + i), _MM_HINT_T1);
    if (i % 64 == 0) _mm_prefetch(reinterpret_cast<const char*>(all.codes + count + i), _MM_HINT_T1);
  }

  float b1_, c1_, b2_, c2_, correction_, eps_;
  double keep_, rate_, share_;
  WordWindow window_;
};

template <class Lanes, bool adaptive, bool stochastic>
__attribute__((noinline)) void stepUnits(const fettle_call& call, int64_t first, int64_t last) {
  EcoVectors<Lanes, adaptive, stochastic>(call).run(call, first, last);
}

template <class Lanes>
FETTLE_INLINE void stepUnits(const fettle_call& call, int64_t first, int64_t last) {
  const bool adaptive = call.array[4] != nullptr, stochastic = call.integer[2] != 0;
  if (adaptive) {
    if (stochastic) {
      stepUnits<Lanes, true, true>(call, first, last);
    } else {
      stepUnits<Lanes, true, false>(call, first, last);
    }
  } else if (stochastic) {
    stepUnits<Lanes, false, true>(call, first, last);
  } else {
    stepUnits<Lanes, false, false>(call, first, last);
  }
}

template <class Lanes>
FETTLE_INLINE void decodeUnit(const fettle_call& call, int64_t unit) {
  const EcoPlace place = EcoPlace::of(call, unit);
  const uint8_t* codes = arrayOf<const uint8_t>(call, 0) + place.byte;
  const double stored = arrayOf<const double>(call, 1)[unit];
  const Wide scale(stored * Lanes::loaded);
  float* w = arrayOf<float>(call, 2) + place.first;
  int64_t i = 0;
  for (; i + Vector::lanes <= place.count; i += Vector::lanes) (Wide(Lanes::load(codes, i)) * scale).narrow().store(w + i);
  for (; i < place.count; i++) w[i] = float(double(Lanes::Scalar::decode(Lanes::Scalar::load(codes, i))) * stored);
}

}  // namespace

template <>
struct CpuKernel<EcoStep> {
  static inline __attribute__((always_inline)) void range(const fettle_call& call, int64_t first, int64_t last) {
    if (call.integer[1] == 0) {
      stepUnits<Fp8Lanes>(call, first, last);
    } else {
      stepUnits<Int4Lanes>(call, first, last);
    }
  }
};

template <>
struct CpuKernel<EcoDecode> {
  static inline __attribute__((always_inline)) void range(const fettle_call& call, int64_t first, int64_t last) {
    for (int64_t unit = first; unit < last; unit++) {
      if (call.integer[1] == 0) {
        decodeUnit<Fp8Lanes>(call, unit);
      } else {
        decodeUnit<Int4Lanes>(call, unit);
      }
    }
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle

#define FETTLE_FAMILY "fettle/kernels/eco.def"
#include "cpu/kernel_family.h"
