// How the CUDA library's functions answer: a status, and a text in the caller's buffer. Nothing is kept.
#pragma once

#include <cuda_runtime.h>

#include "fettle/cuda.h"
#include "reason.h"

namespace fettle {

// The caller's buffer for the reason.
struct Reason {
  char* text;
  int64_t bytes;
};

static inline int32_t statusOf(cudaError_t error) {
  switch (error) {
    case cudaSuccess: return FETTLE_OK;
    // Ordinary answers of a machine without a usable GPU.
    case cudaErrorNoDevice:
    case cudaErrorInsufficientDriver: return FETTLE_UNAVAILABLE;
    case cudaErrorMemoryAllocation: return FETTLE_OUT_OF_MEMORY;
    default: return FETTLE_CUDA_ERROR;
  }
}

// The status of a CUDA call, and where it failed its name and the error's.
static inline int32_t answer(cudaError_t error, const char* call, Reason reason) {
  if (error == cudaSuccess) return FETTLE_OK;
  // Taken away from the thread's record, so that nobody else is told of it as theirs.
  (void)cudaGetLastError();
  explain(reason.text, reason.bytes, "%s: %s (%s)", call, cudaGetErrorName(error), cudaGetErrorString(error));
  return statusOf(error);
}

#define FETTLE_REFUSE(reason, ...) \
  (fettle::explain((reason).text, (reason).bytes, __VA_ARGS__), FETTLE_INVALID_ARGUMENT)

// Makes a device the thread's current one and puts back what was.
class DeviceScope {
 public:
  explicit DeviceScope(int64_t device) {
    if (device < 0 || device > INT32_MAX) {
      error = cudaErrorInvalidDevice;
      return;
    }
    error = cudaGetDevice(&found);
    if (error != cudaSuccess || found == int(device)) return;
    error = cudaSetDevice(int(device));
    changed = error == cudaSuccess;
  }
  ~DeviceScope() {
    if (changed) (void)cudaSetDevice(found);
  }
  DeviceScope(const DeviceScope&) = delete;
  DeviceScope& operator=(const DeviceScope&) = delete;

  cudaError_t error = cudaSuccess;

 private:
  int found = 0;
  bool changed = false;
};

}  // namespace fettle
