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

// c += a b for a 16 x 32 with two of every four entries of a row kept, b 32 x 8, both of Format's 16 bits; sums in float.
// The threads that give the codes are the first or the second two of every four, as `selector` says.
template <class Format, int selector>
FETTLE_DEVICE void multiplyAddSparse(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[4], uint32_t codes) {
  static_assert(selector == 0 || selector == 1, "there are two pairs of threads");
#if defined(__CUDACC__)
#define FETTLE_SPARSE(type)                                                                                  \
  asm volatile("mma.sp::ordered_metadata.sync.aligned.m16n8k32.row.col.f32." type "." type                   \
               ".f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9, %10, %11}, {%0, %1, %2, %3}, %12, %13;"    \
               : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])                                              \
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "r"(b[2]), "r"(b[3]),     \
                 "r"(codes), "n"(selector))
  if constexpr (Format::isBf16) {
    FETTLE_SPARSE("bf16");
  } else {
    FETTLE_SPARSE("f16");
  }
#undef FETTLE_SPARSE
#else
  emulation::multiplyAddSparse(Format::isBf16, c, a, b, codes, selector);
#endif
}

// Four matrices of 8 x 8 elements of 16 bits from shared memory: thread 8 i + j names row j of matrix i, 16 bytes; what a
// thread gets of each is row lane / 4, elements 2 (lane % 4) and the next.
FETTLE_DEVICE void loadMatrices(uint32_t (&to)[4], const void* row) {
#if defined(__CUDACC__)
  const unsigned address = unsigned(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(address)
               : "memory");
#else
  emulation::loadMatrices(to, row);
#endif
}

// Starts to copy `size` bytes, 4 or 16, to shared memory; zeros where `exists` is false, and then `from` is not read.
template <int size>
FETTLE_DEVICE void copyAsync(void* to, const void* from, bool exists) {
  static_assert(size == 4 || size == 16, "what is needed of what the hardware copies");
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

// How many bytes of a row can be copied at once, of rows of `rowBytes` that begin at `base`: 16, 4, or 1 for none.
FETTLE_DEVICE int copyBytesOf(const void* base, int64_t rowBytes) {
  const uintptr_t together = reinterpret_cast<uintptr_t>(base) | uintptr_t(rowBytes);
  return together % 16 == 0 ? 16 : together % 4 == 0 ? 4 : 1;
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
