/* Kernels besides steps and batches: quantization, sparsity, products. Part of the C ABI; include fettle/fettle.h.
 *
 * A kernel (a line of kernels.def) is a pure function over a range of units: chunks, rows, blocks or tiles, as its
 * struct in native/src/kernels says, which also says what its arrays, integers and numbers mean. Results
 * do not depend on how the units are shared out. A call owns nothing.
 *
 * A call trusts its tables: whoever fills them has checked extents, formats and overlaps.
 */
#ifndef FETTLE_KERNELS_H
#define FETTLE_KERNELS_H

#include "fettle/plan.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { FETTLE_CALL_SLOTS = 16 /* arrays, integers and numbers of one call */ };

/* Every field is eight bytes wide, so the layout is the same for every compiler. */
typedef struct fettle_call {
  int64_t size;        /* sizeof(fettle_call), checked by every entry point */
  int64_t kernel;      /* line of kernels.def, from 0 */
  int64_t units;
  int64_t range_units; /* units that a worker takes at a time, > 0 */
  int64_t cursor;      /* next unit to take; workers share it */
  void* array[FETTLE_CALL_SLOTS];
  int64_t dtype[FETTLE_CALL_SLOTS];    /* enum fettle_dtype */
  int64_t elements[FETTLE_CALL_SLOTS]; /* of each array */
  int64_t integer[FETTLE_CALL_SLOTS];
  double number[FETTLE_CALL_SLOTS];
} fettle_call;

/* Takes ranges of units from call->cursor until none is left; from any number of threads at once.
 * \param[in] tier  FETTLE_CPU_V3 or FETTLE_CPU_V4
 * \return FETTLE_OK; FETTLE_INVALID_ARGUMENT for another layout or an unknown kernel; FETTLE_UNAVAILABLE for a tier that
 *         this CPU lacks
 */
FETTLE_API int32_t fettle_cpu_call(fettle_call* call, int32_t tier);

/* The id of a line of kernels.def, NULL behind the last. */
FETTLE_API const char* fettle_kernel_id(int32_t kernel);

#ifdef __cplusplus
}
#endif
#endif
