// A weighted sum of the rows of a matrix, in double, in the order of the rows, rounded once:
//
//   out = scale * (sum over k of c_k * (G_k - H_k) + noise * z) + keep * x
//
// H, z and x may be absent. What per-example clipping, M-FAC, UPGrad, DiLoCo's mean and the simulated natural gradient are made of.
#pragma once

#include "core/numeric.h"
#include "kernels/kernel.h"

namespace fettle {
namespace FETTLE_TIER {

struct CombineRows {
  enum Array { out, rows, subtracted, noise, kept, weights };
  enum Integer { count, length };
  enum Number { scale, noiseScale, keepScale };

  static constexpr int tile = 512;

  FETTLE_FN void addRow(double* sum, const float* g, double weight, int n) {
    for (int i = 0; i < n; i++) sum[i] += weight * double(g[i]);
  }

  FETTLE_FN void addDifference(double* sum, const float* g, const float* h, double weight, int n) {
    for (int i = 0; i < n; i++) sum[i] += weight * (double(g[i]) - double(h[i]));
  }

  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const int64_t n = call.integer[length];
    const int64_t first = unit * FETTLE_CHUNK;
    const int64_t last = first + FETTLE_CHUNK < n ? first + FETTLE_CHUNK : n;
    const float* g = arrayOf<float>(call, rows);
    const float* h = arrayOf<float>(call, subtracted);
    const float* z = arrayOf<float>(call, noise);
    const float* x = arrayOf<float>(call, kept);
    const double* c = arrayOf<double>(call, weights);
    float* to = arrayOf<float>(call, out);
    double sum[tile];
    for (int64_t at = first; at < last; at += tile) {
      const int m = int(last - at < tile ? last - at : tile);
      for (int i = 0; i < m; i++) sum[i] = 0.0;
      for (int64_t k = 0; k < call.integer[count]; k++) {
        const int64_t from = k * n + at;
        if (h) {
          addDifference(sum, g + from, h + from, c[k], m);
        } else {
          addRow(sum, g + from, c[k], m);
        }
      }
      for (int i = 0; i < m; i++) {
        double value = sum[i];
        if (z) value = value + call.number[noiseScale] * double(z[at + i]);
        value = call.number[scale] * value;
        if (x) value = value + call.number[keepScale] * double(x[at + i]);
        to[at + i] = float(value);
      }
    }
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
