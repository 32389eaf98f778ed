// A rule's loop over states that are all stored linearly in 8 bits: codes become floats in the registers of the update, and the
// largest magnitudes of the new states are taken as they leave it.
#pragma once

#include "cpu/block_codec.h"
#include "cpu/tile.h"

namespace fettle {
namespace FETTLE_TIER {

// Elements of a block at most; more have a tile of their own between decoding, update and encoding.
constexpr int64_t largestLinearBlock = 512;

// One state's codes and scales from a block's start on.
struct LinearState {
  uint8_t* codes;
  float* scales;
  bool positive;
};

// Both linear formats in one: (signed byte * cell + origin) * scale, where a positive map's bytes are 128 too high.
struct LinearDecoder {
  __m128i flip;
  Vector cell, origin;

  FETTLE_FN LinearDecoder of(bool positive) {
    return {_mm_set1_epi8(positive ? char(0x80) : char(0)), Vector(positive ? 1.0f / 256.0f : 1.0f),
            Vector(positive ? 129.0f / 256.0f : 0.0f)};
  }
  FETTLE_INLINE Vector value(const uint8_t* codes, Vector scale) const {
    const Lanes32 lanes = signedLanes(_mm_xor_si128(loadCodes<8>(codes, Vector::lanes), flip));
    return fma(toFloats(lanes), cell, origin) * scale;
  }
};

FETTLE_FN void encodeLinear(const LinearState& state, int64_t block, int64_t size, const float* from, Lanes32 largest) {
  uint8_t* codes = state.codes + block * size;
  const float magnitude = floatOf(uint32_t(largestLane(largest)));
  if (state.positive) {
    encodeBlock<LinearPositive<256, UnitScale>, 8>(from, int(size), magnitude, true, codes, state.scales + block);
  } else {
    encodeBlock<LinearSigned, 8>(from, int(size), magnitude, true, codes, state.scales + block);
  }
}

// Whole blocks of a bare tile of floats; the size of a block is a multiple of Vector::lanes.
template <class R>
static void updateLinear(const float* coefficients, const Tile& tile, const LinearState* states, int64_t size) {
  if constexpr (R::states > 0) {
    typename R::Coefficients c;
    memcpy(&c, coefficients, sizeof c);
    // A block is encoded behind the next one's update, so that its scale is there by then.
    alignas(64) float updated[2][R::states][largestLinearBlock + 16];
    Lanes32 largest[2][R::states];
    LinearDecoder decoders[R::states];
    for (int k = 0; k < R::states; k++) decoders[k] = LinearDecoder::of(states[k].positive);
    const int64_t blocks = tile.n / size;
    for (int64_t block = 0; block <= blocks; block++) {
      const int turn = int(block & 1);
      if (block < blocks) {
        Vector scales[R::states];
        Lanes32 most[R::states];
        for (int k = 0; k < R::states; k++) {
          scales[k] = Vector(states[k].scales[block]);
          most[k] = lanesOf(0);
        }
        for (int64_t i = 0; i < size; i += Vector::lanes) {
          const int64_t at = block * size + i;
          Vector p = loadFrom<FETTLE_F32>(tile.p, at);
          const Vector g = loadFrom<FETTLE_F32>(tile.g, at);
          Vector state[R::states];
          for (int k = 0; k < R::states; k++) state[k] = decoders[k].value(states[k].codes + at, scales[k]);
          R::update(c, p, g, state);
          storeTo<FETTLE_F32>(tile.p, at, p);
          for (int k = 0; k < R::states; k++) {
            state[k].store(updated[turn][k] + i);
            most[k] = largerOf(most[k], magnitudesOf(state[k]));
          }
        }
        for (int k = 0; k < R::states; k++) largest[turn][k] = most[k];
      }
      for (int k = 0; k < R::states && block > 0; k++) {
        encodeLinear(states[k], block - 1, size, updated[1 - turn][k], largest[1 - turn][k]);
      }
    }
  }
}

}  // namespace FETTLE_TIER
}  // namespace fettle
