/* Steps on the CPU. Part of the C ABI; include fettle/fettle.h.
 *
 * A whole step on the caller's thread is fettle_cpu_step. To spread one over threads, call in this order:
 * begin; if plan->gradient_pass: run(FETTLE_PHASE_GRADIENT); prepare; for each gather k < plan->gathers:
 * run(FETTLE_PHASE_GATHER, k), combine(k); run(FETTLE_PHASE_APPLY); commit. `run` may be called from any number of
 * threads at once, after plan->cursor was set to 0; every other call needs all runs before it to be complete.
 * Nothing of the caller's is written before FETTLE_PHASE_APPLY. Results do not depend on how many threads ran.
 */
#ifndef FETTLE_STEP_H
#define FETTLE_STEP_H

#include "fettle/plan.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One whole step on the caller's thread.
 * \param[in,out] plan  tables of a validated plan
 * \param[in] tier      FETTLE_CPU_V3 or FETTLE_CPU_V4
 * \return FETTLE_OK; FETTLE_NON_FINITE where the plan's policy stopped the step (nothing was changed);
 *         FETTLE_INVALID_ARGUMENT for a plan of another layout or an unknown rule; FETTLE_UNAVAILABLE for a tier that
 *         this CPU lacks
 */
FETTLE_API int32_t fettle_cpu_step(fettle_plan* plan, int32_t tier);

/* Starts a step: clears the flags and fills what the gradient pass needs. */
FETTLE_API int32_t fettle_cpu_begin(fettle_plan* plan, int32_t tier);

/* Forms norms and coefficients. FETTLE_NON_FINITE where the plan's policy stops the step. */
FETTLE_API int32_t fettle_cpu_prepare(fettle_plan* plan, int32_t tier);

/* Completes a gather: adds its partial sums and lets the rules form what follows from them. */
FETTLE_API int32_t fettle_cpu_combine(fettle_plan* plan, int32_t tier, int32_t gather);

/* Takes ranges of chunks from plan->cursor until none is left.
 * \param[in] phase   enum fettle_phase
 * \param[in] gather  number of the gather in FETTLE_PHASE_GATHER, else 0
 */
FETTLE_API int32_t fettle_cpu_run(fettle_plan* plan, int32_t tier, int32_t phase, int32_t gather);

/* Makes the step count: raises every active tensor's t and keeps its rule's scalars. */
FETTLE_API int32_t fettle_cpu_commit(fettle_plan* plan);

/* The id of a line of rules.def, NULL behind the last. */
FETTLE_API const char* fettle_rule_id(int32_t rule);

/* Where a field of the tables lies, for a binding to check its own layout against: the offsets of
 * the fields of fettle_plan, fettle_tensor, fettle_group and fettle_operand in declaration order, each struct
 * followed by its size; -1 behind the last. */
FETTLE_API int64_t fettle_layout(int32_t index);

/* Memory for a plan's states and tables: zeroed, its address 64-byte aligned plus `skew`, huge pages asked
 * for from 4 MiB on.
 * \param[in] bytes  more than 0
 * \param[in] skew   a multiple of 64 below 4096: arrays at the same offset in their pages stall each other
 * \return the address, or NULL when there is no memory
 */
FETTLE_API void* fettle_allocate(int64_t bytes, int64_t skew);

/* Gives back what fettle_allocate gave, with the same arguments. NULL is fine. */
FETTLE_API void fettle_release(void* memory, int64_t bytes, int64_t skew);

#ifdef __cplusplus
}
#endif
#endif
