// BinaryConnect's stochastic sign (arXiv:1511.00363). The Java twin is org.fettle.internal.kernels.LayerTwins.
#pragma once

#include "core/philox.h"
#include "kernels/estimators/chunks.h"

namespace fettle {
namespace FETTLE_TIER {

// w -> 1 with the probability clamp((w + 1) / 2, 0, 1), else -1; a NaN stays. A unit is a chunk of 4,096.
// arrays: w, out. integers 0: elements, 1: seed, 2: step, 3: stream.
struct StochasticSign {
  // The probability in units of 2^-24, of which a word's high bits are to fill up the rest.
  template <class F>
  FETTLE_FN F chances(F w) {
    const F probability = fma(w, F(0.5f), F(0.5f));
    return select(probability > F(0.0f), select(probability < F(1.0f), probability, F(1.0f)), F(0.0f)) * F(16777216.0f);
  }

  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const float* w = arrayOf<const float>(call, 0);
    float* out = arrayOf<float>(call, 1);
    const int64_t end = smaller(call.integer[0], (unit + 1) * rowChunk);
    Words words = {{0, 0, 0, 0}};
    for (int64_t i = unit * rowChunk; i < end; i++) {
      if ((i & 3) == 0) {
        words = philox(uint64_t(call.integer[1]), uint64_t(i) >> 2, uint32_t(call.integer[2]), uint32_t(call.integer[3]));
      }
      const bool up = chances(w[i]) >= 16777216.0f - float(words.word[i & 3] >> 8);
      out[i] = w[i] == w[i] ? (up ? 1.0f : -1.0f) : w[i];
    }
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
