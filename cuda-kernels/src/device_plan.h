// A plan on a device, as the host holds it.
#pragma once

#include <cuda_runtime.h>

#include "answer.h"
#include "launcher.h"
#include "rules.cuh"
#include "serial.cuh"

namespace fettle {

// What is launched for the tensors of one rule, those with states by blocks apart.
struct RuleLaunch {
  char applyName[64];
  char gatherName[64];
  FETTLE_TIER::RuleKernels kernels;
  FETTLE_TIER::Span span;
  Shape applyShape;
  Shape gatherShape;
};

}  // namespace fettle

struct fettle_cuda_plan {
  int device;
  bool broken;  // a CUDA call failed since: a step may be half done
  char failure[160];
  // The tables as the host last saw or sent them. The operands' addresses are the device's, those of the tables the
  // device's too; tensors and groups below are the host's copies.
  fettle_plan plan;
  fettle_tensor* tensors;
  fettle_group* groups;
  void* arena;  // device memory: tables and scratch
  int64_t arenaBytes;
  double* rowState;  // in the arena: what rules keep per row, of all tensors together
  int64_t rowStates;
  int64_t* flag;  // page-locked, for the question of FETTLE_RAISE
  fettle::FETTLE_TIER::Tables tables;
  fettle::FETTLE_TIER::Span units;
  fettle::RuleLaunch rules[2 * fettle::FETTLE_TIER::ruleCount];
  int ruleLaunches;
  fettle::Shape perThread;  // kernels that give a thread a tensor
  fettle::Shape perBlock;   // kernels that give a block a tensor
  fettle::Shape gradientShape;
};

namespace fettle {

// Answers a failed call and keeps it: the plan is of no use any more.
int32_t breakPlan(fettle_cuda_plan& plan, cudaError_t error, const char* call, Reason reason);

// The answer of a plan that broke before.
int32_t answerBroken(const fettle_cuda_plan& plan, Reason reason);

// Whether a stream is being captured.
cudaError_t isCapturing(cudaStream_t stream, bool* capturing);

// How many states a rule of the registry has.
int statesOf(int64_t rule);

// Names the first thing in a plan's tables that the kernels cannot work on, and refuses it; FETTLE_OK if there is none.
int32_t checkPlan(const fettle_plan* plan, const fettle_cuda_options* options, Reason reason);

// The same for a gradient that takes the place of another; none is fine.
int32_t checkGradient(const fettle_cuda_plan& plan, int64_t index, const fettle_operand& gradient, Reason reason);

}  // namespace fettle
