// Whole steps through the emulated CUDA path and through the CPU path: every byte of every array and every number of
// the tables must agree, whatever the rule, the formats, the epilogues, the sizes and the launch shape.
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "cuda_runtime.h"
#include "twin_plan.h"

namespace {

using test::Format;
using test::PlanSpec;
using test::Random;
using test::TensorSpec;
using test::TwinPlan;

const int64_t sizes[] = {0, 1, 3, 127, 128, 129, 4095, 4096, 4097, 10000};

struct LaunchShape {
  int64_t threads;
  int64_t blocks;
};

const LaunchShape shapes[] = {{0, 0}, {32, 1}, {64, 7}, {96, 3}, {256, 1}, {256, 50}, {160, 2}, {128, 13}};

const Format formats[] = {{FETTLE_F32, FETTLE_NEAREST},
                          {FETTLE_BF16, FETTLE_NEAREST},
                          {FETTLE_BF16, FETTLE_STOCHASTIC},
                          {FETTLE_F16, FETTLE_NEAREST},
                          {FETTLE_F16, FETTLE_STOCHASTIC}};

Format anyFormat(Random& random) { return formats[random.below(5)]; }

// Differences are told one by one; after this many there is nothing more to learn.
constexpr int mostFailures = 20;
int failed = 0;

// A few steps on both, with new gradients and arguments each, comparing after every one.
void run(const PlanSpec& spec, const LaunchShape& shape, uint64_t seed, const char* what) {
  if (failed >= mostFailures) return;
  TwinPlan plan(spec, seed);
  emulation::shuffle(seed);
  if (plan.open(shape.threads, shape.blocks) != FETTLE_OK) {
    check::that(false, what, __FILE__, __LINE__);
    printf("%s: seed %llu: open: %s\n", what, static_cast<unsigned long long>(seed), plan.reason);
    failed++;
    return;
  }
  for (int step = 0; step < 3; step++) {
    plan.renew(step > 0);
    const int32_t host = plan.stepHost();
    const int32_t device = plan.stepDevice();
    // The device says nothing of a step that it skipped; the tables tell.
    const bool same =
        host == device || (spec.policy == FETTLE_SKIP && host == FETTLE_NON_FINITE && device == FETTLE_OK);
    const std::string difference = same ? plan.difference() : "the statuses differ: " + std::string(plan.reason);
    check::that(difference.empty(), what, __FILE__, __LINE__);
    if (difference.empty()) continue;
    printf("%s: seed %llu, step %d, %lld threads, %lld blocks: %s\n", what, static_cast<unsigned long long>(seed), step,
           static_cast<long long>(shape.threads), static_cast<long long>(shape.blocks), difference.c_str());
    failed++;
    return;
  }
}

// One rule, all sizes, everything in one format.
PlanSpec uniform(int64_t rule, const Format& weights, const Format& gradient, const Format& state, bool epilogues) {
  PlanSpec spec;
  spec.rules = {rule};
  for (const int64_t elements : sizes) {
    TensorSpec tensor;
    tensor.elements = elements;
    tensor.parameter = weights;
    tensor.gradient = gradient;
    tensor.state = state;
    tensor.hasCopy = tensor.hasMask = epilogues;
    tensor.averages = epilogues ? 1 : 0;
    tensor.copy = {FETTLE_BF16, FETTLE_STOCHASTIC};
    spec.tensors.push_back(tensor);
  }
  return spec;
}

void everyRuleInEveryCommonMix() {
  const Format f32 = formats[0], bf16 = formats[1], noisy = formats[2], f16 = formats[3];
  uint64_t seed = 1000;
  for (int rule = 0; rule < test::ruleCount(); rule++) {
    const PlanSpec specs[] = {uniform(rule, f32, f32, f32, false),     uniform(rule, f32, f32, f32, true),
                              uniform(rule, f32, bf16, f32, true),     uniform(rule, noisy, bf16, f32, false),
                              uniform(rule, noisy, bf16, noisy, true), uniform(rule, f16, f16, bf16, false)};
    for (const PlanSpec& spec : specs) {
      run(spec, shapes[seed % 8], seed, fettle_rule_id(rule));
      seed++;
    }
  }
}

// Rows that are no multiple of four long, longer than a chunk, shorter than a quad, or empty.
void intoRows(TensorSpec& tensor, Random& random) {
  const int64_t lengths[] = {0, 1, 3, 4, 5, 17, 64, 129, 1001, 4096, 4099, 9000};
  const int64_t length = lengths[random.below(12)];
  tensor.rows = 1 + random.below(length > 1000 ? 3 : 40);
  tensor.elements = tensor.rows * length;
}

// The rules that reduce by rows, also over rows of so many chunks that a block adds each.
void everyRowwiseRule() {
  uint64_t seed = 3000;
  for (int rule = 0; rule < test::ruleCount(); rule++) {
    if (!test::isRowwise(rule)) continue;
    for (int i = 0; i < 24; i++, seed++) {
      Random random(seed);
      PlanSpec spec;
      spec.rules = {rule};
      for (int k = 0; k < 4; k++) {
        TensorSpec tensor;
        intoRows(tensor, random);
        tensor.parameter = tensor.state = i % 2 == 0 ? formats[0] : anyFormat(random);
        tensor.gradient = i % 3 == 0 ? formats[0] : anyFormat(random);
        tensor.hasMask = i % 4 == 1;
        tensor.averages = i % 4 == 1 ? 2 : 0;
        spec.tensors.push_back(tensor);
      }
      if (i == 0) {
        spec.tensors[0].rows = 2;
        spec.tensors[0].elements = 2 * 65 * FETTLE_CHUNK + 2;
      }
      run(spec, shapes[seed % 8], seed, fettle_rule_id(rule));
    }
  }
}

constexpr int blockFormats = FETTLE_BLOCK_E4M3 - FETTLE_LINEAR8 + 1;

// A format by blocks: of 256, as they mostly are, or of any size that there may be.
Format blockFormat(int number, int64_t size) {
  const int64_t dtype = FETTLE_LINEAR8 + number % blockFormats;
  const bool nibbles = dtype == FETTLE_TORCHAO4 || dtype == FETTLE_TORCHAO4_POSITIVE;
  return {dtype, FETTLE_NEAREST, nibbles && size < 2 ? 2 : size};
}

const int64_t blockSizes[] = {256, 1, 2, 4, 8, 64, 128, 256, 512, 2048, 4096};

// Every rule with states in every format by blocks; the block sizes take turns. Tensors of one plan are of several
// formats and sizes, some with f32 states as below a threshold.
void everyRuleWithLowBitStates() {
  uint64_t seed = 20000;
  for (int rule = 0; rule < test::ruleCount(); rule++) {
    if (test::statesOf(rule) == 0) continue;
    for (int number = 0; number < blockFormats; number++, seed++) {
      Random random(seed);
      const int64_t size = random.chance(40) ? 256 : blockSizes[random.below(11)];
      const Format weights = number % 3 == 0 ? formats[0] : anyFormat(random);
      PlanSpec spec =
          uniform(rule, weights, formats[number % 2], blockFormat(number, size), number % 4 == 3);
      spec.maskedStates = random.below(3);
      if (number % 2 == 1) spec.clipKind = FETTLE_CLIP_GLOBAL;
      for (size_t k = 0; k < spec.tensors.size(); k++) {
        TensorSpec& tensor = spec.tensors[k];
        tensor.special = random.chance(20);
        tensor.mixedStates = random.chance(10);
        tensor.misalignment = random.chance(30) ? random.below(8) : 0;
        if (tensor.elements < 128 && random.chance(30)) tensor.state = formats[0];
        if (k % 4 == 3) tensor.state = blockFormat(number + 1, blockSizes[random.below(11)]);
        if (test::isRowwise(rule) && k % 2 == 1) intoRows(tensor, random);
      }
      run(spec, shapes[seed % 8], seed, fettle_rule_id(rule));
    }
  }
}

// One rule with two moments over every block size and format.
void everyBlockSize() {
  int adam = 0;
  while (strcmp(fettle_rule_id(adam), "adamw") != 0) adam++;
  uint64_t seed = 30000;
  for (const int64_t size : blockSizes) {
    for (int number = 0; number < blockFormats; number++, seed++) {
      run(uniform(adam, formats[0], formats[0], blockFormat(number, size), seed % 2 == 1), shapes[seed % 8], seed,
          "block sizes");
    }
  }
}

void everyLaunchShape() {
  for (const LaunchShape& shape : shapes) {
    for (int rule = 0; rule < test::ruleCount(); rule++) {
      PlanSpec spec = uniform(rule, formats[0], formats[0], formats[0], false);
      spec.clipKind = FETTLE_CLIP_GLOBAL;
      run(spec, shape, 77, "launch shapes");
    }
  }
}

TensorSpec anyTensor(Random& random, const PlanSpec& spec) {
  TensorSpec tensor;
  tensor.elements = random.chance(60) ? sizes[random.below(10)] : random.below(9000);
  if (random.chance(40)) intoRows(tensor, random);
  tensor.group = random.below(int(spec.rules.size()));
  tensor.parameter = anyFormat(random);
  tensor.gradient = anyFormat(random);
  tensor.state = random.chance(70) ? anyFormat(random) : blockFormat(random.below(9), blockSizes[random.below(11)]);
  tensor.copy = anyFormat(random);
  tensor.average = anyFormat(random);
  tensor.hasCopy = random.chance(40);
  tensor.averages = random.chance(40) ? 1 + int(random.below(FETTLE_MAX_AVERAGES)) : 0;
  tensor.hasMask = random.chance(40);
  tensor.special = random.chance(30);
  tensor.misalignment = random.chance(50) ? 0 : random.below(8);
  return tensor;
}

// Mixed plans: several rules, any formats, clipping, policies, special values, misaligned views.
void randomPlans(int count) {
  for (int i = 0; i < count; i++) {
    const uint64_t seed = 5000 + uint64_t(i);
    Random random(seed);
    PlanSpec spec;
    const int groups = 1 + random.below(4);
    for (int k = 0; k < groups; k++) spec.rules.push_back(random.below(test::ruleCount()));
    spec.policy = random.below(3);
    spec.maskedStates = random.below(3);
    spec.clipKind = random.below(3);
    spec.maxNorm = random.pick({0.1, 1.0, 1e9});
    spec.clipValue = random.pick({0.25, 1.0 / 0.0, 1.0 / 0.0});
    spec.lossScale = random.pick({1.0, 1024.0, 3.0, 1e-30});
    spec.gradientPass = random.chance(50);
    spec.averageInterval = 1 + random.below(2);
    spec.averageWarmup = random.below(4) == 3 ? int64_t(FETTLE_WARMUP_LOOKAHEAD) : random.below(3);
    spec.seed = random.next();
    const int tensors = random.below(8);
    for (int k = 0; k < tensors; k++) spec.tensors.push_back(anyTensor(random, spec));
    run(spec, shapes[random.below(8)], seed, "a random plan");
  }
}

// More tensors and groups than one kernel takes arguments for, and than one block has threads.
void manySmallTensors() {
  PlanSpec spec;
  for (int k = 0; k < 70; k++) spec.rules.push_back(k % test::ruleCount());
  Random random(9);
  for (int k = 0; k < 9000; k++) {
    TensorSpec tensor;
    tensor.elements = random.below(7);
    tensor.group = random.below(70);
    spec.tensors.push_back(tensor);
  }
  spec.clipKind = FETTLE_CLIP_TENSOR;
  run(spec, shapes[0], 31, "many small tensors");
}

}  // namespace

int main() {
  everyRuleInEveryCommonMix();
  everyRowwiseRule();
  everyRuleWithLowBitStates();
  everyBlockSize();
  everyLaunchShape();
  randomPlans(250);
  manySmallTensors();
  CHECK(emulation::allocations() == 0);
  printf("emulated on the host: no GPU has run these kernels here\n");
  return check::finish("cuda_same_bits_test");
}
