// A step: which kernels are launched, in which order, with what. Nothing here waits, but for FETTLE_RAISE's question.
#include "device_plan.h"

#include <math.h>
#include <string.h>

namespace fettle {

int32_t breakPlan(fettle_cuda_plan& plan, cudaError_t error, const char* call, Reason reason) {
  plan.broken = true;
  const int32_t status = answer(error, call, {plan.failure, int64_t(sizeof plan.failure)});
  explain(reason.text, reason.bytes, "%s", plan.failure);
  return status == FETTLE_OUT_OF_MEMORY ? int32_t(FETTLE_CUDA_ERROR) : status;
}

int32_t answerBroken(const fettle_cuda_plan& plan, Reason reason) {
  explain(reason.text, reason.bytes, "the plan is broken since: %s", plan.failure);
  return FETTLE_CUDA_ERROR;
}

cudaError_t isCapturing(cudaStream_t stream, bool* capturing) {
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  const cudaError_t error = cudaStreamIsCapturing(stream, &status);
  *capturing = status != cudaStreamCaptureStatusNone;
  return error;
}

namespace {

using FETTLE_TIER::Addresses;
using FETTLE_TIER::Arguments;

int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

// One kernel's worth of arguments; answers whether anything is left for another.
bool fillArguments(const fettle_cuda_plan& plan, const fettle_cuda_arguments& from, int64_t slice, Arguments& to) {
  to.lossScale = isnan(from.loss_scale) ? plan.plan.loss_scale : from.loss_scale;
  to.firstGroup = least(slice * Arguments::mostGroups, plan.plan.group_count);
  to.firstTensor = least(slice * Arguments::mostTensors, plan.plan.tensor_count);
  const int64_t groups = from.lr == nullptr ? 0 : plan.plan.group_count - to.firstGroup;
  const int64_t tensors = from.active == nullptr ? 0 : plan.plan.tensor_count - to.firstTensor;
  to.groups = int32_t(least(groups, Arguments::mostGroups));
  to.tensors = int32_t(least(tensors, Arguments::mostTensors));
  for (int32_t i = 0; i < to.groups; i++) to.lr[i] = from.lr[to.firstGroup + i];
  memset(to.active, 0, sizeof to.active);
  for (int32_t i = 0; i < to.tensors; i++) {
    if (from.active[to.firstTensor + i] != 0) to.active[i / 32] |= 1u << (i % 32);
  }
  return groups > Arguments::mostGroups || tensors > Arguments::mostTensors;
}

// Whether the arguments say something that the device has not been told.
bool differs(const fettle_cuda_plan& plan, const fettle_cuda_arguments& arguments) {
  if (!isnan(arguments.loss_scale) && arguments.loss_scale != plan.plan.loss_scale) return true;
  for (int64_t i = 0; arguments.lr != nullptr && i < plan.plan.group_count; i++) {
    if (memcmp(&arguments.lr[i], &plan.groups[i].hyper[0], sizeof(double)) != 0) return true;
  }
  for (int64_t i = 0; arguments.active != nullptr && i < plan.plan.tensor_count; i++) {
    if ((arguments.active[i] != 0) != (plan.tensors[i].active != 0)) return true;
  }
  return false;
}

void remember(fettle_cuda_plan& plan, const fettle_cuda_arguments& arguments) {
  if (!isnan(arguments.loss_scale)) plan.plan.loss_scale = arguments.loss_scale;
  for (int64_t i = 0; arguments.lr != nullptr && i < plan.plan.group_count; i++) {
    plan.groups[i].hyper[0] = arguments.lr[i];
  }
  for (int64_t i = 0; arguments.active != nullptr && i < plan.plan.tensor_count; i++) {
    plan.tensors[i].active = arguments.active[i] != 0 ? 1 : 0;
  }
}

// The arguments travel in the kernel's own parameters: those are copied at the launch, so nothing can overtake them.
void stageAll(fettle_cuda_plan& plan, const fettle_cuda_arguments& arguments, Launcher& launcher) {
  if (!differs(plan, arguments)) return;
  Arguments slice;
  bool more = true;
  for (int64_t i = 0; more; i++) {
    more = fillArguments(plan, arguments, i, slice);
    launcher.launch("kernel stage", FETTLE_TIER::stage, plan.perThread, plan.tables, slice);
  }
  if (launcher.error == cudaSuccess) remember(plan, arguments);
}

// FETTLE_RAISE: waits for the gradient pass and asks whether it found a value that is not finite.
cudaError_t askNonFinite(fettle_cuda_plan& plan, cudaStream_t stream, bool* stopped) {
  const int64_t* flag = &plan.tables.plan->non_finite;
  cudaError_t error = cudaMemcpyAsync(plan.flag, flag, sizeof *plan.flag, cudaMemcpyDeviceToHost, stream);
  if (error == cudaSuccess) error = cudaStreamSynchronize(stream);
  *stopped = error == cudaSuccess && *plan.flag != 0;
  return error;
}

int32_t stepOn(fettle_cuda_plan& plan, const fettle_cuda_arguments* arguments, cudaStream_t stream, Reason reason) {
  Launcher launcher(stream);
  const auto& tables = plan.tables;
  if (arguments != nullptr) stageAll(plan, *arguments, launcher);
  launcher.launch("kernel begin", FETTLE_TIER::begin, plan.perThread, tables);
  if (plan.plan.gradient_pass != 0) {
    if (plan.units.last > 0) {
      launcher.launch("kernel gradient", FETTLE_TIER::gradient, plan.gradientShape, tables, plan.units);
    }
    launcher.launch("kernel norms", FETTLE_TIER::norms, plan.perBlock, tables);
    launcher.launch("kernel prepare", FETTLE_TIER::prepare, plan.perThread, tables);
    if (plan.plan.non_finite_policy == FETTLE_RAISE && launcher.error == cudaSuccess) {
      bool stopped = false;
      const cudaError_t error = askNonFinite(plan, stream, &stopped);
      if (error != cudaSuccess) return breakPlan(plan, error, "the gradient pass", reason);
      if (stopped) {
        explain(reason.text, reason.bytes, "a gradient is infinite or NaN");
        return FETTLE_NON_FINITE;
      }
    }
  }
  for (int gather = 0; gather < int(plan.plan.gathers); gather++) {
    for (int i = 0; i < plan.ruleLaunches; i++) {
      const RuleLaunch& rule = plan.rules[i];
      if (gather >= rule.kernels.gathers) continue;
      launcher.launch(rule.gatherName, rule.kernels.gather, rule.gatherShape, tables, rule.span, gather);
    }
    launcher.launch("kernel combine", FETTLE_TIER::combine, plan.perBlock, tables, gather);
  }
  for (int i = 0; i < plan.ruleLaunches; i++) {
    const RuleLaunch& rule = plan.rules[i];
    launcher.launch(rule.applyName, rule.kernels.apply, rule.applyShape, tables, rule.span);
  }
  if (launcher.error != cudaSuccess) return breakPlan(plan, launcher.error, launcher.failed, reason);
  return FETTLE_OK;
}

// Refuses arguments of another layout and those that ask for a step on a tensor without a gradient.
int32_t checkArguments(const fettle_cuda_plan& plan, const fettle_cuda_arguments& arguments, Reason reason) {
  if (arguments.size != int64_t(sizeof arguments)) return FETTLE_REFUSE(reason, "arguments is of another size");
  for (int64_t i = 0; arguments.active != nullptr && i < plan.plan.tensor_count; i++) {
    const fettle_tensor& tensor = plan.tensors[i];
    if (arguments.active[i] != 0 && tensor.gradient.data == nullptr && tensor.elements != 0) {
      return FETTLE_REFUSE(reason, "tensor %lld: active without a gradient", static_cast<long long>(i));
    }
  }
  return FETTLE_OK;
}

}  // namespace

}  // namespace fettle

