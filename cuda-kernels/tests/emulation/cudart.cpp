// The runtime as the JNI library of the CUDA preset binds to it: the emulated CUDA library's memory, and the streams of
// the emulated NCCL.
#include <fettle/cuda.h>
#include <stdint.h>
#include <string.h>

#include "libraries/failures.h"
#include "nccl.h"

namespace {

constexpr int success = 0;
constexpr int invalidValue = 1;
constexpr int outOfMemory = 2;
constexpr int invalidDevice = 101;
constexpr int notReady = 600;
thread_local int current = 0;

}  // namespace

extern "C" {

int cudaGetDeviceCount(int* count) {
  int32_t devices = 0;
  const int32_t status = fettle_cuda_device_count(&devices, nullptr, 0);
  *count = devices;
  return status == FETTLE_OK ? success : invalidDevice;
}

int cudaGetDevice(int* device) {
  FETTLE_EMULATED_CALL();
  *device = current;
  return success;
}

int cudaSetDevice(int device) {
  FETTLE_EMULATED_CALL();
  int count = 0;
  cudaGetDeviceCount(&count);
  if (device < 0 || device >= count) return invalidDevice;
  current = device;
  return success;
}

int cudaMalloc(void** memory, size_t bytes) {
  return fettle_cuda_allocate(current, int64_t(bytes), memory, nullptr, 0) == FETTLE_OK ? success : outOfMemory;
}

int cudaFree(void* memory) {
  return fettle_cuda_release(current, memory, nullptr, 0) == FETTLE_OK ? success : invalidValue;
}

int cudaMemset(void* memory, int value, size_t bytes) {
  return fettle_cuda_fill(current, memory, value, int64_t(bytes), nullptr, nullptr, 0) == FETTLE_OK ? success
                                                                                                    : invalidValue;
}

int cudaMemcpy(void* to, const void* from, size_t bytes, int) {
  memmove(to, from, bytes);
  return success;
}

int cudaStreamQuery(void*) { return emulated_nccl_pending() == 0 ? success : notReady; }

const char* cudaGetErrorName(int error) {
  switch (error) {
    case invalidValue: return "cudaErrorInvalidValue";
    case outOfMemory: return "cudaErrorMemoryAllocation";
    case invalidDevice: return "cudaErrorInvalidDevice";
    case notReady: return "cudaErrorNotReady";
    default: return "an error";
  }
}

}  // extern "C"
