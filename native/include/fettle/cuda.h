/* Fettle on CUDA: a library of its own, which the CPU library opens on a machine that has a driver.
 *
 * Three groups of functions:
 *   fettle_cuda_open, fettle_cuda_close   in the CPU library
 *   fettle_cuda_call_NAME                 in the CPU library: calls NAME of an opened CUDA library
 *   fettle_cuda_NAME                      in the CUDA library itself, which can also be linked directly
 */
#ifndef FETTLE_CUDA_H
#define FETTLE_CUDA_H

#include <fettle/fettle.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An opened CUDA library: the table of its functions. */
typedef struct fettle_cuda fettle_cuda;

/* What fettle_cuda_device_info() answers about one device. */
typedef struct fettle_cuda_device {
  int64_t size; /* sizeof(fettle_cuda_device), set by the caller */
  int64_t compute_major;
  int64_t compute_minor;
  int64_t multiprocessors;
  int64_t memory_bytes;
  int64_t driver_version;  /* 13000 is 13.0 */
  int64_t runtime_version; /* of the CUDA runtime inside the library */
  char name[256];
} fettle_cuda_device;

/* Opens the CUDA library, after looking for the driver (libcuda.so.1).
 * \param[in]  path          the file libfettle_cuda.so
 * \param[out] cuda          the opened library; NULL unless the call answers FETTLE_OK
 * \param[out] reason        why not, as text; may be NULL
 * \param[in]  reason_bytes  size of reason
 * \return FETTLE_OK, or FETTLE_UNAVAILABLE with the reason: no driver, no such file, a missing function,
 *         another ABI version or build
 */
FETTLE_API int32_t fettle_cuda_open(const char* path, fettle_cuda** cuda, char* reason, int64_t reason_bytes);

/* Frees the table. The CUDA library itself stays in the process: the CUDA runtime does not like to be unloaded.
 * \param[in] cuda  an opened library or NULL
 */
FETTLE_API void fettle_cuda_close(fettle_cuda* cuda);

/* The FETTLE_ABI_VERSION and the build id that the CUDA library was compiled with. */
FETTLE_API int32_t fettle_cuda_abi_version(void);
FETTLE_API const char* fettle_cuda_build_id(void);

/* How many devices the driver offers.
 * \param[out] count         0 unless the call answers FETTLE_OK
 * \param[out] reason        the CUDA error's name and text; may be NULL
 * \param[in]  reason_bytes  size of reason
 * \return FETTLE_OK, FETTLE_UNAVAILABLE (driver too old, no device), FETTLE_CUDA_ERROR, FETTLE_INVALID_ARGUMENT
 */
FETTLE_API int32_t fettle_cuda_device_count(int32_t* count, char* reason, int64_t reason_bytes);

/* What one device is.
 * \param[in]     device        from 0
 * \param[in,out] info          size set by the caller, the rest written
 * \param[out]    reason        the CUDA error's name and text; may be NULL
 * \param[in]     reason_bytes  size of reason
 * \return FETTLE_OK, FETTLE_CUDA_ERROR, FETTLE_INVALID_ARGUMENT
 */
FETTLE_API int32_t fettle_cuda_device_info(int32_t device, fettle_cuda_device* info, char* reason,
                                           int64_t reason_bytes);

/* Every function below ends with the same two parameters and answers the same way:
 * \param[out] reason        why not, as text: the CUDA error's name and what it came from (a kernel's name, if one);
 *                           may be NULL; untouched where the call answers FETTLE_OK
 * \param[in]  reason_bytes  size of reason
 * \return FETTLE_OK, FETTLE_INVALID_ARGUMENT, FETTLE_OUT_OF_MEMORY, FETTLE_UNAVAILABLE, FETTLE_CUDA_ERROR
 * Each works on the device that it is given or that its plan was opened on, and leaves the calling thread's current
 * device as it found it. A stream is the caller's cudaStream_t (CUstream_st*); NULL is the default stream.
 */

