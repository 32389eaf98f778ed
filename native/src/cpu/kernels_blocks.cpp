// Blocks of codes on the CPU: the formats of core/blocks.h by vectors, as in a step.
#include "cpu/block_codec.h"
#include "cpu/kernel_tier.h"
#include "kernels/blocks.h"

namespace fettle {
namespace FETTLE_TIER {

// A call's arrays as one row of a tensor. Blocks of more than 2^31 elements go the plain way.
template <>
struct CpuKernel<BlockEncode> {
  static inline __attribute__((always_inline)) void range(const fettle_call& call, int64_t first, int64_t last) {
    const int64_t bits = bitsOfCode(call.integer[1]);
    for (int64_t unit = first; unit < last; unit++) {
      const CallBlock block = CallBlock::of(call, unit);
      if (block.n > INT32_MAX) {
        BlockEncode::unit(call, unit);
        continue;
      }
      withCodec(call.integer[1], [&](auto codec) {
        using Codec = decltype(codec);
        encodeBlock<Codec, codeBits<Codec>>(arrayOf<const float>(call, 0) + block.first, int(block.n), block.whole,
                                            arrayOf<uint8_t>(call, 1) + block.first * bits / 8,
                                            arrayOf<float>(call, 2) + unit);
      });
    }
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle

#define FETTLE_FAMILY "fettle/kernels/blocks.def"
#include "cpu/kernel_family.h"
