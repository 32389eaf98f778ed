// Opening and closing a plan: one allocation on the device for its tables and scratch, and the launch shapes.
#include "device_memory.h"
#include "device_plan.h"

#include "core/blocks.h"

#include <stdlib.h>
#include <string.h>

#include <stdio.h>

namespace fettle {

namespace {

using FETTLE_TIER::chunksOf;
using FETTLE_TIER::mostThreads;
using FETTLE_TIER::RuleKernels;
using FETTLE_TIER::Span;
using FETTLE_TIER::Tables;
using FETTLE_TIER::Unit;
using FETTLE_TIER::warpThreads;

constexpr int ruleCount = FETTLE_TIER::ruleCount;

const char* const ruleIds[] = {
#define FETTLE_RULE(id, record, ...) #id,
#include "fettle/rules.def"
#undef FETTLE_RULE
};

template <int file = 0>
RuleKernels kernelsOf(int rule) {
  if constexpr (file + 1 < FETTLE_TIER::kernelFiles) {
    if (rule % FETTLE_TIER::kernelFiles != file) return kernelsOf<file + 1>(rule);
  }
  return FETTLE_TIER::kernelsIn<file>(rule);
}

int ruleOf(const fettle_plan& plan, int64_t tensor) { return int(plan.groups[plan.tensors[tensor].group].rule); }

// The largest number of planes of partial sums that a rule of the plan fills, and of gathers, and whether one reduces
// by rows.
struct Reductions {
  int64_t planes;
  int64_t gathers;
  bool rowwise;
};

Reductions reductionsOf(const fettle_plan& plan) {
  Reductions most = {1, 0, false};
  for (int64_t i = 0; i < plan.tensor_count; i++) {
    const RuleKernels kernels = kernelsOf(ruleOf(plan, i));
    if (kernels.sums > most.planes) most.planes = kernels.sums;
    if (kernels.gathers > most.gathers) most.gathers = kernels.gathers;
    if (kernels.rowwise) most.rowwise = true;
  }
  return most;
}

// Where each table lies in the one allocation.
struct Layout {
  int64_t plan, tensors, groups, units, rowState, sums, tensorSums, rowSums, rowCoefficients, arrived;
  int64_t tableBytes;  // the part that the host fills: everything before the scratch
  int64_t bytes;
};

// Doubles that rules keep per row, of all tensors together.
int64_t rowStates(const fettle_plan& plan) {
  int64_t rows = 0;
  for (int64_t i = 0; i < plan.tensor_count; i++) {
    if (plan.tensors[i].row_state != nullptr) rows += plan.tensors[i].rows;
  }
  return rows;
}

Layout layoutOf(const fettle_plan& plan, const Reductions& most) {
  Layout layout;
  int64_t at = 0;
  layout.plan = place(at, int64_t(sizeof(fettle_plan)));
  layout.arrived = place(at, int64_t(sizeof(unsigned)));
  layout.tensors = place(at, plan.tensor_count * int64_t(sizeof(fettle_tensor)));
  layout.groups = place(at, plan.group_count * int64_t(sizeof(fettle_group)));
  layout.units = place(at, plan.chunk_count * int64_t(sizeof(Unit)));
  layout.rowState = place(at, rowStates(plan) * int64_t(sizeof(double)));
  layout.tableBytes = at;
  layout.sums = place(at, most.planes * plan.chunk_count * int64_t(sizeof(double)));
  layout.tensorSums = place(at, plan.tensor_count * int64_t(sizeof(double)));
  // The planes of the rows' sums, and one of scratch behind them.
  const int64_t rows = most.rowwise ? plan.row_count : 0;
  layout.rowSums = place(at, (FETTLE_MAX_SUMS + 1) * rows * int64_t(sizeof(double)));
  layout.rowCoefficients = place(at, FETTLE_MAX_ROW_COEFFICIENTS * rows * int64_t(sizeof(float)));
  layout.bytes = at;
  return layout;
}

// Of the rule's own states: what stands behind them means nothing.
bool hasBlocks(const fettle_tensor& tensor, int states) {
  bool any = false;
  for (int k = 0; k < states; k++) any = any || FETTLE_TIER::isBlocked(tensor.state[k]);
  return any;
}

// The units of a rule's tensors, of those with states by blocks or of the others, and how they are launched.
int64_t fillUnitsOf(fettle_cuda_plan& handle, const fettle_plan& plan, int rule, bool blocks, int64_t first,
                    Unit* units) {
  const int states = statesOf(rule);
  int64_t at = first;
  for (int64_t i = 0; i < plan.tensor_count; i++) {
    if (ruleOf(plan, i) != rule || hasBlocks(plan.tensors[i], states) != blocks) continue;
    const int64_t chunks = chunksOf(plan.tensors[i]);
    for (int64_t k = 0; k < chunks; k++) units[at++] = {uint32_t(i), uint32_t(k)};
  }
  if (at == first) return at;
  RuleLaunch& launch = handle.rules[handle.ruleLaunches++];
  launch.kernels = kernelsOf(rule);
  if (blocks) {
    launch.kernels.apply = launch.kernels.applyBlocks;
    launch.kernels.gather = launch.kernels.gatherBlocks;
  }
  launch.span = {first, at};
  const char* const what = blocks ? ", blocks" : "";
  snprintf(launch.applyName, sizeof launch.applyName, "kernel apply<%s%s>", ruleIds[rule], what);
  snprintf(launch.gatherName, sizeof launch.gatherName, "kernel gather<%s%s>", ruleIds[rule], what);
  return at;
}

// The chunk table: the units of each rule's tensors together, in the plan's order.
void fillUnits(fettle_cuda_plan& handle, const fettle_plan& plan, Unit* units) {
  int64_t at = 0;
  for (int rule = 0; rule < ruleCount; rule++) {
    at = fillUnitsOf(handle, plan, rule, false, at, units);
    at = fillUnitsOf(handle, plan, rule, true, at, units);
  }
  handle.units = {0, at};
}

unsigned atLeastOne(int64_t blocks, int64_t most) {
  const int64_t limited = blocks < most ? blocks : most;
  return unsigned(limited > 1 ? limited : 1);
}

// The launch shapes. No result depends on them.
class Shapes {
 public:
  Shapes(const fettle_cuda_options& options, int device) : threads(unsigned(options.threads)), blocks(options.blocks) {
    error = cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, device);
    if (threads == 0) threads = mostThreads;
  }

