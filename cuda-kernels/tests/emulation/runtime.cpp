// The emulated runtime: two devices whose memory is the host's, streams that run at once, graphs that are lists.
#include <stdlib.h>

#include <map>
#include <mutex>
#include <vector>

#include "cuda_runtime.h"
#include "fibers.h"

using Work = std::function<void()>;

struct CUgraph_st {
  std::vector<Work> work;
  int users = 1;
};

struct CUstream_st {
  CUgraph_st* captured = nullptr;
};

struct CUevent_st {
  int64_t launches = 0;
};

namespace {

constexpr int devices = 2;
constexpr int mostThreads = 1024;

struct Block {
  size_t bytes;
  int device;
};

// A grid has the machine to itself; whoever asks from another thread waits.
std::recursive_mutex machine;
using Turn = std::lock_guard<std::recursive_mutex>;

thread_local int current = 0;
std::map<uintptr_t, Block> blocks;
uint64_t random_ = 1;
int64_t launched = 0;
int failIn = 0;
cudaError_t failWith = cudaSuccess;
thread_local cudaError_t last = cudaSuccess;

// Every call that can fail on a device asks this.
cudaError_t outcome() {
  if (failIn > 0 && --failIn == 0) return last = failWith;
  return cudaSuccess;
}

cudaError_t enqueue(cudaStream_t stream, Work work) {
  const Turn turn(machine);
  const cudaError_t error = outcome();
  if (error != cudaSuccess) return error;
  if (stream != nullptr && stream->captured != nullptr) {
    stream->captured->work.push_back(std::move(work));
  } else {
    work();
  }
  return cudaSuccess;
}

void runGrid(unsigned blockCount, unsigned threads, const Work& thread) {
  launched++;
  std::vector<unsigned> order(blockCount);
  for (unsigned i = 0; i < blockCount; i++) {
    const unsigned j = unsigned(emulation::draw(random_) % (i + 1));
    order[i] = order[j];
    order[j] = i;
  }
  for (const unsigned block : order) {
    blockIdx.x = block;
    gridDim = dim3(blockCount);
    blockDim = dim3(threads);
    emulation::runBlock(threads, thread, random_);
  }
}

void release(CUgraph_st* graph) {
  if (--graph->users == 0) delete graph;
}

cudaError_t allocate(void** memory, size_t bytes, int device) {
  const Turn turn(machine);
  *memory = nullptr;
  const cudaError_t error = outcome();
  if (error != cudaSuccess) return error;
  constexpr size_t alignment = 256;
  *memory = aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  if (*memory == nullptr) return last = cudaErrorMemoryAllocation;
  memset(*memory, 0xA5, bytes);  // nothing may rely on fresh memory
  blocks[reinterpret_cast<uintptr_t>(*memory)] = {bytes, device};
  return cudaSuccess;
}

}  // namespace

namespace emulation {

cudaError_t launch(const cudaLaunchConfig_t& config, std::function<void()> thread) {
  const unsigned grid = config.gridDim.x;
  const unsigned threads = config.blockDim.x;
  if (grid == 0 || threads == 0 || threads > mostThreads) return last = cudaErrorInvalidConfiguration;
  return enqueue(config.stream, [grid, threads, thread] { runGrid(grid, threads, thread); });
}

void failAt(int call, cudaError_t error) {
  failIn = call;
  failWith = error;
}

int64_t launches() { return launched; }
int64_t allocations() { return int64_t(blocks.size()); }
void shuffle(uint64_t seed) { random_ = seed; }

}  // namespace emulation

const char* cudaGetErrorName(cudaError_t error) {
  switch (error) {
    case cudaErrorMemoryAllocation: return "cudaErrorMemoryAllocation";
    case cudaErrorInvalidDevice: return "cudaErrorInvalidDevice";
    case cudaErrorLaunchFailure: return "cudaErrorLaunchFailure";
    default: return "an error";
  }
}

const char* cudaGetErrorString(cudaError_t) { return "emulated"; }

cudaError_t cudaGetLastError() {
  const cudaError_t error = last;
  last = cudaSuccess;
  return error;
}

cudaError_t cudaGetDeviceCount(int* count) {
  *count = devices;
  return cudaSuccess;
}

cudaError_t cudaGetDevice(int* device) {
  *device = current;
  return cudaSuccess;
}

cudaError_t cudaSetDevice(int device) {
  if (device < 0 || device >= devices) return last = cudaErrorInvalidDevice;
  current = device;
  return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  if (device < 0 || device >= devices) return last = cudaErrorInvalidDevice;
  *properties = {"an emulated device", size_t(1) << 30};
  return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  if (device < 0 || device >= devices) return last = cudaErrorInvalidDevice;
  *value = attribute == cudaDevAttrMultiProcessorCount ? 3 : (attribute == cudaDevAttrComputeCapabilityMajor ? 9 : 0);
  return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int* version) {
  *version = 13000;
  return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int* version) { return cudaDriverGetVersion(version); }
cudaError_t cudaDeviceSynchronize() { return outcome(); }

cudaError_t cudaMalloc(void** memory, size_t bytes) { return allocate(memory, bytes, current); }

cudaError_t cudaFree(void* memory) {
  const Turn turn(machine);
  if (memory != nullptr && blocks.erase(reinterpret_cast<uintptr_t>(memory)) == 0) return last = cudaErrorInvalidValue;
  free(memory);
  return cudaSuccess;
}

cudaError_t cudaMallocHost(void** memory, size_t bytes) { return allocate(memory, bytes, -1); }
cudaError_t cudaFreeHost(void* memory) { return cudaFree(memory); }

cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  return cudaMemcpyAsync(to, from, bytes, kind, nullptr);
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind, cudaStream_t stream) {
  return enqueue(stream, [=] { memmove(to, from, bytes); });
}

cudaError_t cudaMemsetAsync(void* memory, int value, size_t bytes, cudaStream_t stream) {
  return enqueue(stream, [=] { memset(memory, value, bytes); });
}

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* address) {
  const Turn turn(machine);
  const uintptr_t at = reinterpret_cast<uintptr_t>(address);
  *attributes = {cudaMemoryTypeUnregistered, -2};
  auto behind = blocks.upper_bound(at);
  if (behind == blocks.begin()) return cudaSuccess;
  const auto& [base, block] = *--behind;
  if (at >= base + block.bytes) return cudaSuccess;
  *attributes = {block.device < 0 ? cudaMemoryTypeHost : cudaMemoryTypeDevice, block.device};
  return cudaSuccess;
}

cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* count, const void*, int, size_t) {
  *count = 2;
  return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  *stream = new CUstream_st;
  return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  delete stream;
  return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  return stream != nullptr && stream->captured != nullptr ? last = cudaErrorInvalidValue : outcome();
}

cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) {
  const bool capturing = stream != nullptr && stream->captured != nullptr;
  *status = capturing ? cudaStreamCaptureStatusActive : cudaStreamCaptureStatusNone;
  return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  stream->captured = new CUgraph_st;
  return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  *graph = stream->captured;
  stream->captured = nullptr;
  return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  graph->users++;
  *executable = graph;
  return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t) {
  const Turn turn(machine);
  const cudaError_t error = outcome();
  if (error != cudaSuccess) return error;
  for (const Work& work : graph->work) work();
  return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  release(graph);
  return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph) { return cudaGraphDestroy(graph); }

cudaError_t cudaEventCreate(cudaEvent_t* event) {
  *event = new CUevent_st;
  return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t) {
  event->launches = launched;
  return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t) { return cudaSuccess; }

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t first, cudaEvent_t second) {
  *milliseconds = float(second->launches - first->launches);
  return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}
