// What the CUDA library says about itself and about the devices.
#include <string.h>

#include "answer.h"
#include "build_id.h"

using fettle::answer;
using fettle::Reason;

namespace {

constexpr int oldestMajor = 8;

cudaError_t attribute(int64_t* value, cudaDeviceAttr which, int32_t device) {
  int found = 0;
  const cudaError_t error = cudaDeviceGetAttribute(&found, which, device);
  *value = found;
  return error;
}

}  // namespace

extern "C" {

int32_t fettle_cuda_abi_version(void) { return FETTLE_ABI_VERSION; }

const char* fettle_cuda_build_id(void) { return FETTLE_BUILD_ID; }

int32_t fettle_cuda_device_count(int32_t* count, char* reason, int64_t reason_bytes) {
  if (count == nullptr) return FETTLE_REFUSE((Reason{reason, reason_bytes}), "count is null");
  *count = 0;
  int found = 0;
  const cudaError_t error = cudaGetDeviceCount(&found);
  if (error == cudaSuccess) *count = found;
  return answer(error, "cudaGetDeviceCount", {reason, reason_bytes});
}

int32_t fettle_cuda_device_info(int32_t device, fettle_cuda_device* info, char* reason, int64_t reason_bytes) {
  const Reason why = {reason, reason_bytes};
  if (info == nullptr || info->size != int64_t(sizeof *info)) {
    return FETTLE_REFUSE(why, "info is null or of another size");
  }
  cudaDeviceProp properties;
  cudaError_t error = cudaGetDeviceProperties(&properties, device);
  if (error != cudaSuccess) return answer(error, "cudaGetDeviceProperties", why);
  int driver = 0;
  int runtime = 0;
  error = cudaDriverGetVersion(&driver);
  if (error == cudaSuccess) error = cudaRuntimeGetVersion(&runtime);
  if (error == cudaSuccess) error = attribute(&info->compute_major, cudaDevAttrComputeCapabilityMajor, device);
  if (error == cudaSuccess) error = attribute(&info->compute_minor, cudaDevAttrComputeCapabilityMinor, device);
  if (error == cudaSuccess) error = attribute(&info->multiprocessors, cudaDevAttrMultiProcessorCount, device);
  if (error != cudaSuccess) return answer(error, "cudaDeviceGetAttribute", why);
  info->memory_bytes = int64_t(properties.totalGlobalMem);
  info->driver_version = driver;
  info->runtime_version = runtime;
  static_assert(sizeof info->name <= sizeof properties.name, "a device's name fits");
  memcpy(info->name, properties.name, sizeof info->name);
  info->name[sizeof info->name - 1] = '\0';
  if (info->compute_major < oldestMajor) {
    fettle::explain(reason, reason_bytes, "%s has compute capability %d.%d, needed is %d.0", info->name,
                    int(info->compute_major), int(info->compute_minor), oldestMajor);
    return FETTLE_UNAVAILABLE;
  }
  return FETTLE_OK;
}
}