  // As many blocks as the device holds at once, if there is work for them: each then walks over its share.
  template <class Kernel>
  Shape resident(Kernel* kernel, int64_t work, int64_t workPerBlock) {
    int perMultiprocessor = 1;
    const cudaError_t asked = cudaOccupancyMaxActiveBlocksPerMultiprocessor(
        &perMultiprocessor, reinterpret_cast<const void*>(kernel), int(threads), 0);
    if (asked != cudaSuccess) error = asked;
    const int64_t needed = (work + workPerBlock - 1) / workPerBlock;
    return chosen(needed, int64_t(multiprocessors) * (perMultiprocessor > 0 ? perMultiprocessor : 1));
  }

  Shape chosen(int64_t needed, int64_t most) const {
    if (blocks > 0) return {unsigned(blocks), threads};
    return {atLeastOne(needed, most), threads};
  }

  // Small blocks over many multiprocessors: a tensor a thread, whose work is a chain of a few slow operations.
  Shape spread(int64_t tensors) const {
    constexpr unsigned few = 64;
    const unsigned each = threads < few ? threads : few;
    const Shape shape = chosen((tensors + each - 1) / each, int64_t(multiprocessors) * 8);
    return {shape.blocks, each};
  }

  int64_t warps() const { return threads / warpThreads; }

  cudaError_t error = cudaSuccess;
  int multiprocessors = 1;
  unsigned threads;