using fettle::DeviceScope;
using fettle::Reason;

extern "C" {

int32_t fettle_cuda_plan_step(fettle_cuda_plan* handle, const fettle_cuda_arguments* arguments, void* stream,
                              char* reason, int64_t reason_bytes) {
  const Reason why = {reason, reason_bytes};
  if (handle == nullptr) return FETTLE_REFUSE(why, "handle is null");
  if (handle->broken) return fettle::answerBroken(*handle, why);
  if (arguments != nullptr) {
    const int32_t status = fettle::checkArguments(*handle, *arguments, why);
    if (status != FETTLE_OK) return status;
  }
  const DeviceScope scope(handle->device);
  if (scope.error != cudaSuccess) return fettle::answer(scope.error, "cudaSetDevice", why);
  const cudaStream_t on = static_cast<cudaStream_t>(stream);
  bool capturing = false;
  const cudaError_t error = fettle::isCapturing(on, &capturing);
  if (error != cudaSuccess) return fettle::answer(error, "cudaStreamIsCapturing", why);
  if (capturing && arguments != nullptr) {
    return FETTLE_REFUSE(why, "a captured step takes no arguments: stage them before each replay");
  }
  if (capturing && handle->plan.gradient_pass != 0 && handle->plan.non_finite_policy == FETTLE_RAISE) {
    return FETTLE_REFUSE(why,
                         "a step that raises on a non-finite gradient waits, so it cannot be captured: skip instead");
  }
  return fettle::stepOn(*handle, arguments, on, why);
}

int32_t fettle_cuda_plan_stage(fettle_cuda_plan* handle, const fettle_cuda_arguments* arguments, void* stream,
                               char* reason, int64_t reason_bytes) {
  const Reason why = {reason, reason_bytes};
  if (handle == nullptr || arguments == nullptr) return FETTLE_REFUSE(why, "handle or arguments is null");
  if (handle->broken) return fettle::answerBroken(*handle, why);
  const int32_t status = fettle::checkArguments(*handle, *arguments, why);
  if (status != FETTLE_OK) return status;
  const DeviceScope scope(handle->device);
  if (scope.error != cudaSuccess) return fettle::answer(scope.error, "cudaSetDevice", why);
  const cudaStream_t on = static_cast<cudaStream_t>(stream);
  bool capturing = false;
  const cudaError_t error = fettle::isCapturing(on, &capturing);
  if (error != cudaSuccess) return fettle::answer(error, "cudaStreamIsCapturing", why);
  if (capturing) return FETTLE_REFUSE(why, "stage belongs before a replay, not into the captured stream");
  fettle::Launcher launcher(on);
  fettle::stageAll(*handle, *arguments, launcher);
  if (launcher.error != cudaSuccess) return fettle::breakPlan(*handle, launcher.error, launcher.failed, why);
  return FETTLE_OK;
}

int32_t fettle_cuda_plan_rebind(fettle_cuda_plan* handle, int64_t first, int64_t count, const fettle_operand* gradients,
                                void* stream, char* reason, int64_t reason_bytes) {
  using fettle::FETTLE_TIER::Addresses;
  const Reason why = {reason, reason_bytes};
  if (handle == nullptr || gradients == nullptr) return FETTLE_REFUSE(why, "handle or gradients is null");
  const int64_t tensors = handle->plan.tensor_count;
  if (first < 0 || count < 0 || first > tensors || count > tensors - first) {
    return FETTLE_REFUSE(why, "tensors %lld and %lld more are not in the plan", static_cast<long long>(first),
                         static_cast<long long>(count));
  }
  if (handle->broken) return fettle::answerBroken(*handle, why);
  const DeviceScope scope(handle->device);
  if (scope.error != cudaSuccess) return fettle::answer(scope.error, "cudaSetDevice", why);
  const cudaStream_t on = static_cast<cudaStream_t>(stream);
  bool capturing = false;
  const cudaError_t error = fettle::isCapturing(on, &capturing);
  if (error != cudaSuccess) return fettle::answer(error, "cudaStreamIsCapturing", why);
  if (capturing) return FETTLE_REFUSE(why, "rebind belongs before a replay, not into the captured stream");
  // Only what changed is looked at: a framework's allocator mostly hands out the same addresses again.
  int64_t changed = 0;
  for (int64_t i = 0; i < count; i++) {
    const fettle_operand& present = handle->tensors[first + i].gradient;
    if (gradients[i].data == present.data && gradients[i].dtype == present.dtype) continue;
    const int32_t status = fettle::checkGradient(*handle, first + i, gradients[i], why);
    if (status != FETTLE_OK) return status;
    changed++;
  }
  if (changed == 0) return FETTLE_OK;
  fettle::Launcher launcher(on);
  for (int64_t done = 0; done < count; done += Addresses::most) {
    Addresses slice = {};
    slice.firstTensor = first + done;
    slice.tensors = int32_t(fettle::least(count - done, Addresses::most));
    for (int32_t i = 0; i < slice.tensors; i++) {
      slice.address[i] = gradients[done + i].data;
      slice.dtype[i] = uint8_t(gradients[done + i].dtype);
    }
    launcher.launch("kernel rebind", fettle::FETTLE_TIER::rebind, handle->perThread, handle->tables, slice);
  }
  if (launcher.error != cudaSuccess) return fettle::breakPlan(*handle, launcher.error, launcher.failed, why);
  for (int64_t i = 0; i < count; i++) {
    fettle_tensor& tensor = handle->tensors[first + i];
    tensor.gradient.data = gradients[i].data;
    tensor.gradient.dtype = gradients[i].dtype;
    if (gradients[i].data == nullptr) tensor.active = 0;
  }
  return FETTLE_OK;
}
}
