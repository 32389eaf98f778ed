// Memory of a device: what a caller may hand over, and how tables share one allocation.
#pragma once

#include <cuda_runtime.h>
#include <stdint.h>

namespace fettle {

// Device memory of that device, or memory that every device reaches.
inline bool reachable(const void* address, int64_t device) {
  cudaPointerAttributes attributes;
  if (cudaPointerGetAttributes(&attributes, address) != cudaSuccess) {
    (void)cudaGetLastError();
    return false;
  }
  if (attributes.type == cudaMemoryTypeUnregistered) return false;
  return attributes.type != cudaMemoryTypeDevice || attributes.device == int(device);
}

// The place of so many bytes in an allocation that is filled up to `at`.
inline int64_t place(int64_t& at, int64_t bytes) {
  constexpr int64_t alignment = 256;
  const int64_t here = at;
  at = (at + bytes + alignment - 1) / alignment * alignment;
  return here;
}

// Copies tables to a device and waits until they are there: memory that is not pinned may still be on its way when the copy
// returns, and a stream of the caller's need not wait for the default one.
inline cudaError_t copyTables(void* to, const void* from, int64_t bytes) {
  const cudaError_t error = cudaMemcpy(to, from, size_t(bytes), cudaMemcpyHostToDevice);
  return error != cudaSuccess ? error : cudaStreamSynchronize(nullptr);
}

}  // namespace fettle
