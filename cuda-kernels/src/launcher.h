// Launches kernels one after the other on a stream until one fails.
#pragma once

#include <cuda_runtime.h>

namespace fettle {

// One launch of a kernel.
struct Shape {
  unsigned blocks;
  unsigned threads;
};

class Launcher {
 public:
  explicit Launcher(cudaStream_t on) : stream(on) {}

  template <class... Parameters, class... Values>
  void launch(const char* name, void (*kernel)(Parameters...), Shape shape, Values... values) {
    if (error != cudaSuccess) return;
    cudaLaunchConfig_t config = {};
    config.gridDim = dim3(shape.blocks);
    config.blockDim = dim3(shape.threads);
    config.stream = stream;
    error = cudaLaunchKernelEx(&config, kernel, values...);
    if (error != cudaSuccess) failed = name;
  }

  cudaError_t error = cudaSuccess;
  const char* failed = nullptr;

 private:
  cudaStream_t stream;
};

// As many blocks as there is work for, and at most what a device of that many multiprocessors keeps busy.
static inline unsigned blocksFor(int64_t work, int64_t workPerBlock, int multiprocessors) {
  constexpr int64_t perMultiprocessor = 8;
  const int64_t needed = work / workPerBlock + (work % workPerBlock != 0 ? 1 : 0);
  const int64_t most = int64_t(multiprocessors) * perMultiprocessor;
  return unsigned(needed < 1 ? 1 : needed < most ? needed : most);
}

}  // namespace fettle
