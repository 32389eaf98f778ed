// Clipping per pixel: what limits a pixel is its largest channel. The Java twin is org.fettle.internal.Primitive.
#pragma once

#include "primitives/primitive.h"

namespace fettle {
namespace FETTLE_TIER {

// The pixel's factor, from the limit and the largest |g| of its channels.

struct ClipPixelHard {
  template <class F>
  FETTLE_FN F factor(F limit, F largest) {
    const F quotient = limit / largest;
    return select(quotient > F(1.0f), F(1.0f), quotient);
  }
};

struct ClipPixelSoft {
  template <class F>
  FETTLE_FN F factor(F limit, F largest) {
    return limit / (largest + limit);
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
