// Scores, penalties, activations, formats and products of sparse pruning on the CPU.
#include "cpu/block_products.h"
#include "cpu/kernel_tier.h"
#include "cpu/sparse_products.h"
#include "kernels/sparse/activations.h"
#include "kernels/sparse/block_products.h"
#include "kernels/sparse/formats.h"
#include "kernels/sparse/half_products.h"
#include "kernels/sparse/penalties.h"
#include "kernels/sparse/products.h"
#include "kernels/sparse/scores.h"

namespace fettle {
namespace FETTLE_TIER {

template <>
struct CpuKernel<CsrProduct> {
  FETTLE_FN void range(const fettle_call& call, int64_t first, int64_t last) { sparseRange<CsrTiles>(call, first, last); }
};

template <>
struct CpuKernel<BlockMatrixProduct> {
  FETTLE_FN void range(const fettle_call& call, int64_t first, int64_t last) {
    sparseRange<BlockMatrixTiles>(call, first, last);
  }
};

template <>
struct CpuKernel<BlockMatrixSampled> {
  FETTLE_FN void range(const fettle_call& call, int64_t first, int64_t last) { sampleRange(call, first, last); }
};

template <>
struct CpuKernel<Semi24Product> {
  FETTLE_FN void range(const fettle_call& call, int64_t first, int64_t last) { sparseRange<Semi24Tiles>(call, first, last); }
};

}  // namespace FETTLE_TIER
}  // namespace fettle

#define FETTLE_FAMILY "fettle/kernels/sparse.def"
#include "cpu/kernel_family.h"
