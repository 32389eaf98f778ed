// Guard pages: every array of every rule and primitive lies between two pages that nobody may touch, first at the
// start of its memory and then at the end of it, over formats and tails. Covers the lines of rules.def and primitives.def.
#include "../src/primitives/elements.h"
#include "../src/primitives/pixels.h"
#include "../src/primitives/rows.h"
#include "../src/primitives/steps.h"
#include "../src/rules/all.h"
#include "guard.h"

namespace {

using namespace guard;
using namespace fettle::FETTLE_TIER;

// The lines of rules.def as this test needs to know them.
struct Shape {
  int states;
  int gathers;
  bool rowwise;
  bool needsNorm;
};

template <class R>
constexpr Shape ofRule() {
  return {R::states, R::gathers, R::rowwise, R::needsGradientNorm};
}

const Shape rules[] = {
#define FETTLE_RULE(id, record, ...) ofRule<__VA_ARGS__>(),
#include "fettle/rules.def"
#undef FETTLE_RULE
};

void step(Arrays& arrays, int64_t rule, int64_t size, int64_t dtype, int64_t other, bool atEnd, bool pieces,
          int32_t tier) {
  const Shape& shape = rules[rule];
  arrays.start();
  const int64_t rounding = pieces ? FETTLE_STOCHASTIC : FETTLE_NEAREST;
  const int64_t rows = shape.rowwise && size % 3 == 0 ? 3 : 1;
  fettle_tensor tensor = {};
  tensor.parameter = arrays.next(dtype, size, atEnd, rounding);
  tensor.gradient = arrays.next(other, size, atEnd, FETTLE_NEAREST);
  for (int k = 0; k < shape.states; k++) tensor.state[k] = arrays.next(other, size, atEnd, rounding);
  if (pieces) {
    tensor.copy = arrays.next(FETTLE_BF16, size, atEnd, rounding);
    for (int k = 0; k < FETTLE_MAX_AVERAGES; k++) tensor.average[k] = arrays.next(dtype, size, atEnd, FETTLE_NEAREST);
    tensor.mask = static_cast<const uint8_t*>(arrays.next(FETTLE_BIT, size, atEnd, FETTLE_NEAREST).data);
  }
  std::vector<double> rowState(size_t(rows), 1.0);
  tensor.row_state = rowState.data();
  tensor.elements = size;
  tensor.rows = rows;
  tensor.row_length = size / rows;
  tensor.rank = 2;
  tensor.active = 1;

  fettle_group group = {rule, {}};
  // Valid for every rule, those that count something with one of them included.
  for (double& number : group.hyper) number = 1.0;

  // A row starts a chunk.
  const int64_t chunks = rows * ((tensor.row_length - 1) / FETTLE_CHUNK + 1);
  std::vector<double> sums(size_t(chunks * FETTLE_MAX_SUMS));
  std::vector<double> rowSums(size_t(rows * (FETTLE_MAX_SUMS + 1)));
  std::vector<float> rowCoefficients(size_t(rows * FETTLE_MAX_ROW_COEFFICIENTS));
  double tensorSum = 0.0;
  fettle_plan plan = {};
  plan.size = int64_t(sizeof plan);
  plan.tensors = &tensor;
  plan.tensor_count = 1;
  plan.groups = &group;
  plan.group_count = 1;
  plan.chunk_count = chunks;
  plan.range_chunks = 1;
  plan.sums = sums.data();
  plan.gathers = shape.gathers;
  plan.gradient_pass = pieces || shape.needsNorm;
  plan.clip_kind = pieces ? FETTLE_CLIP_GLOBAL : FETTLE_CLIP_NONE;
  plan.max_norm = 1.0;
  plan.clip_value = pieces ? 0.5 : __builtin_inf();
  plan.loss_scale = 2.0;
  plan.seed = 5;
  for (fettle_average& average : plan.average) average = {0.9, FETTLE_WARMUP_NONE, 0.0, 0.0, 1};
  plan.tensor_sums = &tensorSum;
  plan.row_count = rows;
  plan.row_sums = rowSums.data();
  plan.row_coefficients = rowCoefficients.data();
  plan.masked_states = size % 3;  // each policy in turn
  CHECK(fettle_cpu_step(&plan, tier) == FETTLE_OK);
  CHECK(tensor.step == 1);
  CHECK(arrays.areIntact());
}

void rules_stay_within_their_arrays() {
  Arrays arrays;
  const int64_t count = int64_t(sizeof rules / sizeof rules[0]);
  for (int32_t tier : tiers()) {
    for (int64_t rule = 0; rule < count; rule++) {
      for (int64_t size : sizes) {
        for (int choice = 0; choice < 9; choice++) {
          // All of them around a vector's width, where tails are; elsewhere a third of them in turn.
          if (size > 33 && (choice + size + rule) % 3 != 0) continue;
          const int64_t dtype = formats[choice % 3];
          const int64_t other = formats[choice / 3];
          step(arrays, rule, size, dtype, other, choice % 2 == 0, false, tier);
          step(arrays, rule, size, dtype, other, choice % 2 != 0, true, tier);
        }
      }
    }
  }
}

// The lines of primitives.def.
struct Primitive {
  int arrays;
  char kind;
  bool saves;
};

template <class P>
constexpr Primitive ofElements() {
  return {P::inputs + P::outputs + (P::saves ? 1 : 0), 'e', P::saves};
}
template <class P>
constexpr Primitive ofRows() {
  return {P::inputs + P::outputs, 'r', false};
}
template <class P>
constexpr Primitive ofPixels() {
  return {2, 'p', false};
}

const Primitive primitives[] = {
#define FETTLE_PRIMITIVE(id, kind, ...) of##kind<__VA_ARGS__>(),
#include "fettle/primitives.def"
#undef FETTLE_PRIMITIVE
};

// By blocks of 8 or 4 bits, or bf16 with a compensation: what stands beside the array has guards too.
fettle_operand stored(Arrays& arrays, int64_t dtype, int64_t size, int64_t block, bool atEnd) {
  const bool blocked = dtype != FETTLE_BF16_COMPENSATED;
  const int64_t bytes = dtype == FETTLE_TORCHAO4 ? (size + 1) / 2 : size;
  fettle_operand operand =
      arrays.next(blocked ? FETTLE_U8 : FETTLE_BF16, blocked ? bytes : size, atEnd, FETTLE_NEAREST);
  operand.scales = blocked ? arrays.next(FETTLE_F32, units(size, block), atEnd, FETTLE_NEAREST).data
                           : arrays.next(FETTLE_BF16, size, atEnd, FETTLE_NEAREST).data;
  operand.dtype = dtype;
  operand.block_size = blocked ? block : 0;
  return operand;
}

const int64_t storedFormats[] = {FETTLE_LINEAR8, FETTLE_TORCHAO4, FETTLE_BF16_COMPENSATED};

// `block` is 0 for arrays of elements only.
void batch(Arrays& arrays, int64_t primitive, int64_t size, int64_t format, int64_t block, bool atEnd, int32_t tier) {
  const Primitive& shape = primitives[primitive];
  arrays.start();
  fettle_item item = {};
  item.primitive = primitive;
  const int64_t rows = shape.kind != 'e' && size % 3 == 0 ? 3 : 1;
  item.elements = size;
  item.row = shape.kind == 'p' ? rows : size / rows;
  item.pixels = shape.kind == 'p' ? size / rows : 1;
  for (int k = 0; k < shape.arrays; k++) {
    // A saved copy has the format of what it saves; the others go round.
    const bool saved = shape.saves && k == shape.arrays - 1;
    if (block > 0) {
      item.array[k] = stored(arrays, storedFormats[(format + k) % 3], size, block, atEnd);
      continue;
    }
    item.array[k] = arrays.next(formats[(format + (saved ? 0 : k)) % 3], size, atEnd, FETTLE_NEAREST);
  }
  const std::vector<int64_t> labels(size_t(rows), item.row - 1);
  if (shape.kind == 'r') item.labels = labels.data();
  for (double& factor : item.factors) factor = 0.5;

  fettle_batch all = {};
  all.size = int64_t(sizeof all);
  all.items = &item;
  all.item_count = 1;
  CHECK(fettle_batch_layout(&all) == FETTLE_OK);
  std::vector<double> sums(size_t(all.planes * all.sum_count));
  all.sums = sums.data();
  all.range_units = 1;
  CHECK(fettle_cpu_batch_run(&all, tier) == FETTLE_OK);
  CHECK(fettle_batch_finish(&all) == FETTLE_OK);
  CHECK(arrays.areIntact());
}

void primitives_stay_within_their_arrays() {
  Arrays arrays;
  const int64_t count = int64_t(sizeof primitives / sizeof primitives[0]);
  for (int32_t tier : tiers()) {
    for (int64_t primitive = 0; primitive < count; primitive++) {
      for (int64_t size : sizes) {
        for (int64_t format = 0; format < 3; format++) {
          for (const int64_t block : {0, 2, 64, 1024}) {
            if (block > 0 && (primitives[primitive].kind != 'e' || primitives[primitive].saves)) continue;
            batch(arrays, primitive, size, format, block, true, tier);
            batch(arrays, primitive, size, format, block, false, tier);
          }
        }
      }
    }
  }
}

// What cannot be stored as it says is refused before anything is read.
void wrong_arrays_are_refused() {
  float values[8] = {};
  const fettle_operand plain = {values, nullptr, FETTLE_F32, FETTLE_NEAREST, 0};
  const auto status = [&](const char* id, fettle_operand in, fettle_operand out) {
    fettle_item item = {};
    while (strcmp(fettle_primitive_id(int32_t(item.primitive)), id) != 0) item.primitive++;
    item.elements = 4;
    item.row = 4;
    item.array[0] = in;
    item.array[1] = out;
    fettle_batch all = {};
    all.size = int64_t(sizeof all);
    all.items = &item;
    all.item_count = 1;
    return fettle_batch_layout(&all);
  };
  fettle_operand blocked = {values, values + 4, FETTLE_LINEAR8, FETTLE_NEAREST, 4};
  CHECK(status("scale", plain, blocked) == FETTLE_OK);
  CHECK(status("copy", plain, blocked) == FETTLE_INVALID_ARGUMENT);
  CHECK(status("norm_loss_decay", plain, blocked) == FETTLE_INVALID_ARGUMENT);
  for (const int64_t size : {-4, 0, 3, 8192}) {
    blocked.block_size = size;
    CHECK(status("scale", blocked, plain) == FETTLE_INVALID_ARGUMENT);
  }
  blocked.block_size = 1;
  CHECK(status("scale", blocked, plain) == FETTLE_OK);
  blocked.dtype = FETTLE_TORCHAO4;
  CHECK(status("scale", blocked, plain) == FETTLE_INVALID_ARGUMENT);
  blocked = {values, nullptr, FETTLE_BF16_COMPENSATED, FETTLE_NEAREST, 0};
  CHECK(status("scale", plain, blocked) == FETTLE_INVALID_ARGUMENT);
}

}  // namespace

int main() {
  if (tiers().empty()) std::printf("NOT RUN: this CPU has neither x86-64-v3 nor v4\n");
  CHECK(fettle_rule_id(int32_t(sizeof rules / sizeof rules[0])) == nullptr);
  CHECK(fettle_primitive_id(int32_t(sizeof primitives / sizeof primitives[0])) == nullptr);
  rules_stay_within_their_arrays();
  primitives_stay_within_their_arrays();
  wrong_arrays_are_refused();
  return check::finish("guard_test");
}
