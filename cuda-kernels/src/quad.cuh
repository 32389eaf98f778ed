// Four neighbouring elements of an array: what a thread holds at a time. One Philox call serves a quad.
//
// Loading and decoding are apart, so that a thread has the loads of all its arrays in flight before it waits for the
// first. The format is the same for a whole warp, so a switch over it costs no divergence. A quad is accessed at
// once where its address allows, else element by element; the values are the same.
#pragma once

#include "core/formats.h"
#include "core/noise.h"
#include "core/prologue.h"
#include "tables.cuh"

namespace fettle {
namespace FETTLE_TIER {

constexpr int quadElements = 4;

struct Quad {
  float value[quadElements];
};

// Which elements of a quad there are: from .. to - 1. All but the first and the last quad of a span are whole.
struct Part {
  int from;
  int to;
  FETTLE_INLINE bool whole() const { return from == 0 && to == quadElements; }
  FETTLE_INLINE bool holds(int k) const { return k >= from && k < to; }
};

// Bit k: whether a pruning mask keeps element `element + k`, of those that there are.
FETTLE_DEVICE unsigned keptBits(const uint8_t* mask, int64_t element, Part part) {
  if (element % quadElements == 0 && part.from < part.to) {
    return unsigned(__ldca(mask + element / 8)) >> unsigned(element % 8) & 15u;
  }
  unsigned kept = 0;
  FETTLE_UNROLL
  for (int k = 0; k < quadElements; k++) {
    if (part.holds(k)) kept |= (unsigned(__ldca(mask + (element + k) / 8)) >> unsigned((element + k) % 8) & 1u) << k;
  }
  return kept;
}

// +0 where an element is not kept, whatever stood there.
FETTLE_DEVICE void applyMask(unsigned kept, Quad& quad) {
  FETTLE_UNROLL
  for (int k = 0; k < quadElements; k++) quad.value[k] = (kept >> k & 1u) != 0 ? quad.value[k] : 0.0f;
}

// A quad as it is stored: four words of f32, or two words of two codes each.
struct Raw {
  uint32_t word[quadElements];
};

// The addresses come out of tables, where the compiler cannot see that they are global memory: these say so.
template <class T>
FETTLE_DEVICE T loadGlobal(const T* from) {
  return __ldca(from);
}

template <class T>
FETTLE_DEVICE void storeGlobal(T* to, T value) {
  __stwb(to, value);
}

FETTLE_DEVICE bool aligned(const void* address, unsigned bytes) {
  return (reinterpret_cast<uintptr_t>(address) & (bytes - 1u)) == 0;
}

FETTLE_DEVICE Raw loadWords(const uint32_t* from, Part part) {
  Raw raw = {};
  if (part.whole() && aligned(from, 16)) {
    const uint4 words = loadGlobal(reinterpret_cast<const uint4*>(from));
    raw = {{words.x, words.y, words.z, words.w}};
  } else {
    FETTLE_UNROLL
    for (int k = 0; k < quadElements; k++) {
      if (part.holds(k)) raw.word[k] = loadGlobal(from + k);
    }
  }
  return raw;
}

FETTLE_DEVICE Raw loadCodes(const uint16_t* from, Part part) {
  Raw raw = {};
  if (part.whole() && aligned(from, 8)) {
    const uint2 words = loadGlobal(reinterpret_cast<const uint2*>(from));
    raw.word[0] = words.x;
    raw.word[1] = words.y;
  } else {
    FETTLE_UNROLL
    for (int k = 0; k < quadElements; k++) {
      if (part.holds(k)) raw.word[k / 2] |= uint32_t(loadGlobal(from + k)) << (16 * (k % 2));
    }
  }
  return raw;
}

// The first `bytes` of four bytes from any address, the first in the low bits; the others are zero.
FETTLE_DEVICE uint32_t loadBytes(const uint8_t* from, int bytes) {
  if (bytes == 4 && aligned(from, 4)) return loadGlobal(reinterpret_cast<const uint32_t*>(from));
  if (bytes == 2 && aligned(from, 2)) return loadGlobal(reinterpret_cast<const uint16_t*>(from));
  uint32_t word = 0;
  FETTLE_UNROLL
  for (int k = 0; k < 4; k++) {
    if (k < bytes) word |= uint32_t(loadGlobal(from + k)) << (8 * k);
  }
  return word;
}

FETTLE_DEVICE void storeBytes(uint8_t* to, int bytes, uint32_t word) {
  if (bytes == 4 && aligned(to, 4)) {
    storeGlobal(reinterpret_cast<uint32_t*>(to), word);
  } else if (bytes == 2 && aligned(to, 2)) {
    storeGlobal(reinterpret_cast<uint16_t*>(to), uint16_t(word));
  } else {
    FETTLE_UNROLL
    for (int k = 0; k < 4; k++) {
      if (k < bytes) storeGlobal(to + k, uint8_t(word >> (8 * k)));
    }
  }
}

// Four elements from `element` on, as far as there are any; the others are zero.
FETTLE_DEVICE Raw loadRaw(const fettle_operand& operand, int64_t element, Part part) {
  if (operand.dtype == FETTLE_F32) return loadWords(static_cast<const uint32_t*>(operand.data) + element, part);
  return loadCodes(static_cast<const uint16_t*>(operand.data) + element, part);
}

// Which of the four elements at `at` exist, of n.
FETTLE_DEVICE Part partIn(int64_t at, int64_t n) {
  const int64_t left = n - at;
  return {0, left <= 0 ? 0 : (left < quadElements ? int(left) : quadElements)};
}

// The device's f16 conversions round as formats.h does and cost one instruction; a NaN's code is made canonical.
FETTLE_DEVICE float decodeF16(uint16_t code) {
#if defined(__CUDA_ARCH__)
  float x;
  asm("cvt.f32.f16 %0, %1;" : "=f"(x) : "h"(code));
  return x;
#else
  return F16::decode(code);
#endif
}

FETTLE_DEVICE uint16_t nearestF16(float x) {
#if defined(__CUDA_ARCH__)
  uint16_t code;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(code) : "f"(x));
  return x == x ? code : uint16_t(0x7E00u);
#else
  return F16::nearest(x);
#endif
}

FETTLE_DEVICE Quad decode(const Raw& raw, int64_t dtype) {
  Quad quad;
  FETTLE_UNROLL
  for (int k = 0; k < quadElements; k++) {
    const uint16_t code = uint16_t(raw.word[k / 2] >> (16 * (k % 2)));
    if (dtype == FETTLE_F32) {
      quad.value[k] = floatOf(raw.word[k]);
    } else if (dtype == FETTLE_BF16) {
      quad.value[k] = Bf16::decode(code);
    } else {
      quad.value[k] = decodeF16(code);
    }
  }
  return quad;
}

FETTLE_DEVICE void storeWords(uint32_t* to, Part part, const Quad& quad) {
  if (part.whole() && aligned(to, 16)) {
    const uint4 words = {bitsOf(quad.value[0]), bitsOf(quad.value[1]), bitsOf(quad.value[2]), bitsOf(quad.value[3])};
    storeGlobal(reinterpret_cast<uint4*>(to), words);
  } else {
    FETTLE_UNROLL
    for (int k = 0; k < quadElements; k++) {
      if (part.holds(k)) storeGlobal(to + k, bitsOf(quad.value[k]));
    }
  }
}

FETTLE_DEVICE void storeCodes(uint16_t* to, Part part, const uint16_t* codes) {
  if (part.whole() && aligned(to, 8)) {
    const uint2 words = {uint32_t(codes[0]) | uint32_t(codes[1]) << 16, uint32_t(codes[2]) | uint32_t(codes[3]) << 16};
    storeGlobal(reinterpret_cast<uint2*>(to), words);
  } else {
    FETTLE_UNROLL
    for (int k = 0; k < quadElements; k++) {
      if (part.holds(k)) storeGlobal(to + k, codes[k]);
    }
  }
}

struct Codes {
  uint16_t code[quadElements];
};

// A function of its own: a kernel calls it for each of its arrays, and inlined everywhere it would be a third of all code.
FETTLE_DEVICE_CALLED Codes stochasticCodes(Noise noise, uint64_t number, bool brain, Quad quad) {
  Codes codes;
  const Words words = wordsOf(noise, number);
  FETTLE_UNROLL
  for (int k = 0; k < quadElements; k++) {
    const float x = quad.value[k];
    codes.code[k] = brain ? Bf16::stochastic(x, words.word[k]) : F16::stochastic(x, words.word[k]);
  }
  return codes;
}

// Encodes and stores four elements from `element` on, a multiple of 4, as far as there are any.
// The random words are formed only where they are asked for; t is already that of the step being taken.
FETTLE_DEVICE void storeQuad(const fettle_plan& plan, const fettle_tensor& tensor, const fettle_operand& operand,
                             int purpose, int64_t element, Part part, const Quad& quad) {
  if (operand.dtype == FETTLE_F32) {
    storeWords(static_cast<uint32_t*>(operand.data) + element, part, quad);
    return;
  }
  const bool brain = operand.dtype == FETTLE_BF16;
  uint16_t codes[quadElements];
  if (operand.rounding == FETTLE_STOCHASTIC) {
    const Codes drawn =
        stochasticCodes(noiseOf(plan, tensor, tensor.step, purpose), uint64_t(element) / quadElements, brain, quad);
    FETTLE_UNROLL
    for (int k = 0; k < quadElements; k++) codes[k] = drawn.code[k];
  } else {
    FETTLE_UNROLL
    for (int k = 0; k < quadElements; k++) {
      codes[k] = brain ? Bf16::nearest(quad.value[k]) : nearestF16(quad.value[k]);
    }
  }
  storeCodes(static_cast<uint16_t*>(operand.data) + element, part, codes);
}

}  // namespace FETTLE_TIER
}  // namespace fettle
