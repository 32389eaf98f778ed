/* DLPack, both ways: other libraries' tensors as Fettle's operands, and memory as a tensor that others take.
 * Part of the C ABI; include fettle/fettle.h.
 *
 * The structs have the layout of DLPack 1 (https://dmlc.github.io/dlpack) under names of their own, so that this header
 * can stand beside dlpack/dlpack.h: cast the pointer.
 *
 * Ownership, as DLPack has it: whoever holds a managed tensor calls its deleter exactly once when done, on any thread.
 * fettle_dlpack_take moves that duty from its caller to the view; a tensor that it refuses stays the caller's.
 */
#ifndef FETTLE_DLPACK_H
#define FETTLE_DLPACK_H

#include "fettle/plan.h"

#ifdef __cplusplus
extern "C" {
#endif

/* DLTensor. */
typedef struct fettle_dl_tensor {
  void* data;
  int32_t device_type; /* DLDeviceType */
  int32_t device_id;
  int32_t rank;
  uint8_t type_code;   /* DLDataTypeCode */
  uint8_t type_bits;
  uint16_t type_lanes;
  int64_t* shape;
  int64_t* strides;    /* in elements; NULL: dense, in row-major order */
  uint64_t byte_offset;
} fettle_dl_tensor;

/* DLManagedTensor, the form without a version. */
typedef struct fettle_dl_managed {
  fettle_dl_tensor tensor;
  void* context;
  void (*deleter)(struct fettle_dl_managed* self); /* NULL: nothing to free */
} fettle_dl_managed;

/* DLManagedTensorVersioned. */
typedef struct fettle_dl_versioned {
  uint32_t major;
  uint32_t minor;
  void* context;
  void (*deleter)(struct fettle_dl_versioned* self);
  uint64_t flags;
  fettle_dl_tensor tensor;
} fettle_dl_versioned;

enum fettle_dl_flag { FETTLE_DL_READ_ONLY = 1, FETTLE_DL_COPIED = 2 };

/* Where a tensor's memory is. */
enum fettle_device_kind { FETTLE_DEVICE_CPU = 0, FETTLE_DEVICE_CUDA = 1 };

/* A dense row-major tensor in Fettle's words. Every field is eight bytes wide. */
typedef struct fettle_dlpack_view {
  int64_t size;         /* sizeof(fettle_dlpack_view), set by the caller */
  void* managed;        /* what to delete; NULL when there is nothing (left) */
  int64_t versioned;    /* 1: managed is a fettle_dl_versioned, 0: a fettle_dl_managed */
  void* data;           /* the first element, byte_offset included; NULL where there are no elements */
  int64_t bytes;
  int64_t dtype;        /* enum fettle_dtype */
  int64_t device_kind;  /* enum fettle_device_kind; pinned host memory counts as CPU */
  int64_t device_index;
  int64_t rank;
  int64_t elements;
  const int64_t* shape; /* rank extents; of a taken tensor, the producer's */
  int64_t copied;       /* 1: the producer says that this is a copy, so what is written here stays here */
} fettle_dlpack_view;

/* Takes a tensor over.
 * \param[in,out] managed    address of a pointer to a fettle_dl_versioned or fettle_dl_managed; set to NULL if the tensor
 *                           was taken, untouched if not
 * \param[in] versioned      1 or 0: which of the two
 * \param[in,out] view       its size set by the caller; filled only if the tensor was taken
 * \param[out] reason        why not, as text; may be NULL
 * \param[in] reason_bytes   size of reason
 * \return FETTLE_OK; FETTLE_INVALID_ARGUMENT for NULL, another major version, read-only memory, a type other than f32, bf16,
 *         f16, f64, u8, i8, i32 or i64 in one lane, a device other than CPU, CUDA, or CUDA's pinned and managed memory, gaps
 *         or another order (strides), a misaligned or missing address, or extents that are negative or too large
 */
FETTLE_API int32_t fettle_dlpack_take(void** managed, int32_t versioned, fettle_dlpack_view* view, char* reason,
                                      int64_t reason_bytes);

/* Calls the deleter of a taken tensor and forgets it. A second call does nothing. */
FETTLE_API void fettle_dlpack_release(fettle_dlpack_view* view);

/* Called when the taker of an offered tensor is done. */
typedef void (*fettle_release_function)(void* owner);

/* Offers memory as a managed tensor, with strides and, if versioned, version 1.0 without flags.
 * \param[in] view       size, data, dtype, device_kind, device_index, rank and shape (copied); the other fields are not read
 * \param[in] versioned  1: a fettle_dl_versioned, 0: a fettle_dl_managed
 * \param[in] owner      handed to release
 * \param[in] release    called once, by the tensor's deleter, when the taker is done; may be NULL
 * \param[out] managed   the tensor, whose deleter must be called once; NULL unless the call answers FETTLE_OK
 * \return FETTLE_OK; FETTLE_INVALID_ARGUMENT (release was not called); FETTLE_OUT_OF_MEMORY
 */
FETTLE_API int32_t fettle_dlpack_offer(const fettle_dlpack_view* view, int32_t versioned, void* owner,
                                       fettle_release_function release, void** managed, char* reason,
                                       int64_t reason_bytes);

/* Calls the deleter of a tensor that nobody took. NULL is fine. */
FETTLE_API void fettle_dlpack_delete(void* managed, int32_t versioned);

#ifdef __cplusplus
}
#endif
#endif
