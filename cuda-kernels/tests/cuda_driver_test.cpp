// The CUDA library's drivers on the emulated runtime: launches, capture and replay, refusals, failures of the runtime,
// the state's way in and out, and the tree over many sums.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "core/tree.h"
#include "cuda_runtime.h"
#include "reduce.cuh"
#include "twin_plan.h"

namespace {

using test::PlanSpec;
using test::Random;
using test::TensorSpec;
using test::TwinPlan;

int64_t ruleNamed(const char* id) {
  for (int rule = 0; rule < test::ruleCount(); rule++) {
    if (strcmp(fettle_rule_id(rule), id) == 0) return rule;
  }
  return -1;
}

PlanSpec planOf(const char* rule, std::initializer_list<int64_t> sizes) {
  PlanSpec spec;
  spec.rules = {ruleNamed(rule)};
  for (const int64_t elements : sizes) {
    TensorSpec tensor;
    tensor.elements = elements;
    spec.tensors.push_back(tensor);
  }
  return spec;
}

bool same(TwinPlan& plan) {
  const std::string difference = plan.difference();
  if (!difference.empty()) printf("%s\n", difference.c_str());
  return difference.empty();
}

// The block's tree against the specification's, also where a tensor has hundreds of thousands of chunks.
void treesAgree() {
  using fettle::FETTLE_TIER::blockTree;
  using fettle::FETTLE_TIER::treeSum;
  Random random(3);
  for (const int64_t count : {0, 1, 2, 3, 5, 255, 256, 257, 511, 513, 4095, 4096, 4097, 65535, 65537, 244141}) {
    for (const unsigned threads : {32u, 96u, 256u}) {
      std::vector<double> sums(size_t(count) + 1);
      for (double& sum : sums) sum = ldexp(double(random.next() >> 11), random.below(40) - 60);
      std::vector<double> expected = sums;
      std::vector<double> more = {1.0, 2.0, 4.0};
      std::vector<double> answers(threads), answersToMore(threads);
      double* const data = sums.data();
      double* const moreData = more.data();
      double* const out = answers.data();
      double* const moreOut = answersToMore.data();
      cudaLaunchConfig_t config;
      config.blockDim = dim3(threads);
      const auto twice = [=] {
        out[threadIdx.x] = blockTree(data, count);
        moreOut[threadIdx.x] = blockTree(moreData, 3);
      };
      CHECK(emulation::launch(config, twice) == cudaSuccess);
      const double sum = treeSum(expected.data(), count);
      bool equal = true;
      for (const double answer : answers) equal = equal && memcmp(&answer, &sum, sizeof sum) == 0;
      for (const double answer : answersToMore) equal = equal && answer == 7.0;
      CHECK(equal);
    }
  }
}

// As many launches for a thousand tensors as for one.
void launchesDoNotGrow() {
  for (const char* rule : {"adamw", "lamb"}) {
    int64_t launches[2] = {};
    for (const int many : {0, 1}) {
      PlanSpec spec = planOf(rule, {5000});
      for (int i = 0; i < many * 999; i++) spec.tensors.push_back(spec.tensors[0]);
      for (TensorSpec& tensor : spec.tensors) tensor.elements = many != 0 ? 3 : 5000;
      TwinPlan plan(spec, 1);
      CHECK(plan.open(0, 0) == FETTLE_OK);
      fettle_cuda_plan_info info = {};
      info.size = sizeof info;
      CHECK(fettle_cuda_plan_info_of(plan.handle, &info, plan.reason, sizeof plan.reason) == FETTLE_OK);
      const int64_t before = emulation::launches();
      CHECK(plan.stepDevice(nullptr, false) == FETTLE_OK);
      launches[many] = emulation::launches() - before;
      CHECK(launches[many] == info.launches);
      CHECK(info.device_bytes > 0 && info.device == 0);
    }
    CHECK(launches[0] == launches[1]);
    // adamw: begin, apply. lamb: begin, gradient, norms, prepare, gather, combine, apply.
    CHECK(launches[0] == (strcmp(rule, "adamw") == 0 ? 2 : 7));
  }
}

// A captured step replays with the arguments, the gradients and the t of its moment.
void capturedStepsReplay() {
  for (const char* rule : {"adamw", "lamb", "sgd_momentum"}) {
    PlanSpec spec = planOf(rule, {1, 5000, 129});
    spec.policy = FETTLE_SKIP;
    TwinPlan plan(spec, 5);
    CHECK(plan.open(0, 0) == FETTLE_OK);
    char* reason = plan.reason;
    void* stream = nullptr;
    void* graph = nullptr;
    CHECK(fettle_cuda_stream_create(0, &stream, reason, 256) == FETTLE_OK);
    CHECK(fettle_cuda_capture_begin(0, stream, reason, 256) == FETTLE_OK);
    const int64_t before = emulation::launches();
    CHECK(plan.stepDevice(stream, true) == FETTLE_INVALID_ARGUMENT);
    CHECK(plan.stage(stream) == FETTLE_INVALID_ARGUMENT);
    CHECK(fettle_cuda_plan_read(plan.handle, &plan.device, stream, reason, 256) == FETTLE_INVALID_ARGUMENT);
    CHECK(plan.stepDevice(stream, false) == FETTLE_OK);
    CHECK(emulation::launches() == before);
    CHECK(fettle_cuda_capture_end(0, stream, &graph, reason, 256) == FETTLE_OK);
    for (int step = 0; step < 5; step++) {
      plan.renew(step > 1);
      CHECK(plan.stage(stream) == FETTLE_OK);
      CHECK(fettle_cuda_graph_launch(0, graph, stream, reason, 256) == FETTLE_OK);
      CHECK(plan.stepHost() == FETTLE_OK);
      CHECK(same(plan));
    }
    CHECK(fettle_cuda_graph_destroy(0, graph, reason, 256) == FETTLE_OK);
    CHECK(fettle_cuda_stream_destroy(0, stream, reason, 256) == FETTLE_OK);
  }
}

// A step that must raise is refused under capture, and changes nothing when it raises.
void raising() {
  PlanSpec spec = planOf("adamw", {5000, 17});
  spec.policy = FETTLE_RAISE;
  TwinPlan plan(spec, 6);
  CHECK(plan.open(0, 0) == FETTLE_OK);
  void* stream = nullptr;
  void* graph = nullptr;
  CHECK(fettle_cuda_stream_create(0, &stream, nullptr, 0) == FETTLE_OK);
  CHECK(fettle_cuda_capture_begin(0, stream, nullptr, 0) == FETTLE_OK);
  CHECK(plan.stepDevice(stream, false) == FETTLE_INVALID_ARGUMENT);
  CHECK(fettle_cuda_capture_end(0, stream, &graph, nullptr, 0) == FETTLE_OK);
  CHECK(fettle_cuda_graph_destroy(0, graph, nullptr, 0) == FETTLE_OK);
  plan.renew(false);
  CHECK(plan.stepHost() == FETTLE_OK);
  CHECK(plan.stepDevice(stream) == FETTLE_OK);
  CHECK(same(plan));
  const uint32_t infinity = 0x7F800000u;
  memcpy(static_cast<char*>(plan.host.tensors[1].gradient.data) + 64, &infinity, 4);
  memcpy(static_cast<char*>(plan.device.tensors[1].gradient.data) + 64, &infinity, 4);
  CHECK(plan.stepHost() == FETTLE_NON_FINITE);
  CHECK(plan.stepDevice(stream) == FETTLE_NON_FINITE);
  CHECK(same(plan));
  CHECK(fettle_cuda_stream_destroy(0, stream, nullptr, 0) == FETTLE_OK);
}

// A gradient that only unscaling makes infinite stops a step too.
void overflowOfTheScaleRaises() {
  PlanSpec spec = planOf("adamw", {100});
  spec.policy = FETTLE_RAISE;
  spec.lossScale = 1e-38;
  TwinPlan plan(spec, 13);
  CHECK(plan.open(0, 0) == FETTLE_OK);
  plan.renew(false);
  CHECK(plan.stepHost() == FETTLE_OK && plan.stepDevice() == FETTLE_OK && same(plan));
  const float large = 64.0f;
  memcpy(static_cast<char*>(plan.host.tensors[0].gradient.data) + 40, &large, 4);
  memcpy(static_cast<char*>(plan.device.tensors[0].gradient.data) + 40, &large, 4);
  CHECK(plan.stepHost() == FETTLE_NON_FINITE);
  CHECK(plan.stepDevice() == FETTLE_NON_FINITE);
  CHECK(same(plan));
}

// t and the scalars out of one plan and into another; rebinding of a gradient.
void statesTravel() {
  TwinPlan plan(planOf("lamb", {300, 5000}), 7);
  CHECK(plan.open(0, 0) == FETTLE_OK);
  plan.renew(false);
  CHECK(plan.stepHost() == FETTLE_OK && plan.stepDevice() == FETTLE_OK && same(plan));
  for (int64_t i = 0; i < 2; i++) {
    plan.host.tensors[i].step = plan.device.tensors[i].step = 41 + i;
    plan.host.tensors[i].scalars[0] = plan.device.tensors[i].scalars[0] = 0.25;
    for (fettle_group* group : {plan.host.groups, plan.device.groups}) group->hyper[4] = 0.125;
  }
  CHECK(fettle_cuda_plan_write(plan.handle, &plan.device, nullptr, plan.reason, sizeof plan.reason) == FETTLE_OK);
  plan.renew(false);
  CHECK(plan.stepHost() == FETTLE_OK && plan.stepDevice() == FETTLE_OK && same(plan));

  // A gradient elsewhere, and misaligned for wide accesses.
  void* elsewhere = nullptr;
  CHECK(fettle_cuda_allocate(0, 5001 * 4, &elsewhere, nullptr, 0) == FETTLE_OK);
  fettle_operand gradients[] = {plan.device.tensors[0].gradient, plan.device.tensors[1].gradient};
  gradients[1].data = static_cast<char*>(elsewhere) + 4;
  CHECK(fettle_cuda_copy(0, gradients[1].data, plan.host.tensors[1].gradient.data, 5000 * 4, nullptr, nullptr, 0) ==
        FETTLE_OK);
  CHECK(fettle_cuda_fill(0, plan.device.tensors[1].gradient.data, 255, 5000 * 4, nullptr, nullptr, 0) == FETTLE_OK);
  CHECK(fettle_cuda_plan_rebind(plan.handle, 0, 2, gradients, nullptr, plan.reason, 256) == FETTLE_OK);
  CHECK(plan.stepHost() == FETTLE_OK && plan.stepDevice() == FETTLE_OK);
  memcpy(plan.device.tensors[1].gradient.data, plan.host.tensors[1].gradient.data, 5000 * 4);
  CHECK(same(plan));
  const int64_t before = emulation::launches();
  CHECK(fettle_cuda_plan_rebind(plan.handle, 0, 2, gradients, nullptr, plan.reason, 256) == FETTLE_OK);
  CHECK(emulation::launches() == before);
  fettle_operand outside[] = {gradients[1]};
  outside[0].data = &plan;
  CHECK(fettle_cuda_plan_rebind(plan.handle, 1, 1, outside, nullptr, plan.reason, 256) == FETTLE_INVALID_ARGUMENT);
  CHECK(fettle_cuda_plan_rebind(plan.handle, 2, 1, outside, nullptr, plan.reason, 256) == FETTLE_INVALID_ARGUMENT);
  CHECK(fettle_cuda_plan_rebind(plan.handle, -1, 1, outside, nullptr, plan.reason, 256) == FETTLE_INVALID_ARGUMENT);
  // Without a gradient a tensor rests, and may not be asked for; with one of another format it goes on.
  gradients[1].data = nullptr;
  CHECK(fettle_cuda_plan_rebind(plan.handle, 0, 2, gradients, nullptr, plan.reason, 256) == FETTLE_OK);
  plan.renew(false);
  CHECK(plan.stepDevice() == FETTLE_INVALID_ARGUMENT && strstr(plan.reason, "tensor 1") != nullptr);
  CHECK(plan.stepDevice(nullptr, false) == FETTLE_OK);
  CHECK(fettle_cuda_plan_read(plan.handle, &plan.device, nullptr, plan.reason, 256) == FETTLE_OK);
  CHECK(plan.device.tensors[1].step == plan.host.tensors[1].step &&
        plan.device.tensors[0].step > plan.host.tensors[0].step);
  gradients[1].data = elsewhere;
  gradients[1].dtype = FETTLE_BF16;
  CHECK(fettle_cuda_plan_rebind(plan.handle, 0, 2, gradients, nullptr, plan.reason, 256) == FETTLE_OK);
  CHECK(plan.stepDevice() == FETTLE_OK);
  CHECK(fettle_cuda_release(0, elsewhere, nullptr, 0) == FETTLE_OK);
}

// Opens a plan with one thing wrong and looks for the word in the reason.
template <class Spoil>
void refusedPlan(const char* word, Spoil spoil) {
  TwinPlan plan(planOf("adamw", {100, 200}), 8);
  spoil(plan);
  CHECK(plan.open(0, 0) == FETTLE_INVALID_ARGUMENT);
  CHECK(plan.handle == nullptr);
  CHECK(strstr(plan.reason, word) != nullptr);
  if (strstr(plan.reason, word) == nullptr) printf("expected '%s' in '%s'\n", word, plan.reason);
}

void wrongPlansAreRefused() {
  refusedPlan("size", [](TwinPlan& plan) { plan.device.size = 1; });
  refusedPlan("tensor 1: parameter is null", [](TwinPlan& plan) { plan.deviceTensors[1].parameter.data = nullptr; });
  refusedPlan("multiple of 4", [](TwinPlan& plan) {
    plan.deviceTensors[1].gradient.data = static_cast<char*>(plan.deviceTensors[1].gradient.data) + 2;
  });
  refusedPlan("not memory of device 0",
              [](TwinPlan& plan) { plan.deviceTensors[0].state[1].data = plan.hostTensors[0].state[1].data; });
  refusedPlan("dtype 3", [](TwinPlan& plan) { plan.deviceTensors[0].state[0].dtype = FETTLE_BIT; });
  refusedPlan("blocks of 1, expected a power of two from 2 to 4096", [](TwinPlan& plan) {
    plan.deviceTensors[0].state[0].dtype = FETTLE_TORCHAO4;
    plan.deviceTensors[0].state[0].block_size = 1;
  });
  refusedPlan("blocks of 0, expected a power of two from 1 to 4096", [](TwinPlan& plan) {
    plan.deviceTensors[0].state[0].dtype = FETTLE_LINEAR8;
    plan.deviceTensors[0].state[0].block_size = 0;
  });
  refusedPlan("rule 99", [](TwinPlan& plan) { plan.deviceGroups[0].rule = 99; });
  refusedPlan("tensor 1: elements", [](TwinPlan& plan) { plan.deviceTensors[1].first_chunk = 7; });
  refusedPlan("tensor 0: elements", [](TwinPlan& plan) { plan.deviceTensors[0].group = 1; });
  refusedPlan("chunk_count", [](TwinPlan& plan) { plan.device.chunk_count = 9; });
  refusedPlan("null", [](TwinPlan& plan) { plan.device.tensors = nullptr; });
  TwinPlan plan(planOf("lamb", {100}), 8);
  CHECK(plan.open(33, 0) == FETTLE_INVALID_ARGUMENT);
  CHECK(plan.open(512, 0) == FETTLE_INVALID_ARGUMENT);
  CHECK(plan.open(0, -1) == FETTLE_INVALID_ARGUMENT);
  CHECK(plan.open(0, 0, 7) == FETTLE_CUDA_ERROR && strstr(plan.reason, "cudaErrorInvalidDevice") != nullptr);
  CHECK(plan.open(0, 0, 1) == FETTLE_INVALID_ARGUMENT);
  plan.device.gathers = 0;
  CHECK(plan.open(0, 0) == FETTLE_INVALID_ARGUMENT && strstr(plan.reason, "gathers") != nullptr);
  CHECK(fettle_cuda_plan_open(nullptr, nullptr, nullptr, nullptr, 0) == FETTLE_INVALID_ARGUMENT);
  CHECK(fettle_cuda_plan_step(nullptr, nullptr, nullptr, nullptr, 0) == FETTLE_INVALID_ARGUMENT);
  CHECK(fettle_cuda_plan_close(nullptr, nullptr, 0) == FETTLE_OK);
  int device = -1;
  CHECK(cudaGetDevice(&device) == cudaSuccess && device == 0);
}

// What stands behind a rule's own states is nobody's: nothing of it is checked, and nothing chosen by it.
void staleStatesMeanNothing() {
  for (const char* const rule : {"sgd", "sgd_momentum"}) {
    TwinPlan plan(planOf(rule, {100, 5000}), 13);
    const int states = test::statesOf(ruleNamed(rule));
    for (fettle_tensor& tensor : plan.deviceTensors) {
      tensor.state[states] = {tensor.parameter.data, tensor.parameter.data, FETTLE_LINEAR8, FETTLE_NEAREST, 3};
    }
    CHECK(plan.open(0, 0) == FETTLE_OK);
    plan.renew(false);
    CHECK(plan.stepHost() == FETTLE_OK);
    CHECK(plan.stepDevice() == FETTLE_OK);
    CHECK(same(plan));
  }
}

// Every call of the runtime fails once: an opening leaves nothing behind, a step tells which kernel, the plan is then
// of no use and says so.
void failuresAreTold() {
  for (int call = 1; call <= 5; call++) {
    const int64_t before = emulation::allocations();
    TwinPlan plan(planOf("adamw", {100}), 9);
    const int64_t arrays = emulation::allocations();
    emulation::failAt(call, cudaErrorMemoryAllocation);
    const int32_t status = plan.open(0, 0);
    emulation::failAt(0, cudaSuccess);
    CHECK(status == (call <= 4 ? FETTLE_OUT_OF_MEMORY : FETTLE_OK));
    if (status == FETTLE_OK) continue;
    CHECK(plan.handle == nullptr && strstr(plan.reason, "cudaErrorMemoryAllocation") != nullptr);
    CHECK(emulation::allocations() == arrays);
    CHECK(before < arrays);
  }
  const char* const kernels[] = {"begin", "gradient", "norms", "prepare", "gather<lamb>", "combine", "apply<lamb>"};
  for (int call = 1; call <= 7; call++) {
    TwinPlan plan(planOf("lamb", {100}), 10);
    CHECK(plan.open(0, 0) == FETTLE_OK);
    emulation::failAt(call, cudaErrorLaunchFailure);
    CHECK(plan.stepDevice(nullptr, false) == FETTLE_CUDA_ERROR);
    emulation::failAt(0, cudaSuccess);
    CHECK(strstr(plan.reason, kernels[call - 1]) != nullptr);
    CHECK(strstr(plan.reason, "cudaErrorLaunchFailure") != nullptr);
    CHECK(cudaGetLastError() == cudaSuccess);
    CHECK(plan.stepDevice(nullptr, false) == FETTLE_CUDA_ERROR && strstr(plan.reason, "broken") != nullptr);
    CHECK(fettle_cuda_plan_read(plan.handle, &plan.device, nullptr, nullptr, 0) == FETTLE_CUDA_ERROR);
    CHECK(plan.stage(nullptr) == FETTLE_CUDA_ERROR);
    CHECK(plan.close() == FETTLE_OK);
  }
}

// Two plans' steps in turns do not disturb each other, and the caller's device stays current.
void plansAreIndependent() {
  TwinPlan first(planOf("lamb", {5000, 3}), 11);
  TwinPlan second(planOf("rmsprop_centered", {4097}), 12);
  CHECK(cudaSetDevice(1) == cudaSuccess);
  CHECK(first.open(64, 3) == FETTLE_OK && second.open(0, 0) == FETTLE_OK);
  for (int step = 0; step < 3; step++) {
    first.renew(false);
    second.renew(false);
    CHECK(first.stepDevice() == FETTLE_OK && second.stepDevice() == FETTLE_OK);
    CHECK(first.stepHost() == FETTLE_OK && second.stepHost() == FETTLE_OK);
    CHECK(same(second) && same(first));
  }
  int device = -1;
  CHECK(cudaGetDevice(&device) == cudaSuccess && device == 1);
  CHECK(cudaSetDevice(0) == cudaSuccess);
}

void devicesAreDescribed() {
  int32_t count = 0;
  CHECK(fettle_cuda_device_count(&count, nullptr, 0) == FETTLE_OK && count == 2);
  fettle_cuda_device info = {};
  info.size = sizeof info;
  CHECK(fettle_cuda_device_info(0, &info, nullptr, 0) == FETTLE_OK);
  CHECK(info.compute_major == 9 && info.multiprocessors == 3 && strlen(info.name) > 0);
  char reason[64] = "";
  CHECK(fettle_cuda_device_info(5, &info, reason, sizeof reason) == FETTLE_CUDA_ERROR && strlen(reason) > 0);
  void* event[2] = {};
  float milliseconds = -1.0f;
  for (void*& one : event) {
    CHECK(fettle_cuda_event_create(0, &one, nullptr, 0) == FETTLE_OK);
    CHECK(fettle_cuda_event_record(0, one, nullptr, nullptr, 0) == FETTLE_OK);
  }
  CHECK(fettle_cuda_event_elapsed(0, event[0], event[1], &milliseconds, nullptr, 0) == FETTLE_OK && milliseconds >= 0);
  for (void* one : event) CHECK(fettle_cuda_event_destroy(0, one, nullptr, 0) == FETTLE_OK);
  CHECK(fettle_cuda_allocate(0, 0, event, nullptr, 0) == FETTLE_INVALID_ARGUMENT);
  CHECK(fettle_cuda_copy(0, nullptr, nullptr, 4, nullptr, nullptr, 0) == FETTLE_INVALID_ARGUMENT);
}

}  // namespace

int main() {
  treesAgree();
  launchesDoNotGrow();
  capturedStepsReplay();
  raising();
  overflowOfTheScaleRaises();
  statesTravel();
  wrongPlansAreRefused();
  staleStatesMeanNothing();
  failuresAreTold();
  plansAreIndependent();
  devicesAreDescribed();
  CHECK(emulation::allocations() == 0);
  printf("emulated on the host: no GPU has run these kernels here\n");
  return check::finish("cuda_driver_test");
}
