/* Fettle's plan tables: what a step reads, laid out so that Java, C and CUDA see the same bytes.
 *
 * Every field is eight bytes wide (floats stand in pairs), so the layout is the same for every compiler;
 * fettle_layout() lets a binding check its own offsets against these at load.
 * A plan owns nothing: whoever fills the tables owns all memory that they point to.
 */
#ifndef FETTLE_PLAN_H
#define FETTLE_PLAN_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
  FETTLE_MAX_STATES = 4,        /* state tensors of one rule */
  FETTLE_MAX_SCALARS = 4,       /* double scalars that a rule keeps per tensor */
  FETTLE_MAX_HYPER = 24,        /* hyperparameters of one group; hyper[0] is always lr */
  FETTLE_MAX_COEFFICIENTS = 24, /* floats that a rule's kernel sees */
  FETTLE_MAX_SUMS = 4,          /* sums that one gather of a rule forms */
  FETTLE_MAX_AVERAGES = 4,      /* averages that ride on the step of one parameter */
  FETTLE_MAX_ROW_COEFFICIENTS = 2, /* floats that a rule's kernel sees per row */
  FETTLE_CHUNK = 4096           /* elements of one chunk: the unit of work and of the reduction order */
};

/* Element formats. A new format is one codec in native/src/core/codec.h and one line here. */
enum fettle_dtype {
  FETTLE_F32 = 0,
  FETTLE_BF16 = 1,
  FETTLE_F16 = 2,
  FETTLE_BIT = 3,
  /* Of kernels (kernels.h) only: codes, packed elements, indices, counts, sums. */
  FETTLE_U8 = 4,
  FETTLE_I8 = 5,
  FETTLE_I32 = 6,
  FETTLE_I64 = 7,
  FETTLE_F64 = 8,
  /* Block-wise formats of operands: codes with one f32 scale per block (native/src/core/blocks.h). POSITIVE: of values >= 0. */
  FETTLE_LINEAR8 = 64,
  FETTLE_LINEAR8_POSITIVE = 65,
  FETTLE_DYNAMIC8 = 66,
  FETTLE_DYNAMIC8_POSITIVE = 67,
  FETTLE_TORCHAO8 = 68,
  FETTLE_TORCHAO8_POSITIVE = 69,
  FETTLE_TORCHAO4 = 70,
  FETTLE_TORCHAO4_POSITIVE = 71,
  FETTLE_BLOCK_E4M3 = 72,
  /* Of batches (primitives.h) only: bf16, with a second bf16 array in `scales` for what the rounding left (Kahan). The value is the sum
   * of both (native/src/core/compensated.h). */
  FETTLE_BF16_COMPENSATED = 80,
  FETTLE_NONE = 255
};

/* How a value that the format cannot hold is rounded. */
enum fettle_rounding { FETTLE_NEAREST = 0, FETTLE_STOCHASTIC = 1 };

/* What a step does when a gradient holds an infinity or a NaN. */
enum fettle_non_finite { FETTLE_PASS = 0, FETTLE_SKIP = 1, FETTLE_RAISE = 2 };

/* Which norm clips the gradients. */
enum fettle_clip { FETTLE_CLIP_NONE = 0, FETTLE_CLIP_TENSOR = 1, FETTLE_CLIP_GLOBAL = 2 };

/* How an average's factor a grows (decay, warmup_steps and warmup_ratio of fettle_average are d, W and r; t is the tensor's step,
 * counted from 1, i = t - 1). Up to i = W, and d later: */
enum fettle_warmup {
  FETTLE_WARMUP_NONE = 0,
  FETTLE_WARMUP_CONSTANT = 1,    /* d r */
  FETTLE_WARMUP_LINEAR = 2,      /* d (1 - (1 - i / W) (1 - r)) */
  FETTLE_WARMUP_EXPONENTIAL = 3, /* d r^(1 - i / W) */
  /* and without end: */
  FETTLE_WARMUP_HALF_LIFE = 4,   /* min(d, 0.5^(1 / (r t))) */
  FETTLE_WARMUP_POWER = 5,       /* (1 - 1 / t)^d */
  FETTLE_WARMUP_UNIFORM = 6,     /* c / (c + 1), c = (i - W) / interval; moves where that is whole, i >= W */
  FETTLE_WARMUP_LOOKAHEAD = 7    /* d; and whenever the average has moved, the parameter becomes what it is */
};

/* What becomes of a rule's states where the pruning mask is 0. The parameter is +0 there after every step. */
enum fettle_masked_states {
  FETTLE_MASKED_ZERO = 0,   /* they become 0 */
  FETTLE_MASKED_FREEZE = 1, /* they stay what they were, rounded as they are stored; by blocks, with their block's scale */
  FETTLE_MASKED_UPDATE = 2  /* they go on as if there were no mask, and the gradient counts in every norm */
};

