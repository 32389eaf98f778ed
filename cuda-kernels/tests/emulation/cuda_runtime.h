// CUDA without a GPU: as much of the language and of the runtime as the CUDA library uses, on the host.
//
// The library's own sources, kernels and drivers alike, are compiled by the host compiler against this header instead
// of the toolkit's. A block's threads run as fibers that meet at barriers and shuffles; blocks run one after the
// other in a shuffled order, and so do the threads between two barriers. Device memory is host memory. A stream runs
// what it is given at once, or records it while it is captured.
//
// What this shows: that the kernels compute what they should for any launch shape, in and out of bounds (under
// AddressSanitizer), that the drivers launch the right things, and that what passes through __ldca, __stwb or an
// asynchronous copy is aligned: it aborts where it is not. What it cannot show: races between blocks or without a
// barrier, memory order, alignment traps of other accesses, the device's signs of NaN and conversions out of range
// (here they are the host's), what the device's compiler makes of the code, speed.
#pragma once

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <functional>
#include <memory>

// The language.
#define __host__
#define __device__
#define __global__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __shared__ static

struct uint2 {
  unsigned x, y;
};
struct uint4 {
  unsigned x, y, z, w;
};
struct float4 {
  float x, y, z, w;
};
struct dim3 {
  unsigned x, y, z;
  dim3(unsigned across = 1) : x(across), y(1), z(1) {}
};

// Where the running fiber stands in its grid.
extern dim3 blockIdx, threadIdx, gridDim, blockDim;

namespace emulation {

// Barriers of the running fiber's block and warp.
void meetBlock();
void meetWarp();

// Where a warp's threads lay their values for each other.
constexpr int warpThreads = 32;
extern uint64_t exchange[1024];

inline uint64_t* slotsOfWarp() { return exchange + threadIdx.x / warpThreads * warpThreads; }

}  // namespace emulation

inline void __syncthreads() { emulation::meetBlock(); }
inline void __threadfence() {}

inline double __shfl_down_sync(unsigned, double value, unsigned down) {
  uint64_t* slots = emulation::slotsOfWarp();
  const unsigned lane = threadIdx.x % emulation::warpThreads;
  memcpy(&slots[lane], &value, sizeof value);
  emulation::meetWarp();
  double other = value;
  if (lane + down < emulation::warpThreads) memcpy(&other, &slots[lane + down], sizeof other);
  emulation::meetWarp();
  return other;
}

inline int __all_sync(unsigned, int value) {
  uint64_t* slots = emulation::slotsOfWarp();
  slots[threadIdx.x % emulation::warpThreads] = value != 0;
  emulation::meetWarp();
  int all = 1;
  for (int i = 0; i < emulation::warpThreads; i++) all &= slots[i] != 0;
  emulation::meetWarp();
  return all;
}

inline void __syncwarp() { emulation::meetWarp(); }

inline unsigned __shfl_xor_sync(unsigned, unsigned value, int apart) {
  uint64_t* slots = emulation::slotsOfWarp();
  const unsigned lane = threadIdx.x % emulation::warpThreads;
  slots[lane] = value;
  emulation::meetWarp();
  const unsigned other = unsigned(slots[lane ^ unsigned(apart)]);
  emulation::meetWarp();
  return other;
}

namespace emulation {

// What `choose` leaves of the values of a warp.
template <class T, class Choose>
T reduceWarp(T value, Choose choose) {
  uint64_t* slots = slotsOfWarp();
  slots[threadIdx.x % warpThreads] = uint64_t(value);
  meetWarp();
  T result = value;
  for (int i = 0; i < warpThreads; i++) result = choose(result, T(slots[i]));
  meetWarp();
  return result;
}

}  // namespace emulation

template <class T>
T __reduce_max_sync(unsigned, T value) {
  return emulation::reduceWarp(value, [](T a, T b) { return a < b ? b : a; });
}

template <class T>
T __reduce_min_sync(unsigned, T value) {
  return emulation::reduceWarp(value, [](T a, T b) { return a < b ? a : b; });
}

template <class T>
T atomicMax(T* address, T value) {
  const T old = *address;
  *address = old < value ? value : old;
  return old;
}

