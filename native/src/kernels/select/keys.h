// The order in which values are selected: integer keys, so that equal means equal bits and no flush mode matters.
// The Java twin is org.fettle.internal.Keys.
#pragma once

#include "kernels/kernel.h"

namespace fettle {
namespace FETTLE_TIER {

enum KeyKind { magnitudeKey = 0, signedKey = 1 };

// No value has this key: it stands for what takes no part.
constexpr int32_t noKey = INT32_MIN;

// Bits of a value as 32 bits; a format of 16 bits stands in the upper half.
template <int64_t dtype>
FETTLE_FN uint32_t bitsAt(const void* values, int64_t i) {
  if constexpr (dtype == FETTLE_F32) {
    uint32_t bits;
    memcpy(&bits, reinterpret_cast<const float*>(values) + i, sizeof bits);
    return bits;
  } else {
    return uint32_t(reinterpret_cast<const uint16_t*>(values)[i]) << 16;
  }
}

// Magnitudes above this are NaN.
template <int64_t dtype>
constexpr uint32_t infinityBits = dtype == FETTLE_F16 ? 0x7C000000u : 0x7F800000u;

// The largest key of a magnitude: every NaN has it.
template <int64_t dtype>
constexpr int32_t nanMagnitude = dtype == FETTLE_F16 ? 0x7E000000 : 0x7FC00000;

// Larger keys are selected first. Magnitudes: the bits without the sign. Signed: the order of the values, with -0 equal
// to +0 and NaN above infinity. Keys are compared as signed integers.
template <int64_t dtype>
FETTLE_FN int32_t keyOf(uint32_t bits, int64_t kind) {
  const uint32_t magnitude = bits & 0x7FFFFFFFu;
  const bool nan = magnitude > infinityBits<dtype>;
  if (kind == magnitudeKey) return nan ? nanMagnitude<dtype> : int32_t(magnitude);
  if (nan) return INT32_MAX;
  if (magnitude == 0) return 0;
  return int32_t(bits) < 0 ? int32_t(bits ^ 0x7FFFFFFFu) : int32_t(bits);
}

template <int64_t dtype>
FETTLE_FN int32_t keyAt(const void* values, int64_t i, int64_t kind) {
  return keyOf<dtype>(bitsAt<dtype>(values, i), kind);
}

// Whether a mask, or its complement, lets an element take part; no mask lets all.
FETTLE_FN bool takesPart(const uint8_t* mask, int64_t inverted, int64_t i) {
  return mask == nullptr || int64_t(mask[i / 8] >> (i % 8) & 1) != inverted;
}

// Runs Body<dtype>::unit for the format of array 0.
template <template <int64_t> class Body>
FETTLE_FN void byFormat(const fettle_call& call, int64_t unit) {
  if (call.dtype[0] == FETTLE_F32) {
    Body<FETTLE_F32>::unit(call, unit);
  } else if (call.dtype[0] == FETTLE_BF16) {
    Body<FETTLE_BF16>::unit(call, unit);
  } else {
    Body<FETTLE_F16>::unit(call, unit);
  }
}

}  // namespace FETTLE_TIER
}  // namespace fettle
