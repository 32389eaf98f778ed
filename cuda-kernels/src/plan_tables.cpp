// Reading a plan's state back from the device and putting it there.
#include "device_plan.h"

#include <stdlib.h>
#include <string.h>

namespace fettle {

namespace {

// What both directions need to be true.
int32_t mayCopy(const fettle_cuda_plan* handle, const fettle_plan* tables, cudaStream_t stream, Reason reason) {
  if (tables->size != int64_t(sizeof *tables) || tables->tensor_count != handle->plan.tensor_count ||
      tables->group_count != handle->plan.group_count) {
    return FETTLE_REFUSE(reason, "the tables are not those that the plan was opened with");
  }
  bool capturing = false;
  const cudaError_t error = isCapturing(stream, &capturing);
  if (error != cudaSuccess) return answer(error, "cudaStreamIsCapturing", reason);
  if (capturing) return FETTLE_REFUSE(reason, "the stream is being captured");
  return FETTLE_OK;
}

cudaError_t copyAndWait(void* to, const void* from, size_t bytes, cudaStream_t stream) {
  cudaError_t error = cudaSuccess;
  if (bytes > 0) error = cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, stream);
  return error != cudaSuccess ? error : cudaStreamSynchronize(stream);
}

// Calls `with` for every tensor that keeps doubles per row: the host's, where they lie among the device's, their size.
template <class With>
void eachRowState(const fettle_cuda_plan& handle, const fettle_plan& host, With with) {
  for (int64_t i = 0; i < host.tensor_count; i++) {
    if (handle.tensors[i].row_state == nullptr || host.tensors[i].row_state == nullptr) continue;
    with(host.tensors[i].row_state, int64_t(handle.tensors[i].row_state - handle.rowState),
         size_t(handle.tensors[i].rows) * sizeof(double));
  }
}

// What a step changes of a tensor's line.
void takeResults(const fettle_tensor& from, fettle_tensor& to) {
  to.step = from.step;
  memcpy(to.scalars, from.scalars, sizeof to.scalars);
  memcpy(to.next_scalars, from.next_scalars, sizeof to.next_scalars);
  to.gradient_square = from.gradient_square;
  to.unscale = from.unscale;
  to.clip_value = from.clip_value;
  to.clip_factor = from.clip_factor;
  memcpy(to.average_keep, from.average_keep, sizeof to.average_keep);
  memcpy(to.average_take, from.average_take, sizeof to.average_take);
  memcpy(to.average_due, from.average_due, sizeof to.average_due);
  memcpy(to.coefficients, from.coefficients, sizeof to.coefficients);
}

}  // namespace

}  // namespace fettle

using fettle::DeviceScope;
using fettle::Reason;

extern "C" {

int32_t fettle_cuda_plan_read(fettle_cuda_plan* handle, fettle_plan* into, void* stream, char* reason,
                              int64_t reason_bytes) {
  const Reason why = {reason, reason_bytes};
  if (handle == nullptr || into == nullptr) return FETTLE_REFUSE(why, "handle or into is null");
  if (handle->broken) return fettle::answerBroken(*handle, why);
  const DeviceScope scope(handle->device);
  if (scope.error != cudaSuccess) return fettle::answer(scope.error, "cudaSetDevice", why);
  const cudaStream_t on = static_cast<cudaStream_t>(stream);
  const int32_t status = fettle::mayCopy(handle, into, on, why);
  if (status != FETTLE_OK) return status;

  const int64_t tensors = handle->plan.tensor_count;
  const size_t bytes = size_t(tensors) * sizeof(fettle_tensor);
  const size_t rowBytes = size_t(handle->rowStates) * sizeof(double);
  char* const memory = static_cast<char*>(malloc(bytes + rowBytes + 1));
  if (memory == nullptr) {
    fettle::explain(reason, reason_bytes, "no host memory for the plan's tables");
    return FETTLE_OUT_OF_MEMORY;
  }
  fettle_tensor* const lines = reinterpret_cast<fettle_tensor*>(memory);
  double* const rows = reinterpret_cast<double*>(memory + bytes);
  fettle_plan plan = {};
  cudaError_t error = fettle::copyAndWait(lines, handle->tables.tensors, bytes, on);
  if (error == cudaSuccess) error = fettle::copyAndWait(&plan, handle->tables.plan, sizeof plan, on);
  if (error == cudaSuccess) error = fettle::copyAndWait(rows, handle->rowState, rowBytes, on);
  if (error == cudaSuccess) {
    for (int64_t i = 0; i < tensors; i++) fettle::takeResults(lines[i], into->tensors[i]);
    fettle::eachRowState(*handle, *into, [&](double* host, int64_t at, size_t size) { memcpy(host, rows + at, size); });
    into->non_finite = plan.non_finite;
    into->gradient_norm = plan.gradient_norm;
    into->rule_norm = plan.rule_norm;
  }
  free(memory);
  // Reading is where a kernel's failure comes to light.
  return error == cudaSuccess ? FETTLE_OK : fettle::breakPlan(*handle, error, "reading the plan's tables", why);
}

int32_t fettle_cuda_plan_write(fettle_cuda_plan* handle, const fettle_plan* from, void* stream, char* reason,
                               int64_t reason_bytes) {
  const Reason why = {reason, reason_bytes};
  if (handle == nullptr || from == nullptr) return FETTLE_REFUSE(why, "handle or from is null");
  if (handle->broken) return fettle::answerBroken(*handle, why);
  const DeviceScope scope(handle->device);
  if (scope.error != cudaSuccess) return fettle::answer(scope.error, "cudaSetDevice", why);
  const cudaStream_t on = static_cast<cudaStream_t>(stream);
  const int32_t status = fettle::mayCopy(handle, from, on, why);
  if (status != FETTLE_OK) return status;

  // The host's copy of the tables holds everything else that must stay as it is; what a step forms is formed anew.
  for (int64_t i = 0; i < handle->plan.tensor_count; i++) {
    handle->tensors[i].step = from->tensors[i].step;
    memcpy(handle->tensors[i].scalars, from->tensors[i].scalars, sizeof from->tensors[i].scalars);
  }
  for (int64_t i = 0; i < handle->plan.group_count; i++) {
    memcpy(handle->groups[i].hyper, from->groups[i].hyper, sizeof from->groups[i].hyper);
  }
  const size_t lines = size_t(handle->plan.tensor_count) * sizeof(fettle_tensor);
  const size_t groups = size_t(handle->plan.group_count) * sizeof(fettle_group);
  cudaError_t error = fettle::copyAndWait(handle->tables.tensors, handle->tensors, lines, on);
  fettle::eachRowState(*handle, *from, [&](const double* host, int64_t at, size_t size) {
    if (error == cudaSuccess) error = fettle::copyAndWait(handle->rowState + at, host, size, on);
  });
  if (error == cudaSuccess) error = fettle::copyAndWait(handle->tables.groups, handle->groups, groups, on);
  return error == cudaSuccess ? FETTLE_OK : fettle::breakPlan(*handle, error, "writing the plan's tables", why);
}
}
