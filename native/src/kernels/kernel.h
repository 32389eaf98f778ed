// What a kernel is made of. The Java twins are org.fettle.internal.JavaKernel's.
//
// A kernel is a struct with one function, which does one unit of the work:
//
//   static void unit(const fettle_call& call, int64_t unit)
//
// The CPU runs units in a loop, CUDA gives each to a thread. Where that leaves a loop scalar or accesses apart, the
// driver of the family specialises CpuKernel (native/src/cpu/kernels_FAMILY.cpp) or writes a CUDA kernel of its own.
#pragma once

#include "core/formats.h"
#include "core/numeric.h"
#include "core/portable.h"
#include "fettle/fettle.h"

namespace fettle {
namespace FETTLE_TIER {

// An array of a call as what it holds.
template <class T>
FETTLE_FN T* arrayOf(const fettle_call& call, int index) {
  return reinterpret_cast<T*>(call.array[index]);
}

FETTLE_FN int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

// Units of `size` elements that cover a number of elements; without the overflow of adding first.
FETTLE_FN int64_t unitsOf(int64_t elements, int64_t size) {
  return elements / size + (elements % size != 0 ? 1 : 0);
}

}  // namespace FETTLE_TIER
}  // namespace fettle
