// Steps under a mask on the CPU.
#include "cpu/kernel_tier.h"
#include "cpu/pieces.h"
#include "kernels/pruning/masked_steps.h"

namespace fettle {
namespace FETTLE_TIER {

template <class Element>
struct CpuKernel<MaskedStep<Element>> {
  FETTLE_FN void range(const fettle_call& call, int64_t first, int64_t last) {
    const uint8_t* mask = arrayOf<const uint8_t>(call, 0);
    float c[4];
    for (int k = 0; k < 4; k++) c[k] = float(call.number[k]);
    const int64_t end = smaller(last * maskedStepUnit, call.integer[0]);
    int64_t i = first * maskedStepUnit;
    for (; i + Vector::lanes <= end; i += Vector::lanes) {
      const Vector kept = mask == nullptr ? Vector(1.0f) : masked(Vector(1.0f), mask + i / 8, 0);
      Vector x[Element::arrays];
      for (int k = 0; k < Element::arrays; k++) x[k] = Vector::load(arrayOf<const float>(call, 1 + k) + i);
      Element::element(c, kept, x);
      for (int k = 0; k < Element::arrays - Element::reads; k++) x[k].store(arrayOf<float>(call, 1 + k) + i);
    }
    MaskedStep<Element>::run(call, i, end);
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle

#define FETTLE_FAMILY "fettle/kernels/pruning.def"
#include "cpu/kernel_family.h"
