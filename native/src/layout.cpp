// The plan tables' layout, told to whoever fills them from another language.
#include <stddef.h>

#include "fettle/fettle.h"

namespace {

#define FETTLE_AT(type, field) int64_t(offsetof(type, field))

const int64_t layout[] = {
    FETTLE_AT(fettle_plan, size), FETTLE_AT(fettle_plan, tensors), FETTLE_AT(fettle_plan, tensor_count),
    FETTLE_AT(fettle_plan, groups), FETTLE_AT(fettle_plan, group_count), FETTLE_AT(fettle_plan, chunk_count),
    FETTLE_AT(fettle_plan, range_chunks), FETTLE_AT(fettle_plan, cursor), FETTLE_AT(fettle_plan, sums),
    FETTLE_AT(fettle_plan, gathers), FETTLE_AT(fettle_plan, gradient_pass),
    FETTLE_AT(fettle_plan, non_finite_policy), FETTLE_AT(fettle_plan, non_finite),
    FETTLE_AT(fettle_plan, clip_kind), FETTLE_AT(fettle_plan, max_norm), FETTLE_AT(fettle_plan, clip_value),
    FETTLE_AT(fettle_plan, loss_scale), FETTLE_AT(fettle_plan, seed), FETTLE_AT(fettle_plan, average),
    FETTLE_AT(fettle_plan, gradient_norm), FETTLE_AT(fettle_plan, rule_norm), FETTLE_AT(fettle_plan, tensor_sums),
    FETTLE_AT(fettle_plan, row_count), FETTLE_AT(fettle_plan, row_sums), FETTLE_AT(fettle_plan, row_coefficients),
    FETTLE_AT(fettle_plan, masked_states),
    int64_t(sizeof(fettle_plan)),

    FETTLE_AT(fettle_tensor, parameter), FETTLE_AT(fettle_tensor, gradient), FETTLE_AT(fettle_tensor, state),
    FETTLE_AT(fettle_tensor, copy), FETTLE_AT(fettle_tensor, average), FETTLE_AT(fettle_tensor, mask),
    FETTLE_AT(fettle_tensor, row_state),
    FETTLE_AT(fettle_tensor, elements), FETTLE_AT(fettle_tensor, rows), FETTLE_AT(fettle_tensor, row_length),
    FETTLE_AT(fettle_tensor, first_row), FETTLE_AT(fettle_tensor, rank), FETTLE_AT(fettle_tensor, first_chunk), FETTLE_AT(fettle_tensor, group),
    FETTLE_AT(fettle_tensor, stream), FETTLE_AT(fettle_tensor, active), FETTLE_AT(fettle_tensor, step),
    FETTLE_AT(fettle_tensor, scalars), FETTLE_AT(fettle_tensor, next_scalars),
    FETTLE_AT(fettle_tensor, gradient_square), FETTLE_AT(fettle_tensor, unscale),
    FETTLE_AT(fettle_tensor, clip_value), FETTLE_AT(fettle_tensor, clip_factor),
    FETTLE_AT(fettle_tensor, average_keep), FETTLE_AT(fettle_tensor, average_take),
    FETTLE_AT(fettle_tensor, average_due), FETTLE_AT(fettle_tensor, coefficients), int64_t(sizeof(fettle_tensor)),

    FETTLE_AT(fettle_group, rule), FETTLE_AT(fettle_group, hyper), int64_t(sizeof(fettle_group)),

    FETTLE_AT(fettle_operand, data), FETTLE_AT(fettle_operand, scales), FETTLE_AT(fettle_operand, dtype),
    FETTLE_AT(fettle_operand, rounding), FETTLE_AT(fettle_operand, block_size), int64_t(sizeof(fettle_operand)),
};

#undef FETTLE_AT

const char* const ruleIds[] = {
#define FETTLE_RULE(id, record, ...) #id,
#include "fettle/rules.def"
#undef FETTLE_RULE
};

}  // namespace

extern "C" {

int64_t fettle_layout(int32_t index) {
  const int32_t count = int32_t(sizeof layout / sizeof layout[0]);
  return index >= 0 && index < count ? layout[index] : -1;
}

const char* fettle_rule_id(int32_t rule) {
  const int32_t count = int32_t(sizeof ruleIds / sizeof ruleIds[0]);
  return rule >= 0 && rule < count ? ruleIds[rule] : nullptr;
}

}
