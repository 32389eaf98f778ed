// The kernels that do not depend on a rule's type, in the order of a step. Grids may be of any size.
#pragma once

#include "tables.cuh"

namespace fettle {
namespace FETTLE_TIER {

// What changes from step to step, small enough to travel by value. A large plan takes several.
struct Arguments {
  static constexpr int mostGroups = 64;
  static constexpr int mostTensors = 8192;
  double lossScale;
  int64_t firstGroup;
  int64_t firstTensor;
  int32_t groups;
  int32_t tensors;
  double lr[mostGroups];
  uint32_t active[mostTensors / 32];
};

// New gradients of some tensors; a tensor without one is left alone from then on.
struct Addresses {
  static constexpr int most = 256;
  int64_t firstTensor;
  int32_t tensors;
  void* address[most];
  uint8_t dtype[most];
};

// Writes arguments into the tables.
__global__ void stage(Tables tables, Arguments arguments);

// Writes gradient addresses into the tables.
__global__ void rebind(Tables tables, Addresses addresses);

// Starts a step: clears the flag, forms the prologue; without a gradient pass also what prepare forms.
__global__ void begin(Tables tables);

// The pass over the gradients: partial sums of squares, and the non-finite flag.
__global__ void gradient(Tables tables, Span units);

// The tensors' and the global norms.
__global__ void norms(Tables tables);

// Coefficients of every tensor, unless the policy ends the step here.
__global__ void prepare(Tables tables);

// Completes a gather: the tensors' sums, and what the rules form of them.
__global__ void combine(Tables tables, int gather);

}  // namespace FETTLE_TIER
}  // namespace fettle
