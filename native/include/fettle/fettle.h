/* Fettle's C ABI. Plain C99: structs, functions, status codes. No function throws, keeps state between
 * calls or prints. Nothing here needs Java.
 */
#ifndef FETTLE_FETTLE_H
#define FETTLE_FETTLE_H

#include <stdint.h>

#if defined(__GNUC__)
#define FETTLE_API __attribute__((visibility("default")))
#else
#define FETTLE_API
#endif

/* Raised by every change that an existing caller would notice. */
#define FETTLE_ABI_VERSION 1

#ifdef __cplusplus
extern "C" {
#endif

/* What a call can answer. 0 is success. */
enum fettle_status {
  FETTLE_OK = 0,
  FETTLE_INVALID_ARGUMENT = 1, /* an argument is null or out of its range; nothing was written */
  FETTLE_OUT_OF_MEMORY = 2,
  FETTLE_UNAVAILABLE = 3, /* this machine lacks the library, driver, device or instructions */
  FETTLE_CUDA_ERROR = 4,  /* a CUDA call failed; the reason text names it */
  FETTLE_NON_FINITE = 5, /* a gradient is infinite or NaN and the plan stops at that; nothing was changed */
  FETTLE_STATUS_COUNT = 6
};

/* What the CPU and the operating system support. Bits of fettle_cpu_tiers(). */
enum fettle_cpu_tier {
  FETTLE_CPU_V2 = 1,           /* x86-64-v2: the least this library runs on */
  FETTLE_CPU_V3 = 2,           /* x86-64-v3: AVX2, FMA, F16C */
  FETTLE_CPU_V4 = 4,           /* x86-64-v4: AVX-512 F, BW, CD, DQ, VL */
  FETTLE_CPU_AVX_VNNI = 8,     /* integer dot products on 32-byte vectors */
  FETTLE_CPU_AVX512_VNNI = 16, /* integer dot products on 64-byte vectors */
  FETTLE_CPU_AMX_INT8 = 32     /* integer tiles, where the kernel permits them to this process */
};

/* The version of this interface that the library was compiled with: FETTLE_ABI_VERSION. */
FETTLE_API int32_t fettle_abi_version(void);

/* The hash of the sources that the library was compiled from, as 16 hexadecimal digits. */
FETTLE_API const char* fettle_build_id(void);

/* What this CPU and operating system support: bits of enum fettle_cpu_tier. Where the CPU has AMX, the call asks the kernel to
 * permit its tiles to the process.
 */
FETTLE_API int64_t fettle_cpu_tiers(void);

/* One line of English for a status.
 * \param[in] status  any value
 * \return a text that lives as long as the library; "unknown status" for a value that is none
 */
FETTLE_API const char* fettle_status_text(int32_t status);

#ifdef __cplusplus
}
#endif

#include "fettle/dlpack.h"
#include "fettle/kernels.h"
#include "fettle/primitives.h"
#include "fettle/step.h"

#endif
