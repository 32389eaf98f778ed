// Calls of kernels on a device: the table of all of them, and the launch.
#include "answer.h"
#include "launcher.h"
#include "tables.cuh"
#include "unit_kernel.h"

namespace fettle {
namespace FETTLE_TIER {

// Weak: a family that has no driver in this folder leaves null here, and its kernels are refused.
#define FETTLE_KERNEL(id, ...) __attribute__((weak)) UnitKernel unitKernel_##id();
#include "fettle/kernels.def"
#undef FETTLE_KERNEL

}  // namespace FETTLE_TIER

namespace {

struct Entry {
  const char* id;
  FETTLE_TIER::UnitKernel (*find)();
};

const Entry entries[] = {
#define FETTLE_KERNEL(id, ...) {#id, FETTLE_TIER::unitKernel_##id},
#include "fettle/kernels.def"
#undef FETTLE_KERNEL
};
constexpr int64_t entryCount = sizeof entries / sizeof entries[0];

int32_t checkCall(const fettle_call* call, int device, Reason reason) {
  if (call == nullptr || call->size != int64_t(sizeof *call) || call->units < 0) {
    return FETTLE_REFUSE(reason, "call is null or of another size, or has a negative number of units");
  }
  if (call->kernel < 0 || call->kernel >= entryCount) {
    return FETTLE_REFUSE(reason, "kernel %lld is not in the registry", static_cast<long long>(call->kernel));
  }
  for (int i = 0; i < FETTLE_CALL_SLOTS; i++) {
    if (call->array[i] == nullptr || call->elements[i] == 0) continue;
    cudaPointerAttributes attributes;
    const cudaError_t error = cudaPointerGetAttributes(&attributes, call->array[i]);
    if (error != cudaSuccess) (void)cudaGetLastError();
    if (error != cudaSuccess || attributes.type == cudaMemoryTypeUnregistered ||
        (attributes.type == cudaMemoryTypeDevice && attributes.device != device)) {
      return FETTLE_REFUSE(reason, "array %d at %p is not memory of device %d", i, call->array[i], device);
    }
  }
  return FETTLE_OK;
}

}  // namespace

}  // namespace fettle

using fettle::DeviceScope;
using fettle::Reason;

extern "C" {

int32_t fettle_cuda_kernel_run(int32_t device, const fettle_call* call, void* stream, char* reason,
                               int64_t reason_bytes) {
  const Reason why = {reason, reason_bytes};
  const DeviceScope scope(device);
  if (scope.error != cudaSuccess) return fettle::answer(scope.error, "cudaSetDevice", why);
  const int32_t status = fettle::checkCall(call, int(device), why);
  if (status != FETTLE_OK) return status;
  const fettle::Entry& entry = fettle::entries[call->kernel];
  if (entry.find == nullptr) {
    fettle::explain(reason, reason_bytes, "kernel %s has no CUDA driver", entry.id);
    return FETTLE_UNAVAILABLE;
  }
  if (call->units == 0) return FETTLE_OK;
  int multiprocessors = 1;
  const cudaError_t error = cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, int(device));
  if (error != cudaSuccess) return fettle::answer(error, "cudaDeviceGetAttribute", why);
  const fettle::FETTLE_TIER::UnitKernel kernel = entry.find();
  constexpr unsigned most = fettle::FETTLE_TIER::mostThreads;
  // A thread per unit has long units: small blocks reach more multiprocessors.
  const unsigned threads = kernel.threadsPerUnit == 1 ? 64 : most;
  const int64_t perBlock = int64_t(threads) / kernel.threadsPerUnit;
  fettle::Launcher launcher(static_cast<cudaStream_t>(stream));
  launcher.launch(entry.id, kernel.run,
                  {fettle::blocksFor(call->units, perBlock, multiprocessors * int(most / threads)), threads}, *call);
  return fettle::answer(launcher.error, entry.id, why);
}
}
