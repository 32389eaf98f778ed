// Philox4x32-10: counter-based random words, so that a bit depends on what it is for and not on who computes it.
//
// Source: Random123 (Salmon et al., SC 2011). Key: the plan's seed. Counter: element / 4, the tensor's step, the
// stream. Element e takes output word e mod 4.
#pragma once

#include "core/portable.h"

namespace fettle {
namespace FETTLE_TIER {

struct Words {
  uint32_t word[4];
};

FETTLE_FN Words philox(uint64_t seed, uint64_t quad, uint32_t step, uint32_t stream) {
  uint32_t c0 = uint32_t(quad), c1 = uint32_t(quad >> 32), c2 = step, c3 = stream;
  uint32_t k0 = uint32_t(seed), k1 = uint32_t(seed >> 32);
  for (int round = 0; round < 10; round++) {
    const uint64_t product0 = uint64_t(0xD2511F53u) * c0;
    const uint64_t product1 = uint64_t(0xCD9E8D57u) * c2;
    const uint32_t n0 = uint32_t(product1 >> 32) ^ c1 ^ k0;
    const uint32_t n2 = uint32_t(product0 >> 32) ^ c3 ^ k1;
    c0 = n0;
    c1 = uint32_t(product1);
    c2 = n2;
    c3 = uint32_t(product0);
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

}  // namespace FETTLE_TIER
}  // namespace fettle
