// Tensor cores and asynchronous copies in plain C++, written from the PTX ISA's tables and not from the kernels.
#pragma once

#include <stdint.h>

namespace emulation {

// mma.m16n8k32.row.col.s32.s8.s8.s32.
void multiplyAdd(int32_t (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]);

// Nothing arrives before it is waited for, so that a missing wait is seen.
void copyAsync(void* to, const void* from, int size, bool exists);
void commitCopies();
void waitForCopies(int left);

}  // namespace emulation
