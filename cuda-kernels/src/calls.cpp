// Calls of kernels on a device: the table of all of them, and the launch.
#include "answer.h"
#include "device_memory.h"
#include "launcher.h"
#include "tables.cuh"
#include "unit_kernel.h"

#include <string.h>

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

uintptr_t alignmentOf(int64_t dtype) {
  switch (dtype) {
    case FETTLE_F32:
    case FETTLE_I32:
      return 4;
    case FETTLE_BF16:
    case FETTLE_F16:
      return 2;
    case FETTLE_I64:
    case FETTLE_F64:
      return 8;
    default:
      return 1;
  }
}

// What array 1 holds where its elements are moved 16 bytes at a time, whatever its dtype; null for all others.
const char* movedBy16(const Entry& entry) {
  if (strcmp(entry.id, "semi24_half_product") == 0) return "words of codes";
  return strcmp(entry.id, "product_pack") == 0 || strcmp(entry.id, "integer_product") == 0 ? "panels" : nullptr;
}

int32_t checkCall(const fettle_call* call, int device, Reason reason) {
  if (call == nullptr || call->size != int64_t(sizeof *call) || call->units < 0) {
    return FETTLE_REFUSE(reason, "call is null or of another size, or has a negative number of units");
  }
  if (call->kernel < 0 || call->kernel >= entryCount) {
    return FETTLE_REFUSE(reason, "kernel %lld is not in the registry", static_cast<long long>(call->kernel));
  }
  const Entry& entry = entries[call->kernel];
  if (entry.find == nullptr) {
    explain(reason.text, reason.bytes, "kernel %s has no CUDA driver", entry.id);
    return FETTLE_UNAVAILABLE;
  }
  for (int i = 0; i < FETTLE_CALL_SLOTS; i++) {
    if (call->elements[i] == 0) continue;
    const void* const array = call->array[i];
    if (array == nullptr || reinterpret_cast<uintptr_t>(array) % alignmentOf(call->dtype[i]) != 0 ||
        !reachable(array, device)) {
      return FETTLE_REFUSE(reason, "array %d at %p is not aligned memory of device %d", i, array, device);
    }
    const char* const moved = i == 1 ? movedBy16(entry) : nullptr;
    if (moved != nullptr && reinterpret_cast<uintptr_t>(array) % 16 != 0) {
      return FETTLE_REFUSE(reason, "kernel %s: the %s (array 1) are at %p, which is no multiple of 16", entry.id, moved,
                           array);
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
