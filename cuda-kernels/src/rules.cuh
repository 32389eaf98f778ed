// The registry of rules on the device: everything here is made from fettle/rules.def.
#pragma once

#include "rules/all.h"
#include "tables.cuh"

namespace fettle {
namespace FETTLE_TIER {

// A rule's number: its line in the registry.
enum RuleNumber {
#define FETTLE_RULE(id, record, ...) rule_##id,
#include "fettle/rules.def"
#undef FETTLE_RULE
  ruleCount
};

template <int number>
struct RuleAt;

#define FETTLE_RULE(id, record, ...) \
  template <>                        \
  struct RuleAt<rule_##id> {         \
    using Type = __VA_ARGS__;        \
  };
#include "fettle/rules.def"
#undef FETTLE_RULE

// A rule's kernels, as the host launches them.
struct RuleKernels {
  int gathers;
  int sums;
  bool rowwise;
  void (*apply)(Tables, Span);
  void (*gather)(Tables, Span, int);  // null where the rule gathers nothing
  // For tensors with states that are stored by blocks; null where the rule has no states.
  void (*applyBlocks)(Tables, Span);
  void (*gatherBlocks)(Tables, Span, int);
};

// The kernels are compiled in several files, rule number n in file n mod kernelFiles, so that a build can work on
// all of them at once.
constexpr int kernelFiles = 8;

template <int file>
RuleKernels kernelsIn(int rule);

template <>
RuleKernels kernelsIn<0>(int rule);
template <>
RuleKernels kernelsIn<1>(int rule);
template <>
RuleKernels kernelsIn<2>(int rule);
template <>
RuleKernels kernelsIn<3>(int rule);
template <>
RuleKernels kernelsIn<4>(int rule);
template <>
RuleKernels kernelsIn<5>(int rule);
template <>
RuleKernels kernelsIn<6>(int rule);
template <>
RuleKernels kernelsIn<7>(int rule);

}  // namespace FETTLE_TIER
}  // namespace fettle
