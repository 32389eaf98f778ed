// What random words of a step are keyed by.
#pragma once

#include "core/philox.h"
#include "fettle/plan.h"

namespace fettle {
namespace FETTLE_TIER {

// Purposes of the random streams of one tensor; state k takes roundState + k. What states start with is drawn from the four behind those.
enum Purpose { roundParameter = 0, roundCopy = 1, roundFirstAverage = 2, roundState = 4, roundNextAverages = 12 };

FETTLE_FN int roundAverage(int k) { return k == 0 ? roundFirstAverage : roundNextAverages + k - 1; }

struct Noise {
  uint64_t seed;
  uint32_t step;
  uint32_t stream;
};

// step is the one that is being taken: 1 in a tensor's first.
FETTLE_FN Noise noiseOf(const fettle_plan& plan, const fettle_tensor& tensor, int64_t step, int purpose) {
  return {uint64_t(plan.seed), uint32_t(step), uint32_t(tensor.stream + purpose)};
}

// The words of the four elements from 4 * quad on.
FETTLE_FN Words wordsOf(const Noise& noise, uint64_t quad) { return philox(noise.seed, quad, noise.step, noise.stream); }

}  // namespace FETTLE_TIER
}  // namespace fettle
