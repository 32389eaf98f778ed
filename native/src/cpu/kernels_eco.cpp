// Training without master weights on the CPU, by vectors: what kernels/eco.h says, with the same bits.
//
// Per 16 weights of FP8 a step of SGD is some 11 vector operations to find the largest new weight of a row and 24 to write the
// row. Both are done in one loop, to write a row and to look through the next: what comes from memory comes in an even stream then,
// ahead of its use, and there is always something to compute.
#include "cpu/eco_formats.h"
#include "cpu/kernel_tier.h"
#include "cpu/wide.h"
#include "cpu/words.h"

namespace fettle {
namespace FETTLE_TIER {
namespace {

// Weights with one scale.
struct EcoRun {
  uint8_t* codes;
  const float* gradient;
  float* momentum;
  float* second;
  float* errors;
  int64_t first;  // element of the tensor
  int64_t count;
  double kept;  // what an old number is worth
};

// Elements after which the largest is looked at; whole batches.
constexpr int64_t ecoBlock = 256;
// Elements by which what is read is asked for ahead.
constexpr int64_t ecoAhead = 512;

template <class Lanes, bool adaptive, bool stochastic>
class EcoVectors {
 public:
  FETTLE_INLINE explicit EcoVectors(const fettle_call& call)
      : c_(EcoConstants::of(call)),
        rate_(float(-c_.rate)),
        window_({uint64_t(call.integer[3]), uint32_t(call.integer[4]), uint32_t(call.integer[5])}) {}

  FETTLE_INLINE void run(const fettle_call& call, int64_t from, int64_t to) {
    if (call.integer[1] == 0) {
      runRows(call, from, to);
    } else {
      runGroups(call, from, to);
    }
  }

 private:
  using Scalar = typename Lanes::Scalar;
  static constexpr int batch = Lanes::batch;
  static constexpr int vectors = batch / Vector::lanes;
  // So that two chains are in flight; more do not find room in the registers.
  static constexpr int together = 2;

  struct Moments {
    Vector momentum, second, denominator, direction;
  };

  FETTLE_FN bool halves() { return Scalar::unit == EcoInt4::unit; }

  FETTLE_INLINE EcoRun runOf(const fettle_call& call, const EcoPlace& place, int64_t unit) const {
    return {arrayOf<uint8_t>(call, 0) + place.byte,
            arrayOf<const float>(call, 2) + place.first,
            arrayOf<float>(call, 3) + place.first,
            adaptive ? arrayOf<float>(call, 4) + place.first : nullptr,
            call.array[5] != nullptr ? arrayOf<float>(call, 5) + place.first : nullptr,
            place.first,
            place.count,
            c_.keep * arrayOf<const double>(call, 1)[unit] * Scalar::unit};
  }

  FETTLE_INLINE Moments momentsOf(const EcoRun& at, int64_t i) const {
    Moments next;
    const Vector g = Vector::load(at.gradient + i);
    next.momentum = movingAverage(Vector::load(at.momentum + i), g, Vector(c_.b1), Vector(c_.c1));
    next.direction = next.momentum;
    if (adaptive) {
      next.second = movingAverage(Vector::load(at.second + i), g * g, Vector(c_.b2), Vector(c_.c2));
      next.denominator = root(next.second * Vector(c_.correction)) + Vector(c_.eps);
      next.direction = next.momentum / next.denominator;
    }
    return next;
  }

  // The magnitudes of new weights, as integers: those have the same order, NaN above all.
  FETTLE_INLINE Lanes32 magnitudes(const EcoRun& at, Vector number, const Moments& next) const {
    const Vector weight = fma(number, Vector(float(at.kept)), Vector(rate_) * next.direction);
    return both(bitsOf(weight), lanesOf(0x7FFFFFFFu));
  }
  FETTLE_INLINE Lanes32 magnitudes(const EcoRun& at, int64_t i) const {
    return magnitudes(at, Lanes::load(at.codes, i), momentsOf(at, i));
  }

  FETTLE_INLINE Lanes32 look(const EcoRun& at, int64_t i, Lanes32 largest) const {
    for (int k = 0; k < vectors; k++) largest = largerOf(largest, magnitudes(at, i + k * Vector::lanes));
    return largest;
  }

