// What AdamP and SGDP share: taking the component along the weight out of the update of scale-invariant weights.
//
//   two or more axes; try the rows, then the whole tensor as one row (K elements per row):
//     cos_row = |<g,p>| / (max(|g|, eps) * max(|p|, eps))
//     if max over rows of cos_row < delta / sqrt(K): d <- d - p * <p,d> / (|p| + eps)^2 per row ;  r = wdRatio ;  stop
//
// Source: arXiv:2006.08217; clovaai/AdamP. The sums of a row are <g,p>, <g,g>, <p,p>, <p,d>. A zero gradient has cosine 0 and fires.
#pragma once

#include "core/rule.h"

namespace fettle {
namespace FETTLE_TIER {

struct Projection {
  enum { gradientParameter, gradientSquare, parameterSquare, parameterDirection };

  FETTLE_FN double cosine(const double* sums, double eps) {
    const double g = rootOf(sums[gradientSquare]);
    const double p = rootOf(sums[parameterSquare]);
    const double product = sums[gradientParameter];
    return (product < 0.0 ? -product : product) / ((g > eps ? g : eps) * (p > eps ? p : eps));
  }

  // What the weight is multiplied by and taken off.
  FETTLE_FN double share(const double* sums, double eps) {
    const double norm = rootOf(sums[parameterSquare]) + eps;
    return sums[parameterDirection] / (norm * norm);
  }

  // 2: every row is projected by its own sums, 1: all by the tensor's, 0: none.
  FETTLE_FN int levelOf(const StepContext& step, const double* sums, double delta, double eps) {
    if (step.rank < 2) return 0;
    if (step.largestScore < delta / rootOf(step.rowLength)) return 2;
    return cosine(sums, eps) < delta / rootOf(step.elements) ? 1 : 0;
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
