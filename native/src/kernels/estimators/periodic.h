// BiPer's periodic weights (arXiv:2404.01278). A unit is a chunk of 4,096 elements.
#pragma once

#include "core/sine.h"
#include "core/tree.h"
#include "kernels/estimators/chunks.h"

namespace fettle {
namespace FETTLE_TIER {

// Sine and cosine of frequency * w for up to 128 elements.
struct Waves {
  float sine[reductionLanes];
  float cosine[reductionLanes];

  FETTLE_INLINE void fill(const float* w, double frequency, int count) {
    // The product of two floats is exact in double.
    bool moderate = true;
    for (int i = 0; i < count; i++) {
      const double x = frequency * double(w[i]);
      const SineCosine both = sineOfModerate(x);
      sine[i] = float(both.sine);
      cosine[i] = float(both.cosine);
      moderate = moderate & (x < sineFastLimit) & (x > -sineFastLimit);
    }
    if (moderate) return;
    for (int i = 0; i < count; i++) {
      const SineCosine both = sineCosineOf(frequency * double(w[i]));
      sine[i] = float(both.sine);
      cosine[i] = float(both.cosine);
    }
  }
};

// w -> sin(f w), or its sign. array 0: w, 1: output. number 0: f; integer 0: elements, 1: 1 for the sign.
struct PeriodicForward {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const float* w = arrayOf<const float>(call, 0);
    float* out = arrayOf<float>(call, 1);
    const int64_t end = smaller(call.integer[0], (unit + 1) * rowChunk);
    const bool binary = call.integer[1] != 0;
    Waves waves;
    for (int64_t at = unit * rowChunk; at < end; at += reductionLanes) {
      const int count = int(smaller(reductionLanes, end - at));
      waves.fill(w + at, double(float(call.number[0])), count);
      for (int i = 0; i < count; i++) out[at + i] = binary ? sign(waves.sine[i]) : waves.sine[i];
    }
  }
};

// w, g -> g f cos(f w) + k sin(f w) cos(f w). arrays: w, g, output. numbers: f, k; integer 0: elements.
struct PeriodicBackward {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const float* w = arrayOf<const float>(call, 0);
    const float* g = arrayOf<const float>(call, 1);
    float* out = arrayOf<float>(call, 2);
    const float f = float(call.number[0]), k = float(call.number[1]);
    const int64_t end = smaller(call.integer[0], (unit + 1) * rowChunk);
    Waves waves;
    for (int64_t at = unit * rowChunk; at < end; at += reductionLanes) {
      const int count = int(smaller(reductionLanes, end - at));
      waves.fill(w + at, double(f), count);
      for (int i = 0; i < count; i++) {
        const float given = g == nullptr ? 0.0f : g[at + i];
        out[at + i] = fma(k * waves.sine[i], waves.cosine[i], given * f * waves.cosine[i]);
      }
    }
  }
};

// The sum of sin(f w)^2. array 0: w, 15: F64 partial sums. number 0: f; integer 0: elements.
struct PeriodicPenalty {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const float* w = arrayOf<const float>(call, 0);
    const int64_t end = smaller(call.integer[0], (unit + 1) * rowChunk);
    double lanes[reductionLanes] = {};
    Waves waves;
    for (int64_t at = unit * rowChunk; at < end; at += reductionLanes) {
      const int count = int(smaller(reductionLanes, end - at));
      waves.fill(w + at, double(float(call.number[0])), count);
      for (int i = 0; i < count; i++) lanes[i] += double(waves.sine[i]) * double(waves.sine[i]);
    }
    arrayOf<double>(call, partialSums)[unit] = treeSum(lanes, reductionLanes);
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
