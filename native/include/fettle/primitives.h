/* Primitives besides the step: gradient transforms, perturbations, losses. Part of the C ABI; include fettle/fettle.h.
 *
 * A batch is a list of items, each a primitive (a line of primitives.def) with its arrays and factors. Its units of
 * work (chunks, rows or runs of pixels) are numbered over all items. Call in this order: layout; allocate the
 * scratch; set the cursor to 0; run, from any number of threads at once; when all have returned, finish, where sums are
 * wanted. Results do not depend on how many threads ran. A batch owns nothing.
 *
 * Sums are formed in double in the fixed order of native/src/core/tree.h, per item. A row starts the structure anew;
 * what rows add to an item's sum is added by one halving tree over its rows.
 */
#ifndef FETTLE_PRIMITIVES_H
#define FETTLE_PRIMITIVES_H

#include "fettle/plan.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
  FETTLE_MAX_ARRAYS = 8,       /* arrays of one item: inputs, then outputs, then the saved copy */
  FETTLE_MAX_FACTORS = 8,      /* doubles that a primitive is told */
  FETTLE_PIXEL_RUN = 512       /* pixels of a unit */
};

/* One tensor, or tuple of tensors of one shape, with what is done to it. An output may be the very memory of an input
 * of the same format; any other overlap of an output is the caller's error. 16-bit outputs are rounded to nearest.
 * Arrays of elementwise primitives that save no copy may be stored by blocks, or with a compensation; blocks that are written are all
 * of one size. */
typedef struct fettle_item {
  fettle_operand array[FETTLE_MAX_ARRAYS];
  const int64_t* labels; /* one per row, each in [0, row); NULL where the primitive has none */
  int64_t primitive;
  int64_t elements;
  int64_t row;           /* elements of a row; for pixels: channels of an image */
  int64_t pixels;        /* pixels of an image */
  int64_t first_unit;    /* filled by layout, as are the next two */
  int64_t units;
  int64_t first_sum;
  double factors[FETTLE_MAX_FACTORS];
  double sums[FETTLE_MAX_SUMS]; /* filled by finish */
} fettle_item;

typedef struct fettle_batch {
  int64_t size; /* sizeof(fettle_batch), checked by every entry point */
  fettle_item* items;
  int64_t item_count;
  int64_t unit_count;  /* filled by layout */
  int64_t sum_count;   /* filled by layout: entries of a plane of sums */
  int64_t planes;      /* filled by layout: planes of sums, at most FETTLE_MAX_SUMS */
  int64_t range_units; /* units that a worker takes at a time, > 0 */
  int64_t cursor;      /* next unit to take; workers share it */
  double* sums;        /* planes * sum_count doubles of scratch */
} fettle_batch;

/* Numbers the units of a batch and says how much scratch they need.
 * \return FETTLE_INVALID_ARGUMENT for another layout, an unknown primitive, extents that do not fit each other, or arrays
 *         that cannot be stored as they say
 */
FETTLE_API int32_t fettle_batch_layout(fettle_batch* batch);

/* Takes ranges of units from batch->cursor until none is left.
 * \param[in] tier  FETTLE_CPU_V3 or FETTLE_CPU_V4
 * \return FETTLE_OK; FETTLE_INVALID_ARGUMENT for another layout; FETTLE_UNAVAILABLE for a tier that this CPU lacks
 */
FETTLE_API int32_t fettle_cpu_batch_run(fettle_batch* batch, int32_t tier);

/* Adds the partial sums: fills the items' sums and uses up the scratch. */
FETTLE_API int32_t fettle_batch_finish(fettle_batch* batch);

/* The id of a line of primitives.def, NULL behind the last. */
FETTLE_API const char* fettle_primitive_id(int32_t primitive);

/* Where the fields of fettle_batch and fettle_item lie, as fettle_layout tells it for the plan tables. */
FETTLE_API int64_t fettle_batch_field(int32_t index);

#ifdef __cplusplus
}
#endif
#endif
