// Training without master weights on the CPU, by vectors: what kernels/eco.h says, with the same bits.
//
// Per 16 weights a step of SGD is some 80 vector operations in a long chain, as weights and errors are formed in double. Blocks
// go through it in stages of their own, by way of the cache, so that chains of more weights are in flight. The division by the
// scale is a product with its reciprocal unless a lane lies where that could round to another float.
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

// A smaller scale's reciprocal is not in range.
constexpr double leastScale = 0x1p-900;
// Elements that go through a stage at once.
constexpr int64_t ecoBlock = 512;
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

  FETTLE_INLINE void run(const fettle_call& call, int64_t from, int64_t to) {
    Group groups[groupsAtOnce];
    int count = 0;
    for (int64_t unit = from; unit < to; unit++) {
      const EcoPlace place = EcoPlace::of(call, unit);
      if (halves() && place.count == ecoGroup) {
        groups[count++] = {runOf(call, place), unit, 0.0, 0.0};
        if (count == groupsAtOnce) {
          runGroups(call, groups, count);
          count = 0;
        }
      } else {
        runRow(call, place, unit, !halves() && unit + 1 < to);
      }
    }
    runGroups(call, groups, count);
  }

 private:
  struct Group {
    EcoRun run;
    int64_t unit;
    double scale, reciprocal;
  };
  static constexpr int groupsAtOnce = int(ecoBlock / ecoGroup);

  FETTLE_FN bool halves() { return Lanes::Scalar::largest == EcoInt4::largest; }

  FETTLE_FN EcoRun runOf(const fettle_call& call, const EcoPlace& place) {
    return {arrayOf<uint8_t>(call, 0) + place.byte,
            arrayOf<const float>(call, 2) + place.first,
            arrayOf<float>(call, 3) + place.first,
            adaptive ? arrayOf<float>(call, 4) + place.first : nullptr,
            call.array[5] != nullptr ? arrayOf<float>(call, 5) + place.first : nullptr,
            place.first};
  }

  struct Moments {
    Vector momentum, second, denominator;
  };

  FETTLE_INLINE Moments momentsOf(const EcoRun& at, int64_t i) const {
    Moments next;
    const Vector g = Vector::load(at.gradient + i);
    next.momentum = movingAverage(Vector::load(at.momentum + i), g, Vector(b1_), Vector(c1_));
    if (adaptive) {
      next.second = movingAverage(Vector::load(at.second + i), g * g, Vector(b2_), Vector(c2_));
      next.denominator = root(next.second * Vector(correction_)) + Vector(eps_);
    }
    return next;
  }

  FETTLE_INLINE Wide weightOf(const EcoRun& at, int64_t i, const Moments& next, Wide oldScale) const {
    const Wide step = adaptive ? Wide(next.momentum) / Wide(next.denominator) : Wide(next.momentum);
    return Wide(keep_) * (Wide(Lanes::load(at.codes, i)) * oldScale) - Wide(rate_) * step;
  }

  // First stage: the moments of elements i .. i + n - 1, from place `to` of the block on, and their new weights, unless those are known.
  template <bool known>
  FETTLE_INLINE void forward(const EcoRun& at, int64_t i, int64_t n, double old, int64_t to, LargestWide& largest) {
    const Wide oldScale(old * Lanes::loaded);
    for (int64_t k = 0; k < n; k += Vector::lanes) {
      const Moments next = momentsOf(at, i + k);
      if (!known) {
        const Wide weight = weightOf(at, i + k, next, oldScale);
        largest.take(weight);
        weight.store(weights_ + to + k);
      }
      next.momentum.store(momentum_ + to + k);
      if (adaptive) {
        next.second.store(second_ + to + k);
        next.denominator.store(denominator_ + to + k);
      }
    }
  }

  // Second stage: codes, and what they stand for.
  FETTLE_INLINE void quantize(const EcoRun& at, int64_t i, int64_t n, const double* weights, int64_t from, double scale,
                              double reciprocal, int64_t ahead) {
    for (int64_t k = 0; k < n; k += Vector::lanes) {
      if (!halves()) prefetch(at, i + k, ahead);
      const Wide weight = Wide::load(weights + k);
      Wide quotient = weight * Wide(reciprocal);
      if (__builtin_expect(nearMiddle(quotient), 0)) quotient = weight / Wide(scale);
      const Vector value = stochastic ? Lanes::stochastic(quotient.narrow(), window_.at(at.first + i + k, Vector::lanes))
                                      : Lanes::nearest(quotient.narrow());
      value.store(values_ + from + k);
      Lanes::store(at.codes, i + k, value);
    }
  }

  // Third stage: the errors go into the momentum.
  FETTLE_INLINE void inject(const EcoRun& at, int64_t i, int64_t n, const double* weights, int64_t from, double scale) const {
    for (int64_t k = 0; k < n; k += Vector::lanes) {
      const Wide error = Wide::load(weights + k) - Wide(Vector::load(values_ + from + k)) * Wide(scale);
      const Wide share = adaptive ? Wide(share_) * Wide(Vector::load(denominator_ + from + k)) : Wide(share_);
      (Wide(Vector::load(momentum_ + from + k)) + share * error).narrow().store(at.momentum + i + k);
      if (adaptive) Vector::load(second_ + from + k).store(at.second + i + k);
      if (at.errors != nullptr) error.narrow().store(at.errors + i + k);
    }
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
    FETTLE_FN int64_t byteOf(int64_t i) { return halves() ? i / 2 : i; }
    FETTLE_INLINE size_t bytes() const { return size_t(halves() ? (count + 1) / 2 : count); }
  };

  FETTLE_FN double scaleOf(const LargestWide& largest) { return ecoScale(largest.value(), Lanes::Scalar::largest); }

  // Whole groups, in one crossing.
  FETTLE_INLINE void runGroups(const fettle_call& call, Group* groups, int count) {
    double* scales = arrayOf<double>(call, 1);
    for (int k = 0; k < count; k++) {
      LargestWide largest;
      forward<false>(groups[k].run, 0, ecoGroup, scales[groups[k].unit], k * ecoGroup, largest);
      groups[k].scale = scaleOf(largest);
    }
    for (int k = 0; k < count; k++) groups[k].reciprocal = 1.0 / groups[k].scale;
    for (int k = 0; k < count; k++) {
      const Group& group = groups[k];
      if (!(group.scale >= leastScale)) continue;
      quantize(group.run, 0, ecoGroup, weights_ + k * ecoGroup, k * ecoGroup, group.scale, group.reciprocal, 0);
    }
    for (int k = 0; k < count; k++) {
      const Group& group = groups[k];
      if (group.scale >= leastScale) {
        inject(group.run, 0, ecoGroup, weights_ + k * ecoGroup, k * ecoGroup, group.scale);
        scales[group.unit] = group.scale;
      } else {
        EcoStep::unit(call, group.unit);
      }
    }
  }

  FETTLE_INLINE void runRow(const fettle_call& call, const EcoPlace& place, int64_t unit, bool more) {
    const EcoRun all = runOf(call, place);
    double* scale = arrayOf<double>(call, 1) + unit;
    const double old = *scale;
    const Wide oldScale(old * Lanes::loaded);
    const int64_t whole = place.count - place.count % Vector::lanes;
    // The quotient by the denominator is worth keeping; what SGD would form again is not.
    const int64_t kept = adaptive ? smaller(whole, keptWeights) : 0;
    LargestWide largest;
    int64_t i = 0;
    for (; i < kept; i += Vector::lanes) {
      const Wide weight = weightOf(all, i, momentsOf(all, i), oldScale);
      largest.take(weight);
      weight.store(kept_ + i);
    }
    for (; i < whole; i += Vector::lanes) largest.take(weightOf(all, i, momentsOf(all, i), oldScale));
    Rest rest(all, whole, place.count - whole);
    for (int64_t k = 0; k < rest.count; k += Vector::lanes) {
      largest.take(weightOf(rest.of, k, momentsOf(rest.of, k), oldScale));
    }
    const double found = scaleOf(largest);
    if (!(found >= leastScale)) {
      EcoStep::unit(call, unit);
      return;
    }
    for (i = 0; i < whole; i += ecoBlock) {
      const int64_t n = smaller(ecoBlock, whole - i);
      finish(all, i, n, old, found, i + n <= kept ? kept_ + i : nullptr, more ? place.count : 0);
    }
    if (rest.count > 0) {
      const int64_t n = unitsOf(rest.count, Vector::lanes) * Vector::lanes;
      finish(rest.of, 0, n, old, found, nullptr, 0);
      rest.putBack(all);
    }
    *scale = found;
  }

  // All stages of a block, given the new scale; weights are null where they were not kept.
  FETTLE_INLINE void finish(const EcoRun& at, int64_t i, int64_t n, double old, double scale, const double* weights,
                            int64_t ahead) {
    LargestWide largest;
    if (weights != nullptr) {
      forward<true>(at, i, n, old, 0, largest);
    } else {
      forward<false>(at, i, n, old, 0, largest);
      weights = weights_;
    }
    quantize(at, i, n, weights, 0, scale, 1.0 / scale, ahead);
    inject(at, i, n, weights, 0, scale);
  }

  // What lies `ahead` elements further on comes while this is worked on: the next row, or nothing new.
  FETTLE_FN void prefetch(const EcoRun& at, int64_t i, int64_t ahead) {
    _mm_prefetch(reinterpret_cast<const char*>(at.gradient + i + ahead), _MM_HINT_T1);
    _mm_prefetch(reinterpret_cast<const char*>(at.momentum + i + ahead), _MM_HINT_T1);
    if (adaptive) _mm_prefetch(reinterpret_cast<const char*>(at.second + i + ahead), _MM_HINT_T1);
    if (i % 64 == 0) _mm_prefetch(reinterpret_cast<const char*>(at.codes + i + ahead), _MM_HINT_T1);
  }

  float b1_, c1_, b2_, c2_, correction_, eps_;
  double keep_, rate_, share_;
  WordWindow window_;
  // A block between its stages. What is not needed is one line.
  alignas(64) double weights_[ecoBlock];
  alignas(64) double kept_[adaptive ? keptWeights : 8];
  alignas(64) float momentum_[ecoBlock];
  alignas(64) float second_[adaptive ? ecoBlock : 16];
  alignas(64) float denominator_[adaptive ? ecoBlock : 16];
  alignas(64) float values_[ecoBlock];
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
