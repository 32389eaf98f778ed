// What lets one header compile for every CPU tier and for CUDA.
//
// Everything of the shared headers lives in fettle::FETTLE_TIER and is always inlined, so that no tier's
// instructions can leak into another tier's objects through a merged symbol.
#pragma once

#include <stdint.h>

#ifndef FETTLE_TIER
#define FETTLE_TIER base
#endif

#if defined(__CUDACC__)
#define FETTLE_FN static __host__ __device__ __forceinline__
#define FETTLE_INLINE __host__ __device__ __forceinline__
#else
#define FETTLE_FN static inline __attribute__((always_inline))
#define FETTLE_INLINE inline __attribute__((always_inline))
// Behind the parameters of a lambda.
#define FETTLE_LAMBDA __attribute__((always_inline))
#endif