/* Device memory, for states and for users without the CUDA presets. Not zeroed.
 * \param[in]  bytes   more than 0
 * \param[out] memory  the address, at least 256-byte aligned; NULL unless FETTLE_OK
 */
FETTLE_API int32_t fettle_cuda_allocate(int32_t device, int64_t bytes, void** memory, char* reason,
                                        int64_t reason_bytes);

/* Gives back what fettle_cuda_allocate gave. NULL is fine. */
FETTLE_API int32_t fettle_cuda_release(int32_t device, void* memory, char* reason, int64_t reason_bytes);

/* Copies between host and device memory in either direction and waits for it. bytes may be 0. */
FETTLE_API int32_t fettle_cuda_copy(int32_t device, void* to, const void* from, int64_t bytes, void* stream,
                                    char* reason, int64_t reason_bytes);

/* Fills device memory with a byte, in the stream's order, without waiting. bytes may be 0. */
FETTLE_API int32_t fettle_cuda_fill(int32_t device, void* memory, int32_t value, int64_t bytes, void* stream,
                                    char* reason, int64_t reason_bytes);

/* Streams that do not wait for the default stream. */
FETTLE_API int32_t fettle_cuda_stream_create(int32_t device, void** stream, char* reason, int64_t reason_bytes);
FETTLE_API int32_t fettle_cuda_stream_destroy(int32_t device, void* stream, char* reason, int64_t reason_bytes);
FETTLE_API int32_t fettle_cuda_stream_synchronize(int32_t device, void* stream, char* reason, int64_t reason_bytes);

/* Events for timing: milliseconds passed on the device between two recorded ones. elapsed waits for the second. */
FETTLE_API int32_t fettle_cuda_event_create(int32_t device, void** event, char* reason, int64_t reason_bytes);
FETTLE_API int32_t fettle_cuda_event_record(int32_t device, void* event, void* stream, char* reason,
                                            int64_t reason_bytes);
FETTLE_API int32_t fettle_cuda_event_elapsed(int32_t device, void* first, void* second, float* milliseconds,
                                             char* reason, int64_t reason_bytes);
FETTLE_API int32_t fettle_cuda_event_destroy(int32_t device, void* event, char* reason, int64_t reason_bytes);

/* Graphs: what is enqueued on a stream between begin and end is recorded instead of run, and can be run again. */
FETTLE_API int32_t fettle_cuda_capture_begin(int32_t device, void* stream, char* reason, int64_t reason_bytes);
FETTLE_API int32_t fettle_cuda_capture_end(int32_t device, void* stream, void** graph, char* reason,
                                           int64_t reason_bytes);
FETTLE_API int32_t fettle_cuda_graph_launch(int32_t device, void* graph, void* stream, char* reason,
                                            int64_t reason_bytes);
FETTLE_API int32_t fettle_cuda_graph_destroy(int32_t device, void* graph, char* reason, int64_t reason_bytes);

/* A plan on a device. One thread at a time may use one; its steps, and what is staged, rebound, read and written between
 * them, take effect in the order of their streams, so either use one stream or order the streams yourself. */
typedef struct fettle_cuda_plan fettle_cuda_plan;

typedef struct fettle_cuda_options {
  int64_t size;    /* sizeof(fettle_cuda_options), set by the caller */
  int64_t device;  /* from 0 */
  int64_t threads; /* of a block: a multiple of 32 up to 256; 0: chosen. No result depends on it. */
  int64_t blocks;  /* of a grid; 0: chosen. No result depends on it. */
} fettle_cuda_options;

/* What may change from step to step. */
typedef struct fettle_cuda_arguments {
  int64_t size;          /* sizeof(fettle_cuda_arguments), set by the caller */
  const double* lr;      /* one per group; NULL: as they were */
  const uint8_t* active; /* one per tensor, 0: left alone; NULL: as they were */
  double loss_scale;     /* NaN: as it was */
} fettle_cuda_arguments;

