// Steps of methods that train under a mask. Arrays are F32, the mask's bit of element i is bit i mod 8 of byte i div 8; a unit is
// 4,096 elements. The Java twin is org.fettle.internal.kernels.PruningKernels.
#pragma once

#include "kernels/kernel.h"

namespace fettle {
namespace FETTLE_TIER {

// An element's update, for a float or a vector of them: element(c, kept, x), kept being 1 or 0, x what the arrays behind the
// mask hold and then receive; the last `reads` of them are read only.

// g + lambda (1 - kept) w, then SGD: m = momentum * m + g, w = w - lr * m. x: w, m, g. c: lambda, -lr, momentum,
// weight decay. Source: arXiv:2102.04010, equation 9; NM-sparsity/NM-sparsity.
struct SrSteElement {
  static constexpr int arrays = 3;
  static constexpr int reads = 1;
  template <class F>
  FETTLE_FN void element(const float* c, F kept, F* x) {
    F g = select(kept > F(0.0f), x[2], fma(F(c[0]), x[0], x[2]));
    g = withCoupledDecay(g, x[0], F(c[3]));
    x[1] = fma(F(c[2]), x[1], g);
    x[0] = fma(F(c[1]), x[1], x[0]);
  }
};

// w + a * g where the mask is 1, else w as it is. x: w, g. c: a.
struct MaskedAddElement {
  static constexpr int arrays = 2;
  static constexpr int reads = 1;
  template <class F>
  FETTLE_FN void element(const float* c, F kept, F* x) {
    x[0] = select(kept > F(0.0f), fma(F(c[0]), x[1], x[0]), x[0]);
  }
};

// BiP's upper level: q = w g sign(s), s = s - rate (q - lr2 q^2). x: s, w, g. c: -rate, -lr2. The mask has no part in
// it. Source: OPTML-Group/BiP, trainer/bilevel.py.
struct BipScoreElement {
  static constexpr int arrays = 3;
  static constexpr int reads = 2;
  template <class F>
  FETTLE_FN void element(const float* c, F, F* x) {
    const F q = x[1] * x[2] * sign(x[0]);
    x[0] = fma(F(c[0]), fma(F(c[1]) * q, q, q), x[0]);
  }
};

// The mask's gradient by the bi-linear derivation, w g - lr2 m g^2. x: out, w, g. c: -lr2.
struct BipDerivedElement {
  static constexpr int arrays = 3;
  static constexpr int reads = 2;
  template <class F>
  FETTLE_FN void element(const float* c, F kept, F* x) {
    const F product = x[1] * x[2];
    x[0] = select(kept > F(0.0f), fma(F(c[0]) * x[2], x[2], product), product);
  }
};

constexpr int64_t maskedStepUnit = 4096;

// array 0: BIT, or null for all ones; arrays 1 ..: those of the element. integer 0: elements. numbers: c.
template <class Element>
struct MaskedStep {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const int64_t last = smaller((unit + 1) * maskedStepUnit, call.integer[0]);
    run(call, unit * maskedStepUnit, last);
  }

  FETTLE_FN void run(const fettle_call& call, int64_t first, int64_t last) {
    const uint8_t* mask = arrayOf<const uint8_t>(call, 0);
    float c[4];
    for (int k = 0; k < 4; k++) c[k] = float(call.number[k]);
    for (int64_t i = first; i < last; i++) {
      const bool kept = mask == nullptr || (mask[i / 8] >> (i % 8) & 1) != 0;
      float x[Element::arrays];
      for (int k = 0; k < Element::arrays; k++) x[k] = arrayOf<const float>(call, 1 + k)[i];
      Element::element(c, kept ? 1.0f : 0.0f, x);
      for (int k = 0; k < Element::arrays - Element::reads; k++) arrayOf<float>(call, 1 + k)[i] = x[k];
    }
  }
};

using SrSteStep = MaskedStep<SrSteElement>;
using MaskedAdd = MaskedStep<MaskedAddElement>;
using BipScore = MaskedStep<BipScoreElement>;
using BipDerived = MaskedStep<BipDerivedElement>;

}  // namespace FETTLE_TIER
}  // namespace fettle