template <class T>
T atomicMin(T* address, T value) {
  const T old = *address;
  *address = old < value ? old : value;
  return old;
}

inline unsigned atomicAdd(unsigned* address, unsigned value) {
  const unsigned old = *address;
  *address = old + value;
  return old;
}

// A device traps a misaligned access: so does this.
namespace emulation {
void checkAlignment(const void* address, size_t bytes);
}

template <class T>
T __ldca(const T* from) {
  emulation::checkAlignment(from, sizeof(T));
  T value;
  memcpy(&value, from, sizeof value);
  return value;
}

template <class T>
void __stwb(T* to, T value) {
  emulation::checkAlignment(to, sizeof(T));
  memcpy(static_cast<void*>(to), &value, sizeof value);
}

// The runtime.
enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInvalidConfiguration = 9,
  cudaErrorInsufficientDriver = 35,
  cudaErrorNoDevice = 100,
  cudaErrorInvalidDevice = 101,
  cudaErrorLaunchFailure = 719
};
enum cudaMemcpyKind { cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToHost = 2, cudaMemcpyDefault = 4 };
enum cudaDeviceAttr {
  cudaDevAttrMultiProcessorCount = 16,
  cudaDevAttrComputeCapabilityMajor = 75,
  cudaDevAttrComputeCapabilityMinor = 76
};
enum cudaMemoryType { cudaMemoryTypeUnregistered = 0, cudaMemoryTypeHost = 1, cudaMemoryTypeDevice = 2 };
enum cudaStreamCaptureStatus { cudaStreamCaptureStatusNone = 0, cudaStreamCaptureStatusActive = 1 };
enum cudaStreamCaptureMode { cudaStreamCaptureModeThreadLocal = 1 };
constexpr unsigned cudaStreamNonBlocking = 1;

struct cudaPointerAttributes {
  cudaMemoryType type;
  int device;
};
struct cudaDeviceProp {
  char name[256];
  size_t totalGlobalMem;
};

using cudaStream_t = struct CUstream_st*;
using cudaEvent_t = struct CUevent_st*;
using cudaGraph_t = struct CUgraph_st*;
using cudaGraphExec_t = struct CUgraph_st*;

const char* cudaGetErrorName(cudaError_t error);
const char* cudaGetErrorString(cudaError_t error);
cudaError_t cudaGetLastError();
cudaError_t cudaGetDeviceCount(int* count);
cudaError_t cudaGetDevice(int* device);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device);
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device);
cudaError_t cudaDriverGetVersion(int* version);
cudaError_t cudaRuntimeGetVersion(int* version);
cudaError_t cudaDeviceSynchronize();
cudaError_t cudaMalloc(void** memory, size_t bytes);
cudaError_t cudaFree(void* memory);
cudaError_t cudaMallocHost(void** memory, size_t bytes);
cudaError_t cudaFreeHost(void* memory);
cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind);
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream);
cudaError_t cudaMemsetAsync(void* memory, int value, size_t bytes, cudaStream_t stream);
cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* address);
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, const void* kernel, int threads, size_t shared);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status);
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode);
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long flags);
cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t stream);
cudaError_t cudaGraphDestroy(cudaGraph_t graph);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph);
cudaError_t cudaEventCreate(cudaEvent_t* event);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaEventSynchronize(cudaEvent_t event);
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t first, cudaEvent_t second);
cudaError_t cudaEventDestroy(cudaEvent_t event);

struct cudaLaunchConfig_t {
  dim3 gridDim;
  dim3 blockDim;
  size_t dynamicSmemBytes = 0;
  cudaStream_t stream = nullptr;
};

namespace emulation {

// Enqueues a grid whose threads each call `thread`.
cudaError_t launch(const cudaLaunchConfig_t& config, std::function<void()> thread);

// For the tests: the k-th call from now on that may fail answers `error`; 0: none does.
void failAt(int call, cudaError_t error);
// Grids run since the program began; bytes and blocks of device memory that nobody freed.
int64_t launches();
int64_t allocations();
// Seeds the order of blocks and threads.
void shuffle(uint64_t seed);

}  // namespace emulation

template <class... Parameters, class... Values>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Parameters...), Values... values) {
  return emulation::launch(*config, [=] { kernel(static_cast<Parameters>(values)...); });
}
