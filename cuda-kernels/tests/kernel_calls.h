// Calls of kernels on emulated device memory, and the same by the plain loops of the shared headers.
#pragma once

#include <stdio.h>
#include <string.h>

#include "cuda_runtime.h"
#include "fettle/cuda.h"
#include "twin_plan.h"

namespace test {

inline int64_t kernelOf(const char* id) {
  for (int32_t kernel = 0; fettle_kernel_id(kernel) != nullptr; kernel++) {
    if (strcmp(fettle_kernel_id(kernel), id) == 0) return kernel;
  }
  return -1;
}

inline fettle_call callOf(const char* id, int64_t units) {
  fettle_call call = {};
  call.size = int64_t(sizeof call);
  call.kernel = kernelOf(id);
  call.units = units;
  return call;
}

// Device memory that starts `skew` bytes behind an aligned address and ends where it must.
class Memory {
 public:
  Memory(int64_t bytes, int64_t skew) : offset(skew), size(bytes) {
    void* memory = nullptr;
    cudaMalloc(&memory, size_t(bytes + skew > 0 ? bytes + skew : 1));
    base = static_cast<char*>(memory);
    memset(base, 0x5A, size_t(bytes + skew));
  }
  ~Memory() { cudaFree(base); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  char* data() const { return base + offset; }
  void draw(Random& random) {
    for (int64_t i = 0; i < size; i++) data()[i] = char(random.next());
  }
  void drawFloats(Random& random) {
    for (int64_t i = 0; i < size / 4; i++) {
      const float x = float(random.below(2001) - 1000) / 777.0f;
      memcpy(data() + 4 * i, &x, 4);
    }
  }
  bool same(const Memory& other) const { return memcmp(data(), other.data(), size_t(size)) == 0; }

 private:
  char* base;
  int64_t offset;
  int64_t size;
};

inline void setArray(fettle_call& call, int slot, const Memory& memory, int64_t dtype, int64_t elements) {
  call.array[slot] = memory.data();
  call.dtype[slot] = dtype;
  call.elements[slot] = elements;
}

template <class Kernel>
void runPlain(const fettle_call& call) {
  for (int64_t unit = 0; unit < call.units; unit++) Kernel::unit(call, unit);
}

inline bool runDevice(const fettle_call& call) {
  char reason[256] = "";
  const bool done = fettle_cuda_kernel_run(0, &call, nullptr, reason, sizeof reason) == FETTLE_OK;
  if (!done) printf("%s\n", reason);
  return done;
}

}  // namespace test