typedef struct fettle_cuda_plan_info {
  int64_t size;         /* sizeof(fettle_cuda_plan_info), set by the caller */
  int64_t device;
  int64_t device_bytes; /* tables and scratch */
  int64_t launches;     /* kernels of a step, whatever the number of tensors; staging comes on top */
} fettle_cuda_plan_info;

/* Puts a plan on a device: checks its tables, copies them there, allocates the scratch. Waits for the copies.
 * \param[in]  plan     tables of a validated plan in host memory; the operands' addresses and the masks are device
 *                      memory, aligned to their elements; row_state is host memory and copied; the scratch (sums,
 *                      tensor_sums, row_sums, row_coefficients) is not read. The tables may go afterwards, what the
 *                      operands point to must stay. A gradient may be NULL where active is 0.
 * \param[in]  options  device and launch shape
 * \param[out] handle   the plan on the device; NULL unless FETTLE_OK
 */
FETTLE_API int32_t fettle_cuda_plan_open(const fettle_plan* plan, const fettle_cuda_options* options,
                                         fettle_cuda_plan** handle, char* reason, int64_t reason_bytes);

/* Waits for the device and frees the plan's tables and scratch. NULL is fine. */
FETTLE_API int32_t fettle_cuda_plan_close(fettle_cuda_plan* handle, char* reason, int64_t reason_bytes);

FETTLE_API int32_t fettle_cuda_plan_info_of(const fettle_cuda_plan* handle, fettle_cuda_plan_info* info, char* reason,
                                            int64_t reason_bytes);

/* Sets arguments for the steps that follow on the stream, without waiting: also for replays of a captured step. They
 * travel by value in the stream's order, so a replay that is still running keeps the ones that it was launched with.
 * Refused while the stream is being captured.
 */
FETTLE_API int32_t fettle_cuda_plan_stage(fettle_cuda_plan* handle, const fettle_cuda_arguments* arguments,
                                          void* stream, char* reason, int64_t reason_bytes);

/* Enqueues one step. Neither waits nor allocates, except that FETTLE_RAISE waits for the gradient pass.
 * \param[in] arguments  staged before the step; NULL: as they were. Must be NULL while the stream is being captured:
 *                       stage before each replay instead.
 * \return FETTLE_NON_FINITE where FETTLE_RAISE stopped the step; nothing was changed. FETTLE_RAISE is refused while the
 *         stream is being captured. After FETTLE_CUDA_ERROR the plan answers only that: its step may be half done.
 */
FETTLE_API int32_t fettle_cuda_plan_step(fettle_cuda_plan* handle, const fettle_cuda_arguments* arguments, void* stream,
                                         char* reason, int64_t reason_bytes);

/* Replaces the gradients of tensors first .. first + count - 1, in the stream's order, without waiting. Of each operand
 * data and dtype are read; without data the tensor is left alone until it is given a gradient and staged as active.
 * Refused while the stream is being captured; a captured step sees gradients that are rebound between replays.
 */
FETTLE_API int32_t fettle_cuda_plan_rebind(fettle_cuda_plan* handle, int64_t first, int64_t count,
                                           const fettle_operand* gradients, void* stream, char* reason,
                                           int64_t reason_bytes);

/* Waits for the stream and copies into the host's tables what steps have changed: of every tensor step, scalars,
 * next_scalars and what lies behind them, and what row_state points to; of the plan non_finite, gradient_norm and
 * rule_norm.
 */
FETTLE_API int32_t fettle_cuda_plan_read(fettle_cuda_plan* handle, fettle_plan* into, void* stream, char* reason,
                                         int64_t reason_bytes);

/* Takes step, scalars and row_state of every tensor and the groups' hyperparameters from the host's tables. Waits for
 * the stream. */
FETTLE_API int32_t fettle_cuda_plan_write(fettle_cuda_plan* handle, const fettle_plan* from, void* stream, char* reason,
                                          int64_t reason_bytes);