  // The scale, in units of the format's numbers, that an element asks for.
  FETTLE_INLINE double scaleFor(const EcoRun& at, int64_t i) const {
    const EcoStep::Moments next =
        EcoStep::update(c_, at.gradient[i], at.momentum[i], adaptive ? at.second[i] : 0.0f, adaptive);
    return ecoScale(EcoStep::magnitude(at.kept, Scalar::decode(Scalar::load(at.codes, i)), rate_ * next.direction),
                    Scalar::largest);
  }

  // The first element from i on with a magnitude that is there.
  FETTLE_INLINE int64_t find(const EcoRun& at, int64_t i, int32_t magnitude) const {
    for (;; i += Vector::lanes) {
      const uint32_t equal = lanesEqual(magnitudes(at, i), lanesOf(uint32_t(magnitude)));
      if (equal != 0) return i + __builtin_ctz(equal);
    }
  }

  // Whether codes of new weights cannot lie beyond the largest by more than roundings.
  FETTLE_FN bool isRegular(const EcoChange& by) { return by.usable && absolute(by.ratio) <= 1024.0f; }

  FETTLE_INLINE void finish(const EcoRun& at, int64_t i, const EcoChange& by) {
    EcoCodes codes[vectors];
    for (int first = 0; first < vectors; first += together) {
      Vector number[together];
      Moments next[together];
      for (int k = 0; k < together; k++) number[k] = Lanes::load(at.codes, i + (first + k) * Vector::lanes);
      for (int k = 0; k < together; k++) next[k] = momentsOf(at, i + (first + k) * Vector::lanes);
      write(at, i + first * Vector::lanes, by, number, next, codes + first);
    }
    Lanes::store(at.codes, i, codes);
  }

  // Stage by stage.
  FETTLE_INLINE void write(const EcoRun& at, int64_t i, const EcoChange& by, const Vector* number, const Moments* next,
                           EcoCodes* codes) {
    Vector moved[together];
    for (int k = 0; k < together; k++) moved[k] = Vector(by.rate) * next[k].direction;
    for (int k = 0; k < together; k++) {
      const Vector x = fma(number[k], Vector(by.ratio), moved[k]);
      codes[k] = stochastic ? Lanes::stochastic(x, window_.at(at.first + i + k * Vector::lanes, Vector::lanes))
                            : Lanes::nearest(x);
    }
    for (int k = 0; k < together; k++) {
      const int64_t j = i + k * Vector::lanes;
      const Vector error = fma(number[k], Vector(by.growth), (number[k] - codes[k].number) + moved[k]);
      const Vector share = adaptive ? Vector(by.share) * next[k].denominator : Vector(by.share);
      fma(share, error, next[k].momentum).store(at.momentum + j);
      if (adaptive) next[k].second.store(at.second + j);
      if (at.errors != nullptr) (error * Vector(by.measure)).store(at.errors + j);
    }
  }

  // The elements behind the last whole batch, among zeros that change nothing.
  struct Rest {
    uint8_t codes[batch] = {};
    float gradient[batch] = {};
    float momentum[batch] = {};
    float second[adaptive ? batch : 1];
    float errors[batch];
    EcoRun of;
    int64_t from;

    FETTLE_INLINE Rest(const EcoRun& all, int64_t start)
        : of({codes, gradient, momentum, second, all.errors == nullptr ? nullptr : errors, all.first + start,
              all.count - start, all.kept}),
          from(start) {
      memcpy(codes, all.codes + byteOf(start), bytes());
      // The other half of a last byte is nobody's, and stays.
      if (halves() && of.count % 2 != 0) codes[of.count / 2] &= 0x0F;
      memcpy(gradient, all.gradient + start, size());
      memcpy(momentum, all.momentum + start, size());
      if (adaptive) {
        for (int i = 0; i < batch; i++) second[i] = 1.0f;
        memcpy(second, all.second + start, size());
      }
    }
    FETTLE_INLINE void putBack(const EcoRun& all) {
      uint8_t* to = all.codes + byteOf(from);
      if (halves() && of.count % 2 != 0)
        codes[of.count / 2] = uint8_t((codes[of.count / 2] & 0x0F) | (to[of.count / 2] & 0xF0));
      memcpy(to, codes, bytes());
      memcpy(all.momentum + from, momentum, size());
      if (adaptive) memcpy(all.second + from, second, size());
      if (all.errors != nullptr) memcpy(all.errors + from, errors, size());
    }
    FETTLE_FN int64_t byteOf(int64_t i) { return halves() ? i / 2 : i; }
    FETTLE_INLINE size_t bytes() const { return size_t(halves() ? (of.count + 1) / 2 : of.count); }
    FETTLE_INLINE size_t size() const { return size_t(of.count) * sizeof(float); }
  };

