// Every q-th element of an array, from the first on; elements of two or four bytes.
#pragma once

#include <string.h>

#include "kernels/kernel.h"

namespace fettle {
namespace FETTLE_TIER {

struct Slices {
  enum Array { to, from };
  enum Integer { count, every, size };

  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const int64_t first = unit * FETTLE_CHUNK;
    const int64_t last = first + FETTLE_CHUNK < call.integer[count] ? first + FETTLE_CHUNK : call.integer[count];
    const int64_t step = call.integer[every];
    if (call.integer[size] == 4) {
      float* out = arrayOf<float>(call, to);
      const float* in = arrayOf<float>(call, from);
      for (int64_t i = first; i < last; i++) out[i] = in[i * step];
    } else {
      char* out = arrayOf<char>(call, to);
      const char* in = arrayOf<char>(call, from);
      for (int64_t i = first; i < last; i++) memcpy(out + 2 * i, in + 2 * i * step, 2);
    }
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
