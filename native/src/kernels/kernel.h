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

// An element of an F32, BF16 or F16 array.
FETTLE_FN float valueAt(const fettle_call& call, int slot, int64_t index) {
  if (call.dtype[slot] == FETTLE_F32) return arrayOf<const float>(call, slot)[index];
  const uint16_t code = arrayOf<const uint16_t>(call, slot)[index];
  return call.dtype[slot] == FETTLE_BF16 ? Bf16::decode(code) : F16::decode(code);
}

// Rounded to nearest.
FETTLE_FN void putValue(const fettle_call& call, int slot, int64_t index, float value) {
  if (call.dtype[slot] == FETTLE_F32) {
    arrayOf<float>(call, slot)[index] = value;
  } else {
    arrayOf<uint16_t>(call, slot)[index] =
        call.dtype[slot] == FETTLE_BF16 ? Bf16::nearest(value) : F16::nearest(value);
  }
}

FETTLE_FN int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

// Units of `size` elements that cover a number of elements; without the overflow of adding first.
FETTLE_FN int64_t unitsOf(int64_t elements, int64_t size) {
  return elements / size + (elements % size != 0 ? 1 : 0);
}

}  // namespace FETTLE_TIER
}  // namespace fettle
