// SAF's trajectory loss of a row of logits against older logits of the same example, in double:
//
//   loss = KL(softmax(old / T) | softmax(z / T)) ;  gradient for z = factor * (softmax(z / T) - softmax(old / T))
//
// A log-soft-max throughout, so that far logits give no infinity. Source: arXiv:2205.14083; AngusDujw/SAF.
#pragma once

#include "core/math.h"
#include "kernels/kernel.h"
#include "kernels/steps/row_sum.h"

namespace fettle {
namespace FETTLE_TIER {

struct Saf {
  enum Array { logits, past, gradient, losses };
  enum Integer { classes };
  enum Number { temperature, factor };

  // The largest value and the logarithm of the sum of exponentials above it.
  FETTLE_FN void normaliser(const float* x, int64_t n, double t, double& largest, double& logSum) {
    largest = double(x[0]) / t;
    for (int64_t i = 1; i < n; i++) {
      const double y = double(x[i]) / t;
      if (y > largest || y != y) largest = y;
    }
    RowSum sum;
    for (int64_t i = 0; i < n; i++) sum.add(expOf(double(x[i]) / t - largest));
    logSum = logOf(sum.finish());
  }

  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const int64_t n = call.integer[classes];
    const double t = call.number[temperature];
    const float* z = arrayOf<float>(call, logits) + unit * n;
    const float* old = arrayOf<float>(call, past) + unit * n;
    float* g = arrayOf<float>(call, gradient);
    double top, logSum, oldTop, oldLogSum;
    normaliser(z, n, t, top, logSum);
    normaliser(old, n, t, oldTop, oldLogSum);
    RowSum loss;
    for (int64_t i = 0; i < n; i++) {
      const double now = double(z[i]) / t - top - logSum;
      const double before = double(old[i]) / t - oldTop - oldLogSum;
      const double probability = expOf(before);
      loss.add(probability * (before - now));
      if (g) g[unit * n + i] = float(call.number[factor] * (expOf(now) - probability));
    }
    arrayOf<double>(call, losses)[unit] = loss.finish();
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
