// Schedule-Free SGD, AdamW and RAdam: gradients are taken at y, between the base sequence z and the average x, which stands in for a
// learning-rate schedule.
//
//   w = t^r * (largest lr so far)^q ;  W <- W + w ;  c = w / W, 0 when W = 0 ;  lr: with warm-up, RAdam: with the rectifier
//   d = g + wd * y (SGD) ;  v <- ema(v, g * g, beta2), d = g / (sqrt(v / c2) + eps) + wd * y (AdamW)
//   inner momentum mu: m <- ema(m, g, mu), the numerator is m / (1 - mu^t)
//   y <- (1 - c) * y + c * z + lr * (beta * (1 - c) - 1) * d ;  z <- z - lr * d
//   RAdam while rho <= 4: d = g + wd * y, with lr 0 (silent) or unscaled
//
// Source: arXiv:2405.15682; facebookresearch/schedule_free. y is the parameter; states z (, v, m). z is the parameter itself in the
// first step. Scalars: ckp1 c, lr_max, lr_t, weight_sum W. The quotient is multiplied through by sqrt(c2).
#pragma once

#include "core/math.h"
#include "core/rule.h"
#include "rules/moments.h"

namespace fettle {
namespace FETTLE_TIER {

struct ScheduleFree : RuleDefaults {
  // What y and z take of each other and of the direction.
  struct Mix {
    float keep, take, directionShare, minusLr, decay, first;

    template <class F>
    FETTLE_INLINE F base(F y, F z) const {
      return select(F(first) > F(0.0f), y, z);
    }

    // d without the decay comes in.
    template <class F>
    FETTLE_INLINE void move(F& y, F& z, F d) const {
      d = withCoupledDecay(d, y, F(decay));
      y = fma(F(keep), y, fma(F(take), z, F(directionShare) * d));
      z = fma(F(minusLr), d, z);
    }
  };

  FETTLE_FN Mix mix(const StepContext& step, double rate, double beta, double decay, double r, double weightLrPower) {
    double* s = step.scalars;
    const double largest = s[1] > rate ? s[1] : rate;
    const double weight = powerOf(double(step.step), r) * powerOf(largest, weightLrPower);
    const double sum = s[3] + weight;
    const double c = sum == 0.0 ? 0.0 : weight / sum;
    s[0] = c;
    s[1] = largest;
    s[2] = rate;
    s[3] = sum;
    return {float(1.0 - c),  float(c), float(rate * (beta * (1.0 - c) - 1.0)), float(-rate), float(decay),
            step.step == 1 ? 1.0f : 0.0f};
  }

  FETTLE_FN double warmed(const StepContext& step, double rate, double warmupSteps) {
    const double t = double(step.step);
    return t <= warmupSteps ? rate * (t / warmupSteps) : rate;
  }
};

struct ScheduleFreeSgd : ScheduleFree {
  static constexpr int states = 1;

  enum { lr, momentum, weightDecay, warmupSteps, r, weightLrPower };

  struct Coefficients {
    Mix mix;
  };

  FETTLE_FN Coefficients coefficients(const StepContext& step) {
    const double* h = step.hyper;
    return {mix(step, warmed(step, h[lr], h[warmupSteps]), h[momentum], h[weightDecay], h[r], h[weightLrPower])};
  }

  template <class F>
  FETTLE_FN void update(const Coefficients& c, F& p, F g, F* state) {
    state[0] = c.mix.base(p, state[0]);
    c.mix.move(p, state[0], g);
  }
};

// The quotient of AdamW and RAdam, or the plain gradient.
struct ScheduleFreeQuotient {
  float beta2, oneMinusBeta2, scale, eps, adaptive;

  FETTLE_FN ScheduleFreeQuotient of(double beta2, double eps, double numerator, int64_t step, bool adaptive) {
    const double corrected = rootOf(1.0 - power(beta2, step));
    return {float(beta2), float(1.0 - beta2), float(corrected / numerator), float(eps * corrected), adaptive ? 1.0f : 0.0f};
  }

  template <class F>
  FETTLE_INLINE void moment(F& v, F g) const {
    v = movingAverage(v, g * g, F(beta2), F(oneMinusBeta2));
  }

  template <class F>
  FETTLE_INLINE F direction(F numerator, F v) const {
    return select(F(adaptive) > F(0.0f), F(scale) * numerator / (root(v) + F(eps)), numerator);
  }
};

template <bool withInnerMomentum>
struct ScheduleFreeAdamW : ScheduleFree {
  static constexpr int states = withInnerMomentum ? 3 : 2;

  enum { lr, beta1, beta2, eps, weightDecay, warmupSteps, r, weightLrPower, innerMomentum };

  struct Coefficients {
    Mix mix;
    ScheduleFreeQuotient quotient;
    float inner, oneMinusInner;
  };

  FETTLE_FN Coefficients coefficients(const StepContext& step) {
    const double* h = step.hyper;
    const double numerator = withInnerMomentum ? 1.0 - power(h[innerMomentum], step.step) : 1.0;
    return {mix(step, warmed(step, h[lr], h[warmupSteps]), h[beta1], h[weightDecay], h[r], h[weightLrPower]),
            ScheduleFreeQuotient::of(h[beta2], h[eps], numerator, step.step, true), float(h[innerMomentum]),
            float(1.0 - h[innerMomentum])};
  }

  template <class F>
  FETTLE_FN void update(const Coefficients& c, F& p, F g, F* state) {
    state[0] = c.mix.base(p, state[0]);
    c.quotient.moment(state[1], g);
    F numerator = g;
    if (withInnerMomentum) {
      state[states - 1] = movingAverage(state[states - 1], g, F(c.inner), F(c.oneMinusInner));
      numerator = state[states - 1];
    }
    c.mix.move(p, state[0], c.quotient.direction(numerator, state[1]));
  }
};

struct ScheduleFreeRAdam : ScheduleFree {
  static constexpr int states = 2;

  enum { lr, beta1, beta2, eps, weightDecay, r, weightLrPower, silentSgdPhase };

  struct Coefficients {
    Mix mix;
    ScheduleFreeQuotient quotient;
  };

  FETTLE_FN Coefficients coefficients(const StepContext& step) {
    const double* h = step.hyper;
    const double longest = 2.0 / (1.0 - h[beta2]) - 1.0;
    const double faded = power(h[beta2], step.step);
    const double length = longest - 2.0 * double(step.step) * faded / (1.0 - faded);
    const bool rectified = length > 4.0;
    double share = h[silentSgdPhase] != 0.0 ? 0.0 : 1.0;
    if (rectified) {
      share = rootOf((length - 4.0) * (length - 2.0) * longest / ((longest - 4.0) * (longest - 2.0) * length));
    }
    return {mix(step, h[lr] * share, h[beta1], h[weightDecay], h[r], h[weightLrPower]),
            ScheduleFreeQuotient::of(h[beta2], h[eps], 1.0, step.step, rectified)};
  }

  template <class F>
  FETTLE_FN void update(const Coefficients& c, F& p, F g, F* state) {
    state[0] = c.mix.base(p, state[0]);
    c.quotient.moment(state[1], g);
    c.mix.move(p, state[0], c.quotient.direction(g, state[1]));
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