/* A batch of primitives on a device (fettle/primitives.h). One thread at a time may use one. */
typedef struct fettle_cuda_batch fettle_cuda_batch;

/* Puts a batch on a device: copies its items and labels there and allocates the scratch. Waits for the copies.
 * \param[in]  batch   after fettle_batch_layout; the operands' addresses are device memory, aligned to their elements,
 *                     the labels host memory. Its sums, cursor and range_units are not read.
 * \param[out] handle  the batch on the device; NULL unless FETTLE_OK
 */
FETTLE_API int32_t fettle_cuda_batch_open(int32_t device, const fettle_batch* batch, fettle_cuda_batch** handle,
                                          char* reason, int64_t reason_bytes);

/* Does all of a batch on a stream and waits for it.
 * \param[in,out] batch  the tables that it was opened with: the items' factors are read, their sums written
 */
FETTLE_API int32_t fettle_cuda_batch_run(fettle_cuda_batch* handle, fettle_batch* batch, void* stream, char* reason,
                                         int64_t reason_bytes);

/* Waits for the device and frees the scratch. NULL is fine. */
FETTLE_API int32_t fettle_cuda_batch_close(fettle_cuda_batch* handle, char* reason, int64_t reason_bytes);

/* Enqueues all units of a kernel (fettle/kernels.h) without waiting. The arrays are device memory; cursor and
 * range_units are not read.
 * \return FETTLE_UNAVAILABLE for a kernel that has no CUDA driver
 */
FETTLE_API int32_t fettle_cuda_kernel_run(int32_t device, const fettle_call* call, void* stream, char* reason,
                                          int64_t reason_bytes);

/* cuSPARSE on a device: its own handle and scratch. One thread at a time. */
typedef struct fettle_cuda_sparse fettle_cuda_sparse;

/* y = x W^T, or y = x W, with W [rows, columns] in compressed rows. Arrays are device memory, floats F32. */
typedef struct fettle_cuda_csr_product {
  int64_t size;       /* sizeof(fettle_cuda_csr_product), checked */
  int64_t rows;
  int64_t columns;
  int64_t entries;
  int64_t batch;
  int64_t transposed; /* 0: x is [batch, columns] and y [batch, rows]; 1: the other way round */
  void* row_pointers; /* int32_t [rows + 1], from 0, monotone; trusted, as are the indices */
  void* column_indices;
  void* values;
  void* x;
  void* y;
} fettle_cuda_csr_product;

/* Opens NVIDIA's cuSPARSE of CUDA 13 (libcusparse.so.12, by the system's loader).
 * \param[out] handle  NULL unless FETTLE_OK
 * \return FETTLE_UNAVAILABLE where the library is not there or lacks a function
 */
FETTLE_API int32_t fettle_cuda_sparse_open(int32_t device, fettle_cuda_sparse** handle, char* reason, int64_t reason_bytes);

/* Waits for the device and frees the scratch. NULL is fine. */
FETTLE_API int32_t fettle_cuda_sparse_close(fettle_cuda_sparse* handle, char* reason, int64_t reason_bytes);

/* Enqueues a product. cuSPARSE sums in float in an order of its own, so results have a tolerance and not Fettle's bits. May
 * allocate, and then waits; not fit for capture.
 */
FETTLE_API int32_t fettle_cuda_csr_multiply(fettle_cuda_sparse* handle, const fettle_cuda_csr_product* product, void* stream,
                                            char* reason, int64_t reason_bytes);

/* fettle_cuda_call_NAME(cuda, ...) for every line of cuda.def. */
#define FETTLE_CUDA_LIST(...) __VA_ARGS__
#define FETTLE_CUDA_ENTRY(name, parameters, arguments) \
  FETTLE_API int32_t fettle_cuda_call_##name(const fettle_cuda* cuda, FETTLE_CUDA_LIST parameters);
#include <fettle/cuda.def>
#undef FETTLE_CUDA_ENTRY

#ifdef __cplusplus
}
#endif

#endif
