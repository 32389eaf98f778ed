// Block-wise formats on the device: quads of codes between memory and registers. The arithmetic is core/blocks.h's.
#pragma once

#include "core/blocks.h"
#include "quad.cuh"

namespace fettle {
namespace FETTLE_TIER {

// A blocked operand from the start of a chunk on.
struct BlockPlace {
  uint8_t* codes;
  float* scales;
  int shift;  // a block has 2^shift elements
  int bits;   // of a code
};

// As blocksAt, for a block size that is a power of two.
FETTLE_DEVICE BlockPlace placeOf(const fettle_tensor& tensor, const fettle_operand& operand, const ChunkSpan& span) {
  const int shift = int(exponentOf(float(operand.block_size)));
  const int bits = bitsOfCode(operand.dtype);
  const int64_t length = tensor.row_length;
  const int64_t within = span.first - span.row * length;
  const int64_t rowBytes = bits == 8 ? length : (length + 1) / 2;
  const int64_t rowBlocks = (length + operand.block_size - 1) >> shift;
  return {static_cast<uint8_t*>(operand.data) + span.row * rowBytes + within * bits / 8,
          static_cast<float*>(operand.scales) + span.row * rowBlocks + (within >> shift), shift, bits};
}

FETTLE_DEVICE int bytesOfCodes(int elements, int bits) { return (elements * bits + 7) / 8; }

// The codes of elements offset .. offset + 3 of a chunk, as far as there are any; offset is a multiple of 4.
FETTLE_DEVICE uint32_t loadCodeWord(const BlockPlace& place, int offset, Part part) {
  return loadBytes(place.codes + offset * place.bits / 8, bytesOfCodes(part.to, place.bits));
}

FETTLE_DEVICE void storeCodeWord(const BlockPlace& place, int offset, Part part, uint32_t word) {
  storeBytes(place.codes + offset * place.bits / 8, bytesOfCodes(part.to, place.bits), word);
}

// Of two codes in a byte the first is in the high half.
FETTLE_DEVICE int positionOf(int k, int bits) { return bits == 8 ? 8 * k : 8 * (k / 2) + (k % 2 == 0 ? 4 : 0); }

FETTLE_DEVICE int codeIn(uint32_t word, int k, int bits) {
  return int(word >> positionOf(k, bits) & (bits == 8 ? 255u : 15u));
}

// A quad of codes as it is stored, and the bits of its block's scale where all four have one.
FETTLE_DEVICE Raw loadBlocked(const BlockPlace& place, int offset, Part part) {
  Raw raw = {{loadCodeWord(place, offset, part), 0, 0, 0}};
  if (place.shift >= 2 && part.to > 0) raw.word[1] = bitsOf(loadGlobal(place.scales + (offset >> place.shift)));
  return raw;
}

// A quad of a state as it is stored, from element `offset` of the chunk on. `blocks`: whether it may be stored by blocks.
template <bool blocks>
FETTLE_DEVICE Raw loadState(const fettle_tensor& tensor, const fettle_operand& state, const ChunkSpan& span, int offset,
                            Part part) {
  if constexpr (blocks) {
    if (isBlocked(state)) return loadBlocked(placeOf(tensor, state, span), offset, part);
  }
  return loadRaw(state, span.first + offset, part);
}

FETTLE_DEVICE int codeOf(const BlockPlace& place, const Raw& raw, int k) { return codeIn(raw.word[0], k, place.bits); }

// Of element offset + k, which exists.
FETTLE_DEVICE float scaleAt(const BlockPlace& place, const Raw& raw, int offset, int k) {
  return place.shift >= 2 ? floatOf(raw.word[1]) : loadGlobal(place.scales + ((offset + k) >> place.shift));
}

struct DecodeCode {
  float code;
  float* value;
  template <class Codec>
  FETTLE_INLINE void operator()(Codec) const {
    *value = Codec::decode(code);
  }
};

// What a code stands for in a block whose scale is 1. Out of line: it is called for every format there is.
FETTLE_DEVICE_CALLED float decodeCode(int64_t dtype, int code) {
  float value = 0.0f;
  withCodec(dtype, DecodeCode{float(code), &value});
  return value;
}

// A quad's codes and what their block stores as its scale.
struct Encoded {
  uint32_t word;
  float scale;
};

struct EncodeQuad {
  float largest;
  bool whole;
  const Quad* quad;
  Encoded* encoded;
  template <class Codec>
  FETTLE_INLINE void operator()(Codec) const {
    const bool finite = isFinite(bitsOf(largest));
    const BlockScale by = Codec::scaleOf(finite ? largest : 0.0f, whole);
    encoded->scale = finite ? by.stored : floatOf(0x7FC00000u);
    encoded->word = 0;
    for (int k = 0; k < quadElements; k++) {
      const float x = quad->value[k];
      const float scaled = by.divides ? x / by.factor : x * by.factor;
      const float code = Codec::encode(finite ? scaled : 0.0f);
      encoded->word |= uint32_t(code) << positionOf(k, codeBits<Codec>);
    }
  }
};

// A quad of a block with that largest magnitude. What does not exist is 0 in the quad.
FETTLE_DEVICE_CALLED Encoded encodeQuad(int64_t dtype, float largest, bool whole, Quad quad) {
  Encoded encoded = {};
  withCodec(dtype, EncodeQuad{largest, whole, &quad, &encoded});
  return encoded;
}

// A quad of values by arithmetic: for kernels that have no table of them.
FETTLE_DEVICE Quad decodeBlocked(const fettle_operand& operand, const BlockPlace& place, const Raw& raw, int offset,
                                 Part part) {
  Quad quad = {};
  FETTLE_UNROLL
  for (int k = 0; k < quadElements; k++) {
    if (!part.holds(k)) continue;
    quad.value[k] = decodeCode(operand.dtype, codeOf(place, raw, k)) * scaleAt(place, raw, offset, k);
  }
  return quad;
}

// Magnitudes as integers, which are ordered as the floats are, NaN above all.
FETTLE_DEVICE unsigned magnitudeOf(float x) { return bitsOf(x) & 0x7FFFFFFFu; }

FETTLE_DEVICE unsigned largestIn(const Quad& quad) {
  unsigned largest = 0;
  FETTLE_UNROLL
  for (int k = 0; k < quadElements; k++) {
    const unsigned magnitude = magnitudeOf(quad.value[k]);
    largest = magnitude > largest ? magnitude : largest;
  }
  return largest;
}

// A quad of blocks of one or two elements.
FETTLE_DEVICE_CALLED void storeShortBlocks(int64_t dtype, BlockPlace place, int offset, Part part, int n, Quad quad) {
  const int size = 1 << place.shift;
  uint32_t word = 0;
  for (int block = 0; block < part.to; block += size) {
    Quad own = {};
    uint32_t bits = 0;
    for (int k = 0; k < quadElements; k++) {
      if (k < block || k >= block + size) continue;
      own.value[k] = quad.value[k];
      bits |= (place.bits == 8 ? 255u : 15u) << positionOf(k, place.bits);
    }
    const bool whole = offset + block + size <= n;
    const Encoded encoded = encodeQuad(dtype, floatOf(largestIn(own)), whole, own);
    word |= encoded.word & bits;
    storeGlobal(place.scales + ((offset + block) >> place.shift), encoded.scale);
  }
  storeCodeWord(place, offset, part, word);
}

// The largest over groups of `lanes` neighbouring threads of a warp, a power of two.
FETTLE_DEVICE unsigned largestOfLanes(unsigned mine, int lanes) {
  if (lanes == warpThreads) return __reduce_max_sync(fullWarp, mine);
  for (int apart = 1; apart < lanes; apart *= 2) {
    const unsigned other = __shfl_xor_sync(fullWarp, mine, apart);
    mine = other > mine ? other : mine;
  }
  return mine;
}

}  // namespace FETTLE_TIER
}  // namespace fettle
