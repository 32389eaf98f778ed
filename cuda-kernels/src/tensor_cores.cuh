// Products of fragments on the tensor cores, and copies to shared memory that run on their own. One warp holds a fragment;
// where each element lies is the PTX ISA's ("Matrix Fragments for mma"). The emulation repeats both in plain C++.
#pragma once

#include "tables.cuh"

#if !defined(__CUDACC__)
#include "tensor_cores.h"
#endif

namespace fettle {
namespace FETTLE_TIER {

// c += a b for a 16 x 32, b 32 x 8, s8; sums wrap.
FETTLE_DEVICE void multiplyAdd(int32_t (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
#if defined(__CUDACC__)
  asm volatile(
      "mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
  emulation::multiplyAdd(c, a, b);
#endif
}

// Starts to copy `size` bytes, 4 or 16, to shared memory; zeros where `exists` is false, and then `from` is not read.
template <int size>
FETTLE_DEVICE void copyAsync(void* to, const void* from, bool exists) {
  static_assert(size == 4 || size == 16, "what the hardware copies");
#if defined(__CUDACC__)
  const unsigned address = unsigned(__cvta_generic_to_shared(to));
  const int bytes = exists ? size : 0;
  if constexpr (size == 16) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(address), "l"(from), "r"(bytes) : "memory");
  } else {
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(address), "l"(from), "r"(bytes) : "memory");
  }
#else
  emulation::copyAsync(to, from, size, exists);
#endif
}

// Ends a group of copies.
FETTLE_DEVICE void commitCopies() {
#if defined(__CUDACC__)
  asm volatile("cp.async.commit_group;" ::: "memory");
#else
  emulation::commitCopies();
#endif
}

// Waits for this thread's groups but the latest `left`; a barrier makes them visible to the others.
template <int left>
FETTLE_DEVICE void waitForCopies() {
#if defined(__CUDACC__)
  asm volatile("cp.async.wait_group %0;" ::"n"(left) : "memory");
#else
  emulation::waitForCopies(left);
#endif
}

}  // namespace FETTLE_TIER
}  // namespace fettle
