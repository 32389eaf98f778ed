/* AdamW over one f32 tensor, in terms of Fettle's plan tables: everything that a step needs, without an allocation. */
#ifndef EXAMPLE_ADAMW_H
#define EXAMPLE_ADAMW_H

#include <fettle/fettle.h>
#include <math.h>
#include <string.h>

typedef struct adamw {
  fettle_plan plan;
  fettle_tensor tensor;
  fettle_group group;
  double sum;
} adamw;

static fettle_operand adamw_operand(void* data) {
  fettle_operand operand;
  memset(&operand, 0, sizeof operand);
  operand.data = data;
  operand.dtype = data == NULL ? FETTLE_NONE : FETTLE_F32;
  return operand;
}

static int64_t adamw_rule(const char* wanted) {
  int32_t rule = 0;
  const char* id = fettle_rule_id(0);
  while (id != NULL && strcmp(id, wanted) != 0) id = fettle_rule_id(++rule);
  return id == NULL ? -1 : rule;
}

/* parameter, gradient, m and v: f32 arrays of that many elements; m and v start as zeros. */
static void adamw_init(adamw* optimizer, void* parameter, void* gradient, void* m, void* v, int64_t elements, double lr,
                       double weight_decay) {
  fettle_tensor* tensor = &optimizer->tensor;
  fettle_plan* plan = &optimizer->plan;
  int k;
  memset(optimizer, 0, sizeof *optimizer);
  tensor->parameter = adamw_operand(parameter);
  tensor->gradient = adamw_operand(gradient);
  tensor->state[0] = adamw_operand(m);
  tensor->state[1] = adamw_operand(v);
  for (k = 2; k < FETTLE_MAX_STATES; k++) tensor->state[k] = adamw_operand(NULL);
  tensor->copy = adamw_operand(NULL);
  for (k = 0; k < FETTLE_MAX_AVERAGES; k++) tensor->average[k] = adamw_operand(NULL);
  tensor->elements = elements;
  tensor->rows = 1;
  tensor->row_length = elements;
  tensor->rank = 1;
  tensor->active = 1;

  optimizer->group.rule = adamw_rule("adamw");
  optimizer->group.hyper[0] = lr;
  optimizer->group.hyper[1] = 0.9;
  optimizer->group.hyper[2] = 0.999;
  optimizer->group.hyper[3] = 1e-8;
  optimizer->group.hyper[4] = weight_decay;

  plan->size = sizeof *plan;
  plan->tensors = tensor;
  plan->tensor_count = 1;
  plan->groups = &optimizer->group;
  plan->group_count = 1;
  plan->chunk_count = (elements + FETTLE_CHUNK - 1) / FETTLE_CHUNK;
  plan->range_chunks = plan->chunk_count > 0 ? plan->chunk_count : 1;
  plan->tensor_sums = &optimizer->sum;
  plan->non_finite_policy = FETTLE_PASS;
  plan->clip_kind = FETTLE_CLIP_NONE;
  plan->clip_value = HUGE_VAL;
  plan->loss_scale = 1.0;
}

/* The best tier of this CPU, 0 if it has none. */
static int32_t adamw_tier(void) {
  const int64_t tiers = fettle_cpu_tiers();
  if ((tiers & FETTLE_CPU_V4) != 0) return FETTLE_CPU_V4;
  return (tiers & FETTLE_CPU_V3) != 0 ? FETTLE_CPU_V3 : 0;
}

#endif