  // Writes a run, looks through the next, or both, of as many elements. Returns the next one's scale in units of numbers.
  template <bool writes, bool looks>
  __attribute__((noinline)) double pass(const EcoRun& run, const EcoChange& by, const EcoRun& next) {
    const int64_t count = writes ? run.count : next.count, whole = count - count % batch;
    int32_t most = 0;
    int64_t block = -1;
    const auto note = [&](Lanes32 largest, int64_t i) {
      const int32_t found = largestLane(largest);
      if (found > most) {
        most = found;
        block = i;
      }
    };
    for (int64_t i = 0; i < whole; i += ecoBlock) {
      const int64_t end = smaller(i + ecoBlock, whole);
      Lanes32 largest = lanesOf(0);
      for (int64_t k = i; k < end; k += batch) {
        if (looks) {
          prefetch(next, k + ecoAhead);
          largest = look(next, k, largest);
        }
        if (writes) finish(run, k, by);
      }
      if (looks) note(largest, i);
    }
    if (whole < count) {
      if (writes) {
        Rest rest(run, whole);
        finish(rest.of, 0, by);
        rest.putBack(run);
      }
      if (looks) {
        Rest rest(next, whole);
        note(look(rest.of, 0, lanesOf(0)), whole);
        if (block == whole && most < infinityBits) return scaleFor(rest.of, find(rest.of, 0, most));
      }
    }
    if (!looks || most == 0) return 0.0;
    return most < infinityBits ? scaleFor(next, find(next, block, most)) : __builtin_nan("");
  }
  static constexpr int32_t infinityBits = 0x7F800000;

  FETTLE_INLINE void runRows(const fettle_call& call, int64_t from, int64_t to) {
    double* scales = arrayOf<double>(call, 1);
    const auto rowOf = [&](int64_t unit) { return runOf(call, EcoPlace::of(call, unit), unit); };
    EcoRun run = rowOf(from);
    double scale = pass<false, true>(run, {}, run);
    for (int64_t unit = from; unit < to; unit++) {
      const bool more = unit + 1 < to;
      const EcoRun next = more ? rowOf(unit + 1) : run;
      const EcoChange by = EcoChange::of(c_, run.kept, scale, Scalar::unit);
      if (!isRegular(by)) {
        EcoStep::unit(call, unit);
        if (more) scale = pass<false, true>(next, by, next);
      } else {
        scales[unit] = by.scale;
        scale = more ? pass<true, true>(run, by, next) : pass<true, false>(run, by, next);
      }
      run = next;
    }
  }

  // Several groups are gone through in stages, by way of the first cache.
  static constexpr int groupsAtOnce = 16;

  struct Group {
    alignas(64) float number[ecoGroup];
    alignas(64) float momentum[ecoGroup];
    // What is not needed is one line.
    alignas(64) float second[adaptive ? ecoGroup : 1];
    alignas(64) float denominator[adaptive ? ecoGroup : 1];
    alignas(64) float direction[adaptive ? ecoGroup : 1];
    EcoRun run;
    double scale;
    EcoChange by;
  };

