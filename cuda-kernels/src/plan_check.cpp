// Refusals: what a plan must be before a kernel may touch it. A wrong address on a device ends the whole context, so
// the tables are looked at here, once.
#include "core/blocks.h"
#include "device_memory.h"
#include "device_plan.h"

namespace fettle {

namespace {

int64_t bytesOf(int64_t dtype) { return dtype == FETTLE_F32 ? 4 : 2; }

int32_t checkAddress(int64_t index, const char* name, const void* address, int64_t bytes, int64_t device,
                     Reason reason) {
  if (address == nullptr) return FETTLE_REFUSE(reason, "tensor %lld: %s is null", static_cast<long long>(index), name);
  if (reinterpret_cast<uintptr_t>(address) % uintptr_t(bytes) != 0) {
    return FETTLE_REFUSE(reason, "tensor %lld: %s is at %p, which is no multiple of %d", static_cast<long long>(index),
                         name, address, int(bytes));
  }
  if (!reachable(address, device)) {
    return FETTLE_REFUSE(reason, "tensor %lld: %s at %p is not memory of device %d", static_cast<long long>(index),
                         name, address, int(device));
  }
  return FETTLE_OK;
}

int32_t checkOperand(int64_t index, const char* name, const fettle_operand& operand, int64_t elements, int64_t device,
                     Reason reason) {
  if (operand.dtype != FETTLE_F32 && operand.dtype != FETTLE_BF16 && operand.dtype != FETTLE_F16) {
    return FETTLE_REFUSE(reason, "tensor %lld: %s has dtype %lld, expected f32, bf16 or f16",
                         static_cast<long long>(index), name, static_cast<long long>(operand.dtype));
  }
  if (elements == 0) return FETTLE_OK;
  return checkAddress(index, name, operand.data, bytesOf(operand.dtype), device, reason);
}

// A state may be stored by blocks besides.
int32_t checkState(int64_t index, const fettle_operand& state, int64_t elements, int64_t device, Reason reason) {
  if (!FETTLE_TIER::isBlockFormat(state.dtype)) return checkOperand(index, "a state", state, elements, device, reason);
  const int64_t size = state.block_size;
  const int64_t least = FETTLE_TIER::bitsOfCode(state.dtype) == 4 ? 2 : 1;
  if (size < least || size > FETTLE_CHUNK || (size & (size - 1)) != 0) {
    return FETTLE_REFUSE(reason, "tensor %lld: a state has blocks of %lld, expected a power of two from %d to %d",
                         static_cast<long long>(index), static_cast<long long>(size), int(least), int(FETTLE_CHUNK));
  }
  if (elements == 0) return FETTLE_OK;
  const int32_t status = checkAddress(index, "a state", state.data, 1, device, reason);
  return status != FETTLE_OK ? status : checkAddress(index, "a state's scales", state.scales, 4, device, reason);
}

int32_t checkTensor(const fettle_plan& plan, int64_t index, int states, int64_t device, Reason reason) {
  const fettle_tensor& tensor = plan.tensors[index];
  const int64_t elements = tensor.elements;
  int32_t status = checkOperand(index, "parameter", tensor.parameter, elements, device, reason);
  // A gradient may come later; until then the tensor is left alone.
  if (status == FETTLE_OK && (tensor.gradient.data != nullptr || tensor.active != 0)) {
    status = checkOperand(index, "gradient", tensor.gradient, elements, device, reason);
  }
  for (int k = 0; k < states && status == FETTLE_OK; k++) {
    status = checkState(index, tensor.state[k], elements, device, reason);
  }
  if (status == FETTLE_OK && tensor.copy.data != nullptr) {
    status = checkOperand(index, "copy", tensor.copy, elements, device, reason);
  }
  for (int k = 0; k < FETTLE_MAX_AVERAGES && status == FETTLE_OK; k++) {
    if (tensor.average[k].data == nullptr) continue;
    status = checkOperand(index, "average", tensor.average[k], elements, device, reason);
    if (status == FETTLE_OK && plan.average[k].interval <= 0) {
      status = FETTLE_REFUSE(reason, "average %d has interval %lld, expected > 0", k,
                             static_cast<long long>(plan.average[k].interval));
    }
  }
  if (status == FETTLE_OK && tensor.mask != nullptr && elements != 0) {
    status = checkAddress(index, "mask", tensor.mask, 1, device, reason);
  }
  return status;
}

template <int number>
int statesFrom(int64_t rule) {
  if constexpr (number < FETTLE_TIER::ruleCount) {
    return rule == number ? FETTLE_TIER::RuleAt<number>::Type::states : statesFrom<number + 1>(rule);
  } else {
    return 0;
  }
}

// Whether the rows make up the tensor. Their product may be more than 64 bits hold.
bool isProduct(const fettle_tensor& tensor) {
  int64_t product = 0;
  return !__builtin_mul_overflow(tensor.rows, tensor.row_length, &product) && product == tensor.elements;
}

int32_t checkOptions(const fettle_cuda_options* options, Reason reason) {
  if (options == nullptr || options->size != int64_t(sizeof *options)) {
    return FETTLE_REFUSE(reason, "options is null or of another size");
  }
  const int64_t threads = options->threads;
  if (threads < 0 || threads > FETTLE_TIER::mostThreads || threads % FETTLE_TIER::warpThreads != 0) {
    return FETTLE_REFUSE(reason, "threads is %lld, expected a multiple of 32 up to 256",
                         static_cast<long long>(threads));
  }
  if (options->blocks < 0 || options->blocks > INT32_MAX) {
    return FETTLE_REFUSE(reason, "blocks is %lld", static_cast<long long>(options->blocks));
  }
  return FETTLE_OK;
}

}  // namespace

int statesOf(int64_t rule) { return statesFrom<0>(rule); }

int32_t checkPlan(const fettle_plan* plan, const fettle_cuda_options* options, Reason reason) {
  if (plan == nullptr || plan->size != int64_t(sizeof *plan)) {
    return FETTLE_REFUSE(reason, "plan is null or of another size");
  }
  const int32_t status = checkOptions(options, reason);
  if (status != FETTLE_OK) return status;
  constexpr int64_t mostTensors = 0xFFFFFFFF;
  if (plan->tensor_count < 0 || plan->tensor_count >= mostTensors || plan->group_count < 0 || plan->chunk_count < 0 ||
      (plan->tensor_count > 0 && plan->tensors == nullptr) || (plan->group_count > 0 && plan->groups == nullptr)) {
    return FETTLE_REFUSE(reason, "the plan's tables are null or their counts out of range");
  }
  for (int64_t i = 0; i < plan->group_count; i++) {
    const int64_t rule = plan->groups[i].rule;
    if (rule < 0 || rule >= FETTLE_TIER::ruleCount) {
      return FETTLE_REFUSE(reason, "group %lld: rule %lld is not in the registry", static_cast<long long>(i),
                           static_cast<long long>(rule));
    }
  }
  int64_t chunks = 0;
  int64_t rows = 0;
  for (int64_t i = 0; i < plan->tensor_count; i++) {
    const fettle_tensor& tensor = plan->tensors[i];
    if (tensor.elements < 0 || tensor.rows < 0 || tensor.row_length < 0 || !isProduct(tensor) || tensor.group < 0 ||
        tensor.group >= plan->group_count || tensor.first_chunk != chunks || tensor.first_row != rows) {
      return FETTLE_REFUSE(reason, "tensor %lld: elements, rows, group, first_chunk or first_row do not fit the plan",
                           static_cast<long long>(i));
    }
    rows += tensor.rows;
    const int64_t its = FETTLE_TIER::chunksOf(tensor);
    if (its > int64_t(0xFFFFFFFF)) {
      return FETTLE_REFUSE(reason, "tensor %lld: too many elements", static_cast<long long>(i));
    }
    chunks += its;
    const int states = statesOf(plan->groups[tensor.group].rule);
    const int32_t answer = checkTensor(*plan, i, states, options->device, reason);
    if (answer != FETTLE_OK) return answer;
  }
  if (chunks != plan->chunk_count || rows != plan->row_count) {
    return FETTLE_REFUSE(reason, "chunk_count is %lld and row_count %lld, the tensors have %lld and %lld",
                         static_cast<long long>(plan->chunk_count), static_cast<long long>(plan->row_count),
                         static_cast<long long>(chunks), static_cast<long long>(rows));
  }
  return FETTLE_OK;
}

int32_t checkGradient(const fettle_cuda_plan& plan, int64_t index, const fettle_operand& gradient, Reason reason) {
  if (gradient.data == nullptr) return FETTLE_OK;
  return checkOperand(index, "gradient", gradient, plan.tensors[index].elements, plan.device, reason);
}

}  // namespace fettle
