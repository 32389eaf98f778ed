// The step's driver on the CPU, compiled once per tier.
//
//   decode -> prologue -> rule -> epilogue -> encode
//
// A vector goes the whole way in registers. What needs more than a vector to be encoded (random words, the scale of a block)
// passes through tiles of padded scratch. Chunks are independent of each other, so any thread may take any of them.
#include "cpu/tier.h"

#include "core/prepare.h"
#include "cpu/block_codec.h"
#include "cpu/codec.h"
#include "cpu/pieces.h"
#include "cpu/reduce.h"
#include "cpu/rule_entry.h"
#include "cpu/tile.h"
#include "fettle/fettle.h"
#include "rules/all.h"

namespace fettle {
namespace FETTLE_TIER {
namespace {

constexpr int tileElements = 512;
// Scratch arrays stand a little more than a tile apart, so that they do not alias in the cache.
constexpr int tileStride = tileElements + 48;

const RuleEntry rules[] = {
#define FETTLE_RULE(id, record, ...) entryOf<__VA_ARGS__>(),
#include "fettle/rules.def"
#undef FETTLE_RULE
};
constexpr int ruleCount = sizeof rules / sizeof rules[0];

const RuleEntry& ruleOf(const fettle_plan& plan, const fettle_tensor& tensor) {
  return rules[plan.groups[tensor.group].rule];
}

int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

Noise noiseOf(const fettle_plan& plan, const fettle_tensor& tensor, int purpose) {
  return FETTLE_TIER::noiseOf(plan, tensor, tensor.step + 1, purpose);
}

// The arrays from element `first` on, n elements of them.
Tile tileAt(const fettle_plan& plan, const RuleEntry& rule, const fettle_tensor& tensor, int64_t first, int64_t n) {
  constexpr Array none = {nullptr, FETTLE_F32};
  Tile tile;
  tile.p = arrayAt(tensor.parameter, first);
  tile.g = arrayAt(tensor.gradient, first);
  for (int k = 0; k < FETTLE_MAX_STATES; k++) tile.state[k] = k < rule.states ? arrayAt(tensor.state[k], first) : none;
  tile.averages = 0;
  for (int k = 0; k < FETTLE_MAX_AVERAGES; k++) {
    tile.average[k] = tensor.average_due[k] != 0.0f ? arrayAt(tensor.average[k], first) : none;
    if (tile.average[k].data != nullptr) tile.averages = k + 1;
    tile.averageKeep[k] = tensor.average_keep[k];
    tile.averageTake[k] = tensor.average_take[k];
    tile.pulls[k] = tensor.average_due[k] == 2.0f;
  }
  tile.copy = arrayAt(tensor.copy, first);
  tile.mask = tensor.mask == nullptr ? nullptr : tensor.mask + first / 8;
  tile.firstBit = int(first % 8);
  tile.maskedStates = plan.masked_states;
  tile.transforms = !prologueOf(tensor).isIdentity();
  tile.n = n;
  return tile;
}

// The last few elements of a tile, fewer than a vector has lanes: they pass through vectors of scratch.
__attribute__((noinline)) void updateRest(const RuleEntry& rule, const fettle_tensor& tensor, const float* coefficients,
                                          const Tile& tile, int64_t first) {
  constexpr int arrays = FETTLE_MAX_STATES + FETTLE_MAX_AVERAGES + 3;
  const int count = int(tile.n - first);
  alignas(64) float values[arrays][Vector::lanes];
  Tile rest = tile;
  Array* in[arrays] = {&rest.p, &rest.g, &rest.copy};
  for (int k = 0; k < FETTLE_MAX_AVERAGES; k++) in[3 + k] = &rest.average[k];
  for (int k = 0; k < FETTLE_MAX_STATES; k++) in[3 + FETTLE_MAX_AVERAGES + k] = &rest.state[k];
  Array from[arrays];
  for (int k = 0; k < arrays; k++) {
    from[k] = *in[k];
    if (from[k].data == nullptr) continue;
    loadPart(from[k], first, count).store(values[k]);
    *in[k] = {reinterpret_cast<char*>(values[k]), FETTLE_F32};
  }
  uint8_t bits[Vector::lanes / 8 + 1] = {};
  if (tile.mask != nullptr) {
    memcpy(bits, tile.mask + first / 8, size_t(tile.firstBit + count + 7) / 8);
    rest.mask = bits;
  }
  rest.n = Vector::lanes;
  rule.update(coefficients, prologueOf(tensor), rest);
  for (int k = 0; k < arrays; k++) {
    if (from[k].data != nullptr && in[k] != &rest.g) storePart(from[k], first, count, Vector::load(values[k]));
  }
}

// The pipeline over a tile, whose arrays are all rounded to nearest.
void updateWhole(const RuleEntry& rule, const fettle_tensor& tensor, const float* coefficients, const Tile& tile) {
  Tile vectors = tile;
  vectors.n = tile.n / Vector::lanes * Vector::lanes;
  // The rest first: the processor starts on the other vectors while it waits for this one.
  if (vectors.n < tile.n) updateRest(rule, tensor, coefficients, tile, vectors.n);
  if (vectors.n > 0) rule.update(coefficients, prologueOf(tensor), vectors);
}

bool isDrawn(const fettle_operand& operand) {
  return operand.data != nullptr && (operand.dtype == FETTLE_BF16 || operand.dtype == FETTLE_F16) &&
         operand.rounding == FETTLE_STOCHASTIC;
}

bool isStaged(const fettle_operand& operand) { return isDrawn(operand) || isBlocked(operand); }

// What an update writes, and what its random words are for.
constexpr int writtenArrays = FETTLE_MAX_STATES + FETTLE_MAX_AVERAGES + 2;
struct Written {
  const fettle_operand* operand[writtenArrays];
  int purpose[writtenArrays];
  int count;
};

Written writtenBy(const RuleEntry& rule, const fettle_tensor& tensor) {
  Written written = {{&tensor.parameter, &tensor.copy}, {roundParameter, roundCopy}, 2};
  const auto add = [&](const fettle_operand& operand, int purpose) {
    written.operand[written.count] = &operand;
    written.purpose[written.count++] = purpose;
  };
  for (int k = 0; k < FETTLE_MAX_AVERAGES; k++) add(tensor.average[k], roundAverage(k));
  for (int k = 0; k < rule.states; k++) add(tensor.state[k], roundState + k);
  return written;
}

// Elements of a tile of which some arrays need scratch: whole blocks, or 0 where none does.
int stagedElements(const Written& written) {
  int64_t elements = 0;
  for (int k = 0; k < written.count; k++) {
    if (!isStaged(*written.operand[k])) continue;
    const int64_t block = isBlocked(*written.operand[k]) ? written.operand[k]->block_size : 0;
    elements = block > elements ? block : elements;
    elements = elements > tileElements ? elements : tileElements;
  }
  return int(elements);
}

// The pipeline over a tile of which some arrays are rounded with random words or encoded by blocks.
// `first` is the start of a block.
void updateStaged(const fettle_plan& plan, const RuleEntry& rule, const fettle_tensor& tensor, const Written& written,
                  const float* coefficients, int64_t first, int n) {
  alignas(64) float values[writtenArrays][FETTLE_CHUNK + 48];
  Tile tile = tileAt(plan, rule, tensor, first, n);
  constexpr int firstState = FETTLE_MAX_AVERAGES + 2;
  Array* array[writtenArrays] = {&tile.p, &tile.copy};
  for (int k = 0; k < FETTLE_MAX_AVERAGES; k++) array[2 + k] = &tile.average[k];
  for (int k = firstState; k < written.count; k++) array[k] = &tile.state[k - firstState];
  bool staged[writtenArrays];
  for (int k = 0; k < written.count; k++) {
    staged[k] = array[k]->data != nullptr && isStaged(*written.operand[k]);
    if (!staged[k]) continue;
    if (isBlocked(*written.operand[k])) {
      decodeBlocks(blockRowsOf(tensor), *written.operand[k], first, n, values[k]);
    } else {
      decodeTile(*array[k], n, values[k]);
    }
    *array[k] = {reinterpret_cast<char*>(values[k]), FETTLE_F32};
  }
  updateWhole(rule, tensor, coefficients, tile);
  for (int k = 0; k < written.count; k++) {
    if (!staged[k]) continue;
    const fettle_operand& operand = *written.operand[k];
    if (isBlocked(operand)) {
      encodeBlocks(blockRowsOf(tensor), operand, first, n, values[k]);
    } else {
      encodeStochastic(values[k], operand.dtype, first, n, operand.data, noiseOf(plan, tensor, written.purpose[k]));
    }
  }
}

// The rule over as many whole blocks as its states have from a block's start on, if all of them are stored linearly in 8 bits and
// nothing else is done. Answers how many elements that were.
int64_t updateLinearBlocks(const fettle_plan& plan, const RuleEntry& rule, const fettle_tensor& tensor,
                           const float* coefficients, int64_t first, int64_t n) {
  const int64_t size = tensor.state[0].block_size;
  if (rule.states == 0 || size <= 0 || size % Vector::lanes != 0 || size > largestLinearBlock) return 0;
  LinearState states[FETTLE_MAX_STATES];
  for (int k = 0; k < rule.states; k++) {
    const fettle_operand& state = tensor.state[k];
    const bool positive = state.dtype == FETTLE_LINEAR8_POSITIVE;
    if ((state.dtype != FETTLE_LINEAR8 && !positive) || state.block_size != size) return 0;
    const BlockSpan span = blocksAt(blockRowsOf(tensor), state, first);
    states[k] = {span.codes, span.scales, positive};
  }
  const Tile tile = tileAt(plan, rule, tensor, first, n / size * size);
  if (!tile.isBare() || tile.p.dtype != FETTLE_F32 || tile.g.dtype != FETTLE_F32 || isDrawn(tensor.parameter)) return 0;
  rule.updateLinear(coefficients, tile, states, size);
  return tile.n;
}

// The whole pipeline over elements first .. last of a tensor.
void applySpan(const fettle_plan& plan, const fettle_tensor& tensor, const float* coefficients, int64_t first,
               int64_t last) {
  const RuleEntry& rule = ruleOf(plan, tensor);
  const Written written = writtenBy(rule, tensor);
  const int elements = stagedElements(written);
  if (elements == 0) {
    updateWhole(rule, tensor, coefficients, tileAt(plan, rule, tensor, first, last - first));
    return;
  }
  first += updateLinearBlocks(plan, rule, tensor, coefficients, first, last - first);
  for (int64_t at = first; at < last; at += elements) {
    updateStaged(plan, rule, tensor, written, coefficients, at, int(least(elements, last - at)));
  }
}

// Chunks first .. last of a tensor: one span, or one span per chunk where every row has coefficients of its own.
void applyChunks(const fettle_plan& plan, const fettle_tensor& tensor, int64_t first, int64_t last) {
  const RuleEntry& rule = ruleOf(plan, tensor);
  if (!rule.rowwise) {
    const int64_t end = least(last * FETTLE_CHUNK, tensor.elements);
    applySpan(plan, tensor, tensor.coefficients, first * FETTLE_CHUNK, end);
    return;
  }
  for (int64_t chunk = first; chunk < last; chunk++) {
    const ChunkSpan span = spanOf(tensor, chunk);
    float row[FETTLE_MAX_ROW_COEFFICIENTS];
    for (int k = 0; k < FETTLE_MAX_ROW_COEFFICIENTS; k++) {
      row[k] = plan.row_coefficients[k * plan.row_count + tensor.first_row + span.row];
    }
    float coefficients[FETTLE_MAX_COEFFICIENTS];
    memcpy(coefficients, tensor.coefficients, sizeof coefficients);
    rule.enterRow(row, coefficients);
    applySpan(plan, tensor, coefficients, span.first, span.last);
  }
}

// One chunk of a rule's gather: leaves the chunk's partial sums in the plan.
void gatherChunk(const fettle_plan& plan, const fettle_tensor& tensor, int gather, int64_t chunk) {
  const RuleEntry& rule = ruleOf(plan, tensor);
  if (gather >= rule.gathers) return;
  const Prologue prologue = prologueOf(tensor);
  alignas(64) float decoded[FETTLE_MAX_STATES + 1][tileStride];
  Lanes lanes[FETTLE_MAX_SUMS];
  for (int k = 0; k < rule.sums; k++) lanes[k].clear();
  bool blocks = isBlocked(tensor.parameter);
  for (int k = 0; k < rule.states; k++) blocks = blocks || isBlocked(tensor.state[k]);
  const ChunkSpan span = spanOf(tensor, chunk);
  const int64_t elements = blocks ? tileElements : FETTLE_CHUNK;
  for (int64_t at = span.first; at < span.last; at += elements) {
    const int n = int(least(elements, span.last - at));
    Tile tile = tileAt(plan, rule, tensor, at, n);
    const auto stage = [&](const fettle_operand& operand, Array& array, float* to) {
      if (!isBlocked(operand)) return;
      decodeBlocks(blockRowsOf(tensor), operand, at, n, to);
      array = {reinterpret_cast<char*>(to), FETTLE_F32};
    };
    stage(tensor.parameter, tile.p, decoded[FETTLE_MAX_STATES]);
    for (int k = 0; k < rule.states; k++) stage(tensor.state[k], tile.state[k], decoded[k]);
    rule.gather(gather, tensor.coefficients, prologue, tile, lanes);
  }
  for (int k = 0; k < rule.sums; k++) {
    plan.sums[k * plan.chunk_count + tensor.first_chunk + chunk] =
        rule.maximum ? sumOf<true>(lanes[k]) : sumOf<false>(lanes[k]);
  }
}

// One chunk of the gradient pass: the sum of squares after unscaling and clipping by value, and the non-finite flag.
void gradientChunk(fettle_plan& plan, const fettle_tensor& tensor, int64_t chunk) {
  alignas(64) float decoded[tileStride];
  alignas(64) float values[tileStride];
  Lanes lanes;
  lanes.clear();
  const Prologue prologue = normPrologueOf(tensor);
  const ChunkSpan span = spanOf(tensor, chunk);
  const bool masks = hides(plan, tensor);
  // Squares of finite floats never add up to an infinite double, so where nothing is transformed the sum is the verdict.
  const bool bare = !masks && prologue.isIdentity();
  bool finite = true;
  const bool direct = bare && tensor.gradient.dtype == FETTLE_F32;
  if (direct) {
    const float* g = static_cast<const float*>(tensor.gradient.data);
    accumulateStream(lanes, g + span.first, int(span.last - span.first));
  }
  for (int64_t at = direct ? span.last : span.first; at < span.last; at += tileElements) {
    const int n = int(least(tileElements, span.last - at));
    const Array gradient = arrayAt(tensor.gradient, at);
    const float* g = reinterpret_cast<const float*>(gradient.data);
    if (gradient.dtype != FETTLE_F32) {
      decodeTile(gradient, n, decoded);
      g = decoded;
    }
    if (!bare) {
      finite &= prologueTile(prologue, g, masks ? tensor.mask + at / 8 : nullptr, int(at % 8), n, values);
      g = values;
    }
    accumulateSquares(lanes, g, n);
  }
  const double sum = treeSum(lanes.sum, reductionLanes);
  if (bare) finite = sum - sum == 0.0;
  if (!finite) __atomic_store_n(&plan.non_finite, 1, __ATOMIC_RELAXED);
  plan.sums[tensor.first_chunk + chunk] = sum;
}

void run(fettle_plan* plan, int phase, int gather, int64_t first, int64_t last) {
  // The last tensor whose first chunk is not behind `first`; tensors without chunks share a number with their successor.
  int64_t low = 0;
  int64_t high = plan->tensor_count;
  while (high - low > 1) {
    const int64_t middle = low + (high - low) / 2;
    if (plan->tensors[middle].first_chunk <= first) {
      low = middle;
    } else {
      high = middle;
    }
  }
  int64_t chunk = first;
  for (int64_t index = low; index < plan->tensor_count && chunk < last; index++) {
    const fettle_tensor& tensor = plan->tensors[index];
    const int64_t from = chunk - tensor.first_chunk;
    const int64_t to = least(chunksOf(tensor), last - tensor.first_chunk);
    if (to <= from) continue;
    chunk = tensor.first_chunk + to;
    if (tensor.active == 0) continue;
    if (phase == FETTLE_PHASE_APPLY) {
      applyChunks(*plan, tensor, from, to);
    } else {
      for (int64_t k = from; k < to; k++) {
        if (phase == FETTLE_PHASE_GRADIENT) {
          gradientChunk(*plan, tensor, k);
        } else {
          gatherChunk(*plan, tensor, gather, k);
        }
      }
    }
  }
}

void begin(fettle_plan* plan) {
  plan->non_finite = 0;
  for (int64_t i = 0; i < plan->tensor_count; i++) {
    if (plan->tensors[i].active != 0) preparePrologue(*plan, plan->tensors[i]);
  }
}

int32_t prepare(fettle_plan* plan) {
  if (plan->gradient_pass != 0) {
    for (int64_t i = 0; i < plan->tensor_count; i++) {
      fettle_tensor& tensor = plan->tensors[i];
      const bool counts = tensor.active != 0;
      tensor.gradient_square = counts ? treeSum(plan->sums + tensor.first_chunk, chunksOf(tensor)) : 0.0;
    }
    finishGradientPass(*plan);
    if (stops(*plan)) return FETTLE_NON_FINITE;
  }
  for (int64_t i = 0; i < plan->tensor_count; i++) {
    fettle_tensor& tensor = plan->tensors[i];
    if (tensor.active == 0) continue;
    preparePipeline(*plan, tensor);
    memcpy(tensor.next_scalars, tensor.scalars, sizeof tensor.scalars);
    ruleOf(*plan, tensor).prepare(contextOf(*plan, tensor), tensor.coefficients);
  }
  return FETTLE_OK;
}

// Partial sums of chunks, or of rows, to one: added by a tree, or the largest of them.
double reduce(const RuleEntry& rule, double* sums, int64_t count) {
  return rule.maximum ? largestOf(sums, count) : treeSum(sums, count);
}

// The sums of a tensor whose rule reduces by rows: each row's first, then a tree over the rows. Leaves the rows' sums in the
// plan and answers the largest score of a row.
double reduceRows(fettle_plan& plan, const fettle_tensor& tensor, const StepContext& context, double* sums) {
  const RuleEntry& rule = ruleOf(plan, tensor);
  const int64_t perRow = chunksPerRow(tensor);
  double* scratch = plan.row_sums + FETTLE_MAX_SUMS * plan.row_count + tensor.first_row;
  for (int k = 0; k < rule.sums; k++) {
    double* of = plan.row_sums + k * plan.row_count + tensor.first_row;
    double* chunks = plan.sums + k * plan.chunk_count + tensor.first_chunk;
    for (int64_t row = 0; row < tensor.rows; row++) {
      scratch[row] = of[row] = reduce(rule, chunks + row * perRow, perRow);
    }
    sums[k] = reduce(rule, scratch, tensor.rows);
  }
  double largest = 0.0;
  for (int64_t row = 0; row < tensor.rows; row++) {
    double own[FETTLE_MAX_SUMS];
    for (int k = 0; k < rule.sums; k++) own[k] = plan.row_sums[k * plan.row_count + tensor.first_row + row];
    const double score = rule.score(context, own);
    if (score > largest || score != score) largest = score;
    if (largest != largest) break;
  }
  return largest;
}

void combineRows(const fettle_plan& plan, const fettle_tensor& tensor, const StepContext& context, int gather) {
  const RuleEntry& rule = ruleOf(plan, tensor);
  for (int64_t row = 0; row < tensor.rows; row++) {
    const int64_t at = tensor.first_row + row;
    double sums[FETTLE_MAX_SUMS];
    float coefficients[FETTLE_MAX_ROW_COEFFICIENTS] = {};
    for (int k = 0; k < rule.sums; k++) sums[k] = plan.row_sums[k * plan.row_count + at];
    double* state = tensor.row_state == nullptr ? nullptr : tensor.row_state + row;
    rule.row(gather, context, tensor.coefficients, {sums, state, coefficients});
    for (int k = 0; k < FETTLE_MAX_ROW_COEFFICIENTS; k++) {
      plan.row_coefficients[k * plan.row_count + at] = coefficients[k];
    }
  }
}

void combine(fettle_plan* plan, int gather) {
  for (int64_t i = 0; i < plan->tensor_count; i++) {
    fettle_tensor& tensor = plan->tensors[i];
    const RuleEntry& rule = ruleOf(*plan, tensor);
    if (tensor.active == 0 || gather >= rule.gathers) continue;
    StepContext context = contextOf(*plan, tensor);
    double sums[FETTLE_MAX_SUMS];
    if (rule.rowwise) {
      context.largestScore = reduceRows(*plan, tensor, context, sums);
    } else {
      for (int k = 0; k < rule.sums; k++) {
        sums[k] = reduce(rule, plan->sums + k * plan->chunk_count + tensor.first_chunk, chunksOf(tensor));
      }
    }
    rule.combine(gather, context, sums, tensor.coefficients);
    if (rule.rowwise) combineRows(*plan, tensor, context, gather);
  }
}

}  // namespace
}  // namespace FETTLE_TIER

#define FETTLE_TABLE_OF(tier) FETTLE_TABLE_NAME(tier)
#define FETTLE_TABLE_NAME(tier) table_##tier

extern const TierTable FETTLE_TABLE_OF(FETTLE_TIER);
const TierTable FETTLE_TABLE_OF(FETTLE_TIER) = {
    FETTLE_TIER::ruleCount, FETTLE_TIER::begin, FETTLE_TIER::prepare, FETTLE_TIER::combine, FETTLE_TIER::run,
};

}  // namespace fettle
