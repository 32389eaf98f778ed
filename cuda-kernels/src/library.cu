// What the CUDA library says about itself and about the devices.
#include <cuda_runtime.h>
#include <fettle/cuda.h>

#include <cstring>

#include "build_id.h"
#include "reason.h"

namespace {

// "Driver too old" and "no device" are ordinary answers of a machine without a usable GPU.
int32_t status_of(cudaError_t error) {
  switch (error) {
    case cudaSuccess: return FETTLE_OK;
    case cudaErrorNoDevice:
    case cudaErrorInsufficientDriver: return FETTLE_UNAVAILABLE;
    case cudaErrorMemoryAllocation: return FETTLE_OUT_OF_MEMORY;
    default: return FETTLE_CUDA_ERROR;
  }
}

int32_t answer(cudaError_t error, const char* call, char* reason, int64_t reason_bytes) {
  if (error != cudaSuccess) {
    fettle::explain(reason, reason_bytes, "%s: %s (%s)", call, cudaGetErrorName(error), cudaGetErrorString(error));
  }
  return status_of(error);
}

}  // namespace

int32_t fettle_cuda_abi_version(void) { return FETTLE_ABI_VERSION; }

const char* fettle_cuda_build_id(void) { return FETTLE_BUILD_ID; }

int32_t fettle_cuda_device_count(int32_t* count, char* reason, int64_t reason_bytes) {
  if (count == nullptr) return FETTLE_INVALID_ARGUMENT;
  *count = 0;
  int found = 0;
  const cudaError_t error = cudaGetDeviceCount(&found);
  if (error == cudaSuccess) *count = found;
  return answer(error, "cudaGetDeviceCount", reason, reason_bytes);
}

int32_t fettle_cuda_device_info(int32_t device, fettle_cuda_device* info, char* reason, int64_t reason_bytes) {
  if (info == nullptr || info->size != static_cast<int64_t>(sizeof *info)) return FETTLE_INVALID_ARGUMENT;
  cudaDeviceProp properties;
  int driver = 0;
  int runtime = 0;
  cudaError_t error = cudaGetDeviceProperties(&properties, device);
  if (error != cudaSuccess) return answer(error, "cudaGetDeviceProperties", reason, reason_bytes);
  error = cudaDriverGetVersion(&driver);
  if (error != cudaSuccess) return answer(error, "cudaDriverGetVersion", reason, reason_bytes);
  error = cudaRuntimeGetVersion(&runtime);
  if (error != cudaSuccess) return answer(error, "cudaRuntimeGetVersion", reason, reason_bytes);

  info->compute_major = properties.major;
  info->compute_minor = properties.minor;
  info->multiprocessors = properties.multiProcessorCount;
  info->memory_bytes = static_cast<int64_t>(properties.totalGlobalMem);
  info->driver_version = driver;
  info->runtime_version = runtime;
  static_assert(sizeof info->name <= sizeof properties.name, "a device's name fits");
  std::memcpy(info->name, properties.name, sizeof info->name);
  info->name[sizeof info->name - 1] = '\0';
  return FETTLE_OK;
}