/* Phases of a step, in order. A phase ends where a reduction must be complete. */
enum fettle_phase { FETTLE_PHASE_GRADIENT = 0, FETTLE_PHASE_GATHER = 1, FETTLE_PHASE_APPLY = 2 };

/* One array of a tensor: where it is and how its elements are stored. data is NULL where there is none. */
typedef struct fettle_operand {
  void* data;
  void* scales;       /* block-wise formats only: one f32 per block; every row starts its blocks and bytes anew */
  int64_t dtype;      /* enum fettle_dtype */
  int64_t rounding;   /* enum fettle_rounding */
  int64_t block_size; /* block-wise formats only: divides FETTLE_CHUNK */
} fettle_operand;

/* How the averages of one number move. */
typedef struct fettle_average {
  double decay;
  int64_t warmup; /* enum fettle_warmup */
  double warmup_steps;
  double warmup_ratio;
  int64_t interval; /* it moves in every interval-th step of a tensor, > 0 */
} fettle_average;

/* One parameter with everything that a step on it touches. */
typedef struct fettle_tensor {
  fettle_operand parameter;
  fettle_operand gradient;
  fettle_operand state[FETTLE_MAX_STATES];
  fettle_operand copy;    /* low-precision copy of the new parameter */
  fettle_operand average[FETTLE_MAX_AVERAGES]; /* moving averages of the parameter, number k as the plan's average k; one behind the other */
  const uint8_t* mask;    /* element i is bit i mod 8 of byte i div 8; 0 makes the parameter +0 */
  double* row_state;      /* one double per row that the rule keeps between steps, or NULL */
  int64_t elements;       /* rows * row_length */
  int64_t rows;           /* of the reductions: 1 unless the rule reduces by rows of the first axis */
  int64_t row_length;
  int64_t first_row;      /* number of this tensor's first row in the plan */
  int64_t rank;           /* axes of the tensor */
  int64_t first_chunk;    /* number of this tensor's first chunk in the plan */
  int64_t group;
  int64_t stream;         /* Philox streams stream .. stream + 15 belong to this tensor */
  int64_t active;         /* 0: left alone in this step */
  int64_t step;           /* t: steps taken so far */
  double scalars[FETTLE_MAX_SCALARS];      /* kept by the rule between steps */

  /* Filled by fettle_*_prepare, read by the kernels. */
  double next_scalars[FETTLE_MAX_SCALARS]; /* become scalars when the step is complete */
  double gradient_square; /* sum of squares of the unscaled, value-clipped gradient */
  float unscale;
  float clip_value;
  float clip_factor;
  float unused;           /* floats stand in pairs */
  float average_keep[FETTLE_MAX_AVERAGES]; /* a of average <- a * average + (1 - a) * parameter */
  float average_take[FETTLE_MAX_AVERAGES]; /* 1 - a */
  float average_due[FETTLE_MAX_AVERAGES];  /* 0: there is none, or it rests in this step; 1: it moves; 2: and the parameter becomes it */
  float coefficients[FETTLE_MAX_COEFFICIENTS];
} fettle_tensor;

/* One group: a rule with its hyperparameters. */
typedef struct fettle_group {
  int64_t rule; /* line of rules.def, from 0 */
  double hyper[FETTLE_MAX_HYPER];
} fettle_group;

/* A plan: tensors, groups, the options that hold for all of them, and the scratch of the reductions. */
typedef struct fettle_plan {
  int64_t size; /* sizeof(fettle_plan), checked by every entry point */
  fettle_tensor* tensors;
  int64_t tensor_count;
  fettle_group* groups;
  int64_t group_count;
  int64_t chunk_count;
  int64_t range_chunks; /* chunks that a worker takes at a time */
  int64_t cursor;       /* next chunk to take; workers share it */
  double* sums;         /* FETTLE_MAX_SUMS planes of chunk_count partial sums */
  int64_t gathers;      /* most gathers that a rule of this plan makes */
  int64_t gradient_pass; /* 1: the gradients are read once more, for norms or for the non-finite check */
  int64_t non_finite_policy;
  int64_t non_finite;   /* set to 1 by the gradient pass */
  int64_t clip_kind;
  double max_norm;
  double clip_value;    /* +infinity: off */
  double loss_scale;
  int64_t seed;         /* unsigned 64 bits */
  fettle_average average[FETTLE_MAX_AVERAGES];
  double gradient_norm; /* global, of the unscaled and value-clipped gradients, before clipping by norm */
  double rule_norm;     /* the same as the rules see it, after clipping by norm */
  double* tensor_sums;  /* tensor_count doubles of scratch */
  int64_t row_count;
  double* row_sums;     /* FETTLE_MAX_SUMS planes of row_count sums, and one plane of scratch behind them */
  float* row_coefficients; /* FETTLE_MAX_ROW_COEFFICIENTS planes of row_count floats */
  int64_t masked_states; /* enum fettle_masked_states */
} fettle_plan;

#ifdef __cplusplus
}
#endif
#endif
