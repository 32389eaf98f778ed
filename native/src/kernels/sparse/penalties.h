// Proximal operators and penalties. The Java twin is org.fettle.internal.kernels.PenaltyKernels.
#pragma once

#include "core/math.h"
#include "core/tree.h"
#include "kernels/kernel.h"
#include "kernels/sparse/scores.h"

namespace fettle {
namespace FETTLE_TIER {

enum ProximalKind { proximalSoft = 0, proximalScad = 1, proximalMcp = 2, proximalHard = 3 };

FETTLE_FN double signOf(double x) { return x > 0.0 ? 1.0 : x < 0.0 ? -1.0 : x; }

FETTLE_FN double soft(double x, double threshold) {
  const double magnitude = x < 0.0 ? -x : x;
  // A NaN fails the comparison and comes out.
  return magnitude <= threshold ? 0.0 : x - signOf(x) * threshold;
}

// number 0 .. 2: step, lambda (hard: its weight), a or gamma.
FETTLE_FN double proximalOf(int64_t kind, double x, const double* number) {
  const double step = number[0];
  const double lambda = number[1];
  const double shape = number[2];
  const double magnitude = x < 0.0 ? -x : x;
  switch (kind) {
    case proximalSoft:
      return soft(x, step * lambda);
    case proximalScad:
      if (magnitude <= (1.0 + step) * lambda) return soft(x, step * lambda);
      if (magnitude <= shape * lambda) {
        return ((shape - 1.0) * x - step * shape * lambda * signOf(x)) / (shape - 1.0 - step);
      }
      return x;
    case proximalMcp:
      if (magnitude <= shape * lambda) return soft(x, step * lambda) / (1.0 - step / shape);
      return x;
    default:
      return x * x <= 2.0 * step * lambda ? 0.0 : x;
  }
}

// A proximal operator, elementwise. A unit is 4,096 elements. array 0: F32; array 1: F32, may be array 0.
// integers 0, 1: elements, ProximalKind; numbers: see proximalOf.
struct Proximal {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const int64_t last = smaller((unit + 1) * scoreUnit, call.integer[0]);
    for (int64_t i = unit * scoreUnit; i < last; i++) {
      arrayOf<float>(call, 1)[i] =
          float(proximalOf(call.integer[1], double(arrayOf<const float>(call, 0)[i]), call.number));
    }
  }
};

// The proximal operator of a group's length. A unit is a group. integer 0: its elements; number 0: the threshold.
struct ProximalGroup {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const int64_t size = call.integer[0];
    const float* x = arrayOf<const float>(call, 0) + unit * size;
    float* out = arrayOf<float>(call, 1) + unit * size;
    LaneSum squares;
    for (int64_t i = 0; i < size; i++) squares.add(double(x[i]) * double(x[i]));
    const double length = rootOf(squares.total());
    const double factor = length <= call.number[0] ? 0.0 : 1.0 - call.number[0] / length;
    for (int64_t i = 0; i < size; i++) out[i] = factor == 0.0 ? 0.0f : float(double(x[i]) * factor);
  }
};

// w - lr (g + lambda w e^(-g g)).
FETTLE_FN float relevanceDecayed(float w, float g, float lr, float lambda) {
  const float relevance = expNegative(-(g * g));
  return fma(-lr, fma(lambda * w, relevance, g), w);
}

// A unit is 4,096 elements. array 0: F32 weights, updated; array 1: F32 gradients. integer 0: elements; numbers: lr, lambda.
struct RelevanceDecay {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const float lr = float(call.number[0]);
    const float lambda = float(call.number[1]);
    const int64_t last = smaller((unit + 1) * scoreUnit, call.integer[0]);
    float* w = arrayOf<float>(call, 0);
    for (int64_t i = unit * scoreUnit; i < last; i++) {
      w[i] = relevanceDecayed(w[i], arrayOf<const float>(call, 1)[i], lr, lambda);
    }
  }
};

// Sums over scales. A unit is 4,096 elements. array 0: F32; array 1: F64, four sums per unit: of g, |g|, |g - centre| and
// sign(g - centre). integer 0: elements; number 0: centre.
struct PolarizationSums {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    LaneSum sums[4];
    const int64_t last = smaller((unit + 1) * scoreUnit, call.integer[0]);
    for (int64_t i = unit * scoreUnit; i < last; i++) {
      const double g = double(arrayOf<const float>(call, 0)[i]);
      const double apart = g - call.number[0];
      sums[0].add(g);
      sums[1].add(g < 0.0 ? -g : g);
      sums[2].add(apart < 0.0 ? -apart : apart);
      sums[3].add(signOf(apart));
    }
    for (int k = 0; k < 4; k++) arrayOf<double>(call, 1)[4 * unit + k] = sums[k].total();
  }
};

// lambda (t sign(g) - sign(g - centre) + share). array 1: F32 gradients; integers 0, 1: elements, 1 to add to what is there.
// numbers 0 .. 3: centre, lambda, t, share.
struct PolarizationGradient {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const int64_t last = smaller((unit + 1) * scoreUnit, call.integer[0]);
    float* out = arrayOf<float>(call, 1);
    for (int64_t i = unit * scoreUnit; i < last; i++) {
      const double g = double(arrayOf<const float>(call, 0)[i]);
      const double slope = call.number[2] * signOf(g) - signOf(g - call.number[0]) + call.number[3];
      const float gradient = float(call.number[1] * slope);
      out[i] = call.integer[1] != 0 ? out[i] + gradient : gradient;
    }
  }
};

// Values clamped to [0, 1]; a NaN stays. A unit is 4,096 elements. array 0: F32, updated. integer 0: elements.
struct ClampScales {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const int64_t last = smaller((unit + 1) * scoreUnit, call.integer[0]);
    float* x = arrayOf<float>(call, 0);
    for (int64_t i = unit * scoreUnit; i < last; i++) x[i] = x[i] > 1.0f ? 1.0f : x[i] < 0.0f ? 0.0f : x[i];
  }
};

// Hard gates, their batch means, and the gradient that draws the means to 0 or 1. A unit is eight columns, a byte of the
// mask. array 0: F32 gates [batch, columns]; array 1: U8 hard gates, or null; array 2: F64 means [columns]; array 3: BIT of the
// means above one half; array 4: F32 gradient [batch, columns], or null. integers 0, 1: batch, columns; number 0: threshold.
struct GateConsensus {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const int64_t batch = call.integer[0];
    const int64_t columns = call.integer[1];
    unsigned kept = 0;
    for (int64_t j = 8 * unit; j < smaller(8 * unit + 8, columns); j++) {
      int64_t open = 0;
      for (int64_t i = 0; i < batch; i++) {
        const bool hard = double(arrayOf<const float>(call, 0)[i * columns + j]) > call.number[0];
        open += hard ? 1 : 0;
        if (call.array[1] != nullptr) arrayOf<uint8_t>(call, 1)[i * columns + j] = hard ? 1 : 0;
      }
      const double mean = double(open) / double(batch);
      arrayOf<double>(call, 2)[j] = mean;
      kept |= (mean > 0.5 ? 1u : 0u) << (j - 8 * unit);
      const float gradient = float((1.0 - 2.0 * mean) / (double(columns) * double(batch)));
      for (int64_t i = 0; call.array[4] != nullptr && i < batch; i++) {
        arrayOf<float>(call, 4)[i * columns + j] = gradient;
      }
    }
    arrayOf<uint8_t>(call, 3)[unit] = uint8_t(kept);
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
