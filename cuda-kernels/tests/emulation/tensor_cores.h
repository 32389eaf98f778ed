// Tensor cores and asynchronous copies in plain C++, written from the PTX ISA's tables and not from the kernels.
#pragma once

#include <stdint.h>

namespace emulation {

// mma.m16n8k32.row.col.s32.s8.s8.s32.
void multiplyAdd(int32_t (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]);

// mma.sp::ordered_metadata.m16n8k32.row.col.f32.{bf16,f16}.{bf16,f16}.f32: the codes of threads 2 selector and 2 selector + 1 of
// every four. Aborts at positions that do not ascend, which the ISA leaves undefined.
void multiplyAddSparse(bool bf16, float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[4], uint32_t codes, int selector);

// ldmatrix.m8n8.x4.b16.
void loadMatrices(uint32_t (&to)[4], const void* row);

// Nothing arrives before it is waited for, so that a missing wait is seen.
void copyAsync(void* to, const void* from, int size, bool exists);
void commitCopies();
void waitForCopies(int left);

}  // namespace emulation
