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