 private:
  int64_t blocks;
};

cudaError_t fillShapes(fettle_cuda_plan& handle, const fettle_cuda_options& options) {
  Shapes shapes(options, handle.device);
  const int64_t tensors = handle.plan.tensor_count;
  for (int i = 0; i < handle.ruleLaunches; i++) {
    RuleLaunch& launch = handle.rules[i];
    const int64_t units = launch.span.last - launch.span.first;
    launch.applyShape = shapes.resident(launch.kernels.apply, units, 1);
    if (launch.kernels.gather != nullptr) {
      launch.gatherShape = shapes.resident(launch.kernels.gather, units, shapes.warps());
    }
  }
  handle.gradientShape = shapes.resident(FETTLE_TIER::gradient, handle.units.last, shapes.warps());
  handle.perThread = shapes.spread(tensors);
  handle.perBlock = shapes.chosen(tensors, int64_t(shapes.multiprocessors) * 4);
  return shapes.error;
}

void release(fettle_cuda_plan* handle) {
  if (handle->flag != nullptr) (void)cudaFreeHost(handle->flag);
  if (handle->arena != nullptr) (void)cudaFree(handle->arena);
  free(handle->tensors);
  free(handle->groups);
  free(handle);
}

template <class T>
T* copied(const T* from, int64_t count) {
  T* to = static_cast<T*>(malloc(size_t(count > 0 ? count : 1) * sizeof(T)));
  if (to != nullptr && count > 0) memcpy(to, from, size_t(count) * sizeof(T));
  return to;
}

// The rows' doubles stand together on the device; the host's lie where the caller has them.
void placeRowStates(fettle_cuda_plan& handle, const fettle_plan& plan, double* image) {
  int64_t at = 0;
  for (int64_t i = 0; i < plan.tensor_count; i++) {
    const fettle_tensor& tensor = plan.tensors[i];
    if (tensor.row_state == nullptr) continue;
    memcpy(image + at, tensor.row_state, size_t(tensor.rows) * sizeof(double));
    handle.tensors[i].row_state = handle.rowState + at;
    at += tensor.rows;
  }
}

// Fills the host's side and an image of the tables, and sends the image.
cudaError_t build(fettle_cuda_plan& handle, const fettle_plan& plan, const Layout& layout, char* image) {
  char* const base = static_cast<char*>(handle.arena);
  handle.plan = plan;
  handle.plan.tensors = reinterpret_cast<fettle_tensor*>(base + layout.tensors);
  handle.plan.groups = reinterpret_cast<fettle_group*>(base + layout.groups);
  handle.plan.sums = reinterpret_cast<double*>(base + layout.sums);
  handle.plan.tensor_sums = reinterpret_cast<double*>(base + layout.tensorSums);
  handle.plan.row_sums = reinterpret_cast<double*>(base + layout.rowSums);
  handle.plan.row_coefficients = reinterpret_cast<float*>(base + layout.rowCoefficients);
  handle.rowState = reinterpret_cast<double*>(base + layout.rowState);
  handle.rowStates = rowStates(plan);
  handle.tables = {reinterpret_cast<fettle_plan*>(base + layout.plan), handle.plan.tensors, handle.plan.groups,
                   reinterpret_cast<const Unit*>(base + layout.units),
                   reinterpret_cast<unsigned*>(base + layout.arrived)};
  placeRowStates(handle, plan, reinterpret_cast<double*>(image + layout.rowState));
  memcpy(image + layout.plan, &handle.plan, sizeof handle.plan);
  memcpy(image + layout.tensors, handle.tensors, size_t(plan.tensor_count) * sizeof(fettle_tensor));
  memcpy(image + layout.groups, handle.groups, size_t(plan.group_count) * sizeof(fettle_group));
  fillUnits(handle, plan, reinterpret_cast<Unit*>(image + layout.units));
  return copyTables(handle.arena, image, layout.tableBytes);
}

int32_t open(fettle_cuda_plan& handle, const fettle_plan& plan, const fettle_cuda_options& options, Reason reason) {
  handle.tensors = copied(plan.tensors, plan.tensor_count);
  handle.groups = copied(plan.groups, plan.group_count);
  const Layout layout = layoutOf(plan, reductionsOf(plan));
  char* const image = static_cast<char*>(calloc(1, size_t(layout.tableBytes)));
  int32_t status = FETTLE_OUT_OF_MEMORY;
  if (handle.tensors == nullptr || handle.groups == nullptr || image == nullptr) {
    explain(reason.text, reason.bytes, "no host memory for the plan's tables");
  } else {
    status = answer(cudaMalloc(&handle.arena, size_t(layout.bytes)), "cudaMalloc of the plan's tables", reason);
  }
  if (status == FETTLE_OK) {
    handle.arenaBytes = layout.bytes;
    status =
        answer(cudaMallocHost(reinterpret_cast<void**>(&handle.flag), sizeof *handle.flag), "cudaMallocHost", reason);
  }
  if (status == FETTLE_OK) status = answer(build(handle, plan, layout, image), "copying the plan's tables", reason);
  if (status == FETTLE_OK) status = answer(fillShapes(handle, options), "asking for launch shapes", reason);
  free(image);
  return status;
}

}  // namespace

}  // namespace fettle