  FETTLE_INLINE void runGroups(const fettle_call& call, int64_t from, int64_t to) {
    double* scales = arrayOf<double>(call, 1);
    const EcoRun none = {};
    Group groups[groupsAtOnce];
    const int64_t columns = call.integer[0];
    EcoPlace place = EcoPlace::of(call, from);
    int64_t inRow = columns - place.first % columns;
    for (int64_t first = from; first < to; first += groupsAtOnce) {
      const int count = int(smaller(groupsAtOnce, to - first));
      for (int k = 0; k < count; k++) {
        Group& group = groups[k];
        group.run = runOf(call, place, first + k);
        // A row starts in a byte of its own.
        place.byte += unitsOf(place.count, 2);
        place.first += place.count;
        inRow = inRow > place.count ? inRow - place.count : columns;
        place.count = smaller(ecoGroup, inRow);
        group.scale = group.run.count == ecoGroup ? lookThrough(group) : pass<false, true>(none, {}, group.run);
      }
      for (int k = 0; k < count; k++)
        groups[k].by = EcoChange::of(c_, groups[k].run.kept, groups[k].scale, Scalar::unit);
      for (int k = 0; k < count; k++) {
        const Group& group = groups[k];
        if (!isRegular(group.by)) {
          EcoStep::unit(call, first + k);
          continue;
        }
        scales[first + k] = group.by.scale;
        if (group.run.count == ecoGroup) {
          writeGroup(group);
        } else {
          pass<true, false>(group.run, group.by, none);
        }
      }
    }
  }

  // Keeps what is to be written, and returns the scale.
  FETTLE_INLINE double lookThrough(Group& group) const {
    const EcoRun& run = group.run;
    prefetch(run, ecoAhead);
    float* direction = adaptive ? group.direction : group.momentum;
    Lanes32 found[vectors], largest = lanesOf(0);
    for (int k = 0; k < vectors; k++) {
      const int64_t i = k * Vector::lanes;
      const Vector number = Lanes::load(run.codes, i);
      const Moments next = momentsOf(run, i);
      number.store(group.number + i);
      next.momentum.store(group.momentum + i);
      if (adaptive) {
        next.second.store(group.second + i);
        next.denominator.store(group.denominator + i);
        next.direction.store(group.direction + i);
      }
      found[k] = magnitudes(run, number, next);
      largest = largerOf(largest, found[k]);
    }
    const int32_t most = largestLane(largest);
    if (most >= infinityBits) return __builtin_nan("");
    uint32_t equal = 0;
    for (int k = 0; k < vectors; k++) equal |= lanesEqual(found[k], lanesOf(uint32_t(most))) << (k * Vector::lanes);
    const int where = __builtin_ctz(equal);
    return ecoScale(EcoStep::magnitude(run.kept, group.number[where], rate_ * direction[where]), Scalar::largest);
  }

  FETTLE_INLINE void writeGroup(const Group& group) {
    EcoCodes codes[vectors];
    for (int first = 0; first < vectors; first += together) {
      Vector number[together];
      Moments next[together];
      for (int k = 0; k < together; k++) {
        const int64_t i = (first + k) * Vector::lanes;
        number[k] = Vector::load(group.number + i);
        next[k].momentum = Vector::load(group.momentum + i);
        next[k].direction = next[k].momentum;
        if (adaptive) {
          next[k].second = Vector::load(group.second + i);
          next[k].denominator = Vector::load(group.denominator + i);
          next[k].direction = Vector::load(group.direction + i);
        }
      }
      write(group.run, first * Vector::lanes, group.by, number, next, codes + first);
    }
    Lanes::store(group.run.codes, 0, codes);
  }

  FETTLE_FN void prefetch(const EcoRun& at, int64_t i) {
    for (int k = 0; k < batch; k += 16) {
      _mm_prefetch(reinterpret_cast<const char*>(at.gradient + i + k), _MM_HINT_T0);
      _mm_prefetch(reinterpret_cast<const char*>(at.momentum + i + k), _MM_HINT_T0);
      if (adaptive) _mm_prefetch(reinterpret_cast<const char*>(at.second + i + k), _MM_HINT_T0);
    }
    _mm_prefetch(reinterpret_cast<const char*>(at.codes + (halves() ? i / 2 : i)), _MM_HINT_T0);
  }

  EcoConstants c_;
  float rate_;
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
  const double measure = stored * Lanes::Scalar::unit;
  const Wide scale(measure);
  float* w = arrayOf<float>(call, 2) + place.first;
  int64_t i = 0;
  for (; i + Vector::lanes <= place.count; i += Vector::lanes)
    (Wide(Lanes::load(codes, i)) * scale).narrow().store(w + i);
  for (; i < place.count; i++) w[i] = float(double(Lanes::Scalar::decode(Lanes::Scalar::load(codes, i))) * measure);
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
