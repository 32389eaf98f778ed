// What one CPU tier offers for kernels, and how a family's driver is made.
//
// A family is one source file of this folder, kernels_FAMILY.cpp: it includes this header and the family's structs, specialises
// CpuKernel where explicit vectors pay, defines FETTLE_FAMILY as the family's list and includes cpu/kernel_family.h.
#pragma once

#include "fettle/fettle.h"
#include "kernels/kernel.h"

namespace fettle {

// Units first .. last - 1 of a call.
using KernelRange = void (*)(const fettle_call& call, int64_t first, int64_t last);

struct KernelTable {
  int64_t count;
  const KernelRange* ranges;
};

extern const KernelTable kernels_v3;
extern const KernelTable kernels_v4;

namespace FETTLE_TIER {

// How the CPU runs a kernel: unit by unit, unless the family's driver knows better.
template <class Kernel>
struct CpuKernel {
  static inline __attribute__((always_inline)) void range(const fettle_call& call, int64_t first, int64_t last) {
    for (int64_t unit = first; unit < last; unit++) Kernel::unit(call, unit);
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
