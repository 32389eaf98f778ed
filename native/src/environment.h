// The floating-point environment of a native call.
#pragma once

#include <immintrin.h>

namespace fettle {

// The default environment for a call: nearest, no flushing, exceptions masked. Another library may have
// changed it on this thread; what was found is put back.
class Environment {
 public:
  Environment() : found(_mm_getcsr()) {
    if ((found & ~statusBits) != defaults) _mm_setcsr(defaults);
  }
  ~Environment() {
    if ((found & ~statusBits) != defaults) _mm_setcsr(found);
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  static constexpr unsigned statusBits = 0x3F;
  static constexpr unsigned defaults = 0x1F80;
  unsigned found;
};

}  // namespace fettle
