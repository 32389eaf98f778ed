// Scores, penalties, activations, formats and products of sparse pruning on the CPU.
#include <immintrin.h>

#include "cpu/kernel_tier.h"
#include "core/vector.h"
#include "kernels/sparse/activations.h"
#include "kernels/sparse/formats.h"
#include "kernels/sparse/penalties.h"
#include "kernels/sparse/products.h"
#include "kernels/sparse/scores.h"

namespace fettle {
namespace FETTLE_TIER {

// The sums of sixteen rows of a batch in registers.
struct RegisterSums {
#if defined(__AVX512F__)
  static constexpr int parts = 2;
  __m512d sum[parts];
  FETTLE_INLINE void clear() { sum[0] = sum[1] = _mm512_setzero_pd(); }
  FETTLE_INLINE void add(float value, const float* x) {
    const __m512d v = _mm512_set1_pd(double(value));
    for (int k = 0; k < parts; k++) sum[k] = _mm512_fmadd_pd(v, _mm512_cvtps_pd(_mm256_loadu_ps(x + 8 * k)), sum[k]);
  }
  FETTLE_INLINE void store(float* y, int64_t step, int64_t n) const {
    float lanes[batchTile];
    for (int k = 0; k < parts; k++) _mm256_storeu_ps(lanes + 8 * k, _mm512_cvtpd_ps(sum[k]));
    for (int64_t i = 0; i < n; i++) y[i * step] = lanes[i];
  }
#else
  static constexpr int parts = 4;
  __m256d sum[parts];
  FETTLE_INLINE void clear() { sum[0] = sum[1] = sum[2] = sum[3] = _mm256_setzero_pd(); }
  FETTLE_INLINE void add(float value, const float* x) {
    const __m256d v = _mm256_set1_pd(double(value));
    for (int k = 0; k < parts; k++) sum[k] = _mm256_fmadd_pd(v, _mm256_cvtps_pd(_mm_loadu_ps(x + 4 * k)), sum[k]);
  }
  FETTLE_INLINE void store(float* y, int64_t step, int64_t n) const {
    float lanes[batchTile];
    for (int k = 0; k < parts; k++) _mm_storeu_ps(lanes + 4 * k, _mm256_cvtpd_ps(sum[k]));
    for (int64_t i = 0; i < n; i++) y[i * step] = lanes[i];
  }
#endif
};

template <>
struct CpuKernel<CsrProduct> {
  FETTLE_FN void range(const fettle_call& call, int64_t first, int64_t last) {
    for (int64_t unit = first; unit < last; unit++) csrProduct<RegisterSums>(call, unit);
  }
};

template <>
struct CpuKernel<Semi24Product> {
  FETTLE_FN void range(const fettle_call& call, int64_t first, int64_t last) {
    for (int64_t unit = first; unit < last; unit++) semi24Product<RegisterSums>(call, unit);
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle

#define FETTLE_FAMILY "fettle/kernels/sparse.def"
#include "cpu/kernel_family.h"