using fettle::DeviceScope;
using fettle::Reason;

extern "C" {

int32_t fettle_cuda_plan_open(const fettle_plan* plan, const fettle_cuda_options* options, fettle_cuda_plan** handle,
                              char* reason, int64_t reason_bytes) {
  const Reason why = {reason, reason_bytes};
  if (handle == nullptr) return FETTLE_REFUSE(why, "handle is null");
  *handle = nullptr;
  if (options == nullptr || options->size != int64_t(sizeof *options)) {
    return FETTLE_REFUSE(why, "options is null or of another size");
  }
  const DeviceScope scope(options->device);
  if (scope.error != cudaSuccess) return fettle::answer(scope.error, "cudaSetDevice", why);
  int32_t status = fettle::checkPlan(plan, options, why);
  if (status != FETTLE_OK) return status;
  if (plan->gathers < fettle::reductionsOf(*plan).gathers) {
    return FETTLE_REFUSE(why, "gathers is %lld, fewer than a rule of the plan makes",
                         static_cast<long long>(plan->gathers));
  }
  fettle_cuda_plan* opened = static_cast<fettle_cuda_plan*>(calloc(1, sizeof(fettle_cuda_plan)));
  if (opened == nullptr) {
    fettle::explain(reason, reason_bytes, "no host memory for the plan");
    return FETTLE_OUT_OF_MEMORY;
  }
  opened->device = int(options->device);
  status = fettle::open(*opened, *plan, *options, why);
  if (status != FETTLE_OK) {
    fettle::release(opened);
    return status;
  }
  *handle = opened;
  return FETTLE_OK;
}

int32_t fettle_cuda_plan_close(fettle_cuda_plan* handle, char* reason, int64_t reason_bytes) {
  if (handle == nullptr) return FETTLE_OK;
  const Reason why = {reason, reason_bytes};
  const DeviceScope scope(handle->device);
  // Steps may still be running on any stream.
  const int32_t status = scope.error != cudaSuccess
                             ? fettle::answer(scope.error, "cudaSetDevice", why)
                             : fettle::answer(cudaDeviceSynchronize(), "cudaDeviceSynchronize", why);
  fettle::release(handle);
  return status;
}

int32_t fettle_cuda_plan_info_of(const fettle_cuda_plan* handle, fettle_cuda_plan_info* info, char* reason,
                                 int64_t reason_bytes) {
  if (handle == nullptr || info == nullptr || info->size != int64_t(sizeof *info)) {
    return FETTLE_REFUSE((Reason{reason, reason_bytes}), "handle or info is null, or info of another size");
  }
  info->device = handle->device;
  info->device_bytes = handle->arenaBytes;
  info->launches = 1 + handle->ruleLaunches + handle->plan.gathers;
  if (handle->plan.gradient_pass != 0) info->launches += handle->units.last > 0 ? 3 : 2;
  for (int i = 0; i < handle->ruleLaunches; i++) info->launches += handle->rules[i].kernels.gathers;
  return FETTLE_OK;
}
}
