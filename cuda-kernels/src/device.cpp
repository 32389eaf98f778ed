// Memory, streams, events and graphs: what a user without the CUDA presets needs around a step.
#include "answer.h"

using fettle::answer;
using fettle::DeviceScope;
using fettle::Reason;

namespace {

cudaStream_t streamOf(void* stream) { return static_cast<cudaStream_t>(stream); }
cudaEvent_t eventOf(void* event) { return static_cast<cudaEvent_t>(event); }
cudaGraphExec_t graphOf(void* graph) { return static_cast<cudaGraphExec_t>(graph); }

// Runs one CUDA call on a device; name is the call's for the reason.
template <class Call>
int32_t on(int32_t device, const char* name, char* reason, int64_t reason_bytes, Call call) {
  const DeviceScope scope(device);
  if (scope.error != cudaSuccess) return answer(scope.error, "cudaSetDevice", {reason, reason_bytes});
  return answer(call(), name, {reason, reason_bytes});
}

int32_t refuse(const char* what, char* reason, int64_t reason_bytes) {
  return FETTLE_REFUSE((Reason{reason, reason_bytes}), "%s", what);
}

}  // namespace

extern "C" {

int32_t fettle_cuda_allocate(int32_t device, int64_t bytes, void** memory, char* reason, int64_t reason_bytes) {
  if (memory == nullptr) return refuse("memory is null", reason, reason_bytes);
  *memory = nullptr;
  if (bytes <= 0) return refuse("bytes must be more than 0", reason, reason_bytes);
  return on(device, "cudaMalloc", reason, reason_bytes, [&] { return cudaMalloc(memory, size_t(bytes)); });
}

int32_t fettle_cuda_release(int32_t device, void* memory, char* reason, int64_t reason_bytes) {
  if (memory == nullptr) return FETTLE_OK;
  return on(device, "cudaFree", reason, reason_bytes, [&] { return cudaFree(memory); });
}

int32_t fettle_cuda_copy(int32_t device, void* to, const void* from, int64_t bytes, void* stream, char* reason,
                         int64_t reason_bytes) {
  if (bytes == 0) return FETTLE_OK;
  if (to == nullptr || from == nullptr || bytes < 0) return refuse("to, from or bytes", reason, reason_bytes);
  return on(device, "cudaMemcpyAsync", reason, reason_bytes, [&] {
    const cudaError_t error = cudaMemcpyAsync(to, from, size_t(bytes), cudaMemcpyDefault, streamOf(stream));
    return error != cudaSuccess ? error : cudaStreamSynchronize(streamOf(stream));
  });
}

int32_t fettle_cuda_fill(int32_t device, void* memory, int32_t value, int64_t bytes, void* stream, char* reason,
                         int64_t reason_bytes) {
  if (bytes == 0) return FETTLE_OK;
  if (memory == nullptr || bytes < 0) return refuse("memory or bytes", reason, reason_bytes);
  return on(device, "cudaMemsetAsync", reason, reason_bytes,
            [&] { return cudaMemsetAsync(memory, value, size_t(bytes), streamOf(stream)); });
}

int32_t fettle_cuda_stream_create(int32_t device, void** stream, char* reason, int64_t reason_bytes) {
  if (stream == nullptr) return refuse("stream is null", reason, reason_bytes);
  *stream = nullptr;
  return on(device, "cudaStreamCreateWithFlags", reason, reason_bytes, [&] {
    cudaStream_t created = nullptr;
    const cudaError_t error = cudaStreamCreateWithFlags(&created, cudaStreamNonBlocking);
    if (error == cudaSuccess) *stream = created;
    return error;
  });
}

int32_t fettle_cuda_stream_destroy(int32_t device, void* stream, char* reason, int64_t reason_bytes) {
  if (stream == nullptr) return FETTLE_OK;
  return on(device, "cudaStreamDestroy", reason, reason_bytes, [&] { return cudaStreamDestroy(streamOf(stream)); });
}

int32_t fettle_cuda_stream_synchronize(int32_t device, void* stream, char* reason, int64_t reason_bytes) {
  return on(device, "cudaStreamSynchronize", reason, reason_bytes,
            [&] { return cudaStreamSynchronize(streamOf(stream)); });
}

int32_t fettle_cuda_event_create(int32_t device, void** event, char* reason, int64_t reason_bytes) {
  if (event == nullptr) return refuse("event is null", reason, reason_bytes);
  *event = nullptr;
  return on(device, "cudaEventCreate", reason, reason_bytes, [&] {
    cudaEvent_t created = nullptr;
    const cudaError_t error = cudaEventCreate(&created);
    if (error == cudaSuccess) *event = created;
    return error;
  });
}

int32_t fettle_cuda_event_record(int32_t device, void* event, void* stream, char* reason, int64_t reason_bytes) {
  if (event == nullptr) return refuse("event is null", reason, reason_bytes);
  return on(device, "cudaEventRecord", reason, reason_bytes,
            [&] { return cudaEventRecord(eventOf(event), streamOf(stream)); });
}

int32_t fettle_cuda_event_elapsed(int32_t device, void* first, void* second, float* milliseconds, char* reason,
                                  int64_t reason_bytes) {
  if (first == nullptr || second == nullptr || milliseconds == nullptr) {
    return refuse("first, second or milliseconds is null", reason, reason_bytes);
  }
  return on(device, "cudaEventElapsedTime", reason, reason_bytes, [&] {
    const cudaError_t error = cudaEventSynchronize(eventOf(second));
    return error != cudaSuccess ? error : cudaEventElapsedTime(milliseconds, eventOf(first), eventOf(second));
  });
}

int32_t fettle_cuda_event_destroy(int32_t device, void* event, char* reason, int64_t reason_bytes) {
  if (event == nullptr) return FETTLE_OK;
  return on(device, "cudaEventDestroy", reason, reason_bytes, [&] { return cudaEventDestroy(eventOf(event)); });
}

int32_t fettle_cuda_capture_begin(int32_t device, void* stream, char* reason, int64_t reason_bytes) {
  if (stream == nullptr) return refuse("the default stream cannot be captured", reason, reason_bytes);
  return on(device, "cudaStreamBeginCapture", reason, reason_bytes,
            [&] { return cudaStreamBeginCapture(streamOf(stream), cudaStreamCaptureModeThreadLocal); });
}

int32_t fettle_cuda_capture_end(int32_t device, void* stream, void** graph, char* reason, int64_t reason_bytes) {
  if (graph == nullptr) return refuse("graph is null", reason, reason_bytes);
  *graph = nullptr;
  return on(device, "cudaStreamEndCapture", reason, reason_bytes, [&] {
    cudaGraph_t captured = nullptr;
    cudaError_t error = cudaStreamEndCapture(streamOf(stream), &captured);
    if (error != cudaSuccess) return error;
    cudaGraphExec_t executable = nullptr;
    error = cudaGraphInstantiate(&executable, captured, 0);
    if (error == cudaSuccess) *graph = executable;
    const cudaError_t destroyed = cudaGraphDestroy(captured);
    return error != cudaSuccess ? error : destroyed;
  });
}

int32_t fettle_cuda_graph_launch(int32_t device, void* graph, void* stream, char* reason, int64_t reason_bytes) {
  if (graph == nullptr) return refuse("graph is null", reason, reason_bytes);
  return on(device, "cudaGraphLaunch", reason, reason_bytes,
            [&] { return cudaGraphLaunch(graphOf(graph), streamOf(stream)); });
}

int32_t fettle_cuda_graph_destroy(int32_t device, void* graph, char* reason, int64_t reason_bytes) {
  if (graph == nullptr) return FETTLE_OK;
  return on(device, "cudaGraphExecDestroy", reason, reason_bytes, [&] { return cudaGraphExecDestroy(graphOf(graph)); });
}
}
