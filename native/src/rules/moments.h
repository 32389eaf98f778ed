// What the rules of Adam's family share: two moving averages and their bias corrections.
#pragma once

#include "core/rule.h"

namespace fettle {
namespace FETTLE_TIER {

struct AdamCorrections {
  double first;       // c1 = 1 - beta1^t
  double second;      // c2 = 1 - beta2^t
  double rootSecond;  // sqrt(c2)
};

FETTLE_FN AdamCorrections adamCorrections(double beta1, double beta2, int64_t step) {
  const double second = 1.0 - power(beta2, step);
  return {1.0 - power(beta1, step), second, rootOf(second)};
}

// The four factors of m <- ema(m, g, beta1) and v <- ema(v, g * g, beta2), each rounded once.
struct Moments {
  float beta1, oneMinusBeta1, beta2, oneMinusBeta2;

  FETTLE_FN Moments of(double beta1, double beta2) {
    return {float(beta1), float(1.0 - beta1), float(beta2), float(1.0 - beta2)};
  }

  template <class F>
  FETTLE_INLINE void update(F& m, F& v, F g) const {
    m = movingAverage(m, g, F(beta1), F(oneMinusBeta1));
    v = movingAverage(v, g * g, F(beta2), F(oneMinusBeta2));
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
