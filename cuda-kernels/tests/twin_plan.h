// A plan twice: once in host memory for the CPU path, once in device memory for the (emulated) CUDA path. Both start
// from the same bytes; after any number of steps all bytes must be the same again.
#pragma once

#include <stdint.h>

#include <string>
#include <vector>

#include "fettle/cuda.h"

namespace test {

// What a random stream of a test draws from.
class Random {
 public:
  explicit Random(uint64_t seed) : state(seed) {}
  uint64_t next();
  int below(int bound) { return int(next() % uint64_t(bound)); }
  bool chance(int percent) { return below(100) < percent; }
  double pick(std::initializer_list<double> values) { return values.begin()[below(int(values.size()))]; }

 private:
  uint64_t state;
};

struct Format {
  int64_t dtype = FETTLE_F32;
  int64_t rounding = FETTLE_NEAREST;
  int64_t blockSize = 0;  // of the formats by blocks
};

// What one tensor of a test is made of.
struct TensorSpec {
  int64_t elements = 0;
  int64_t rows = 1;  // of the rules that reduce by rows; must divide elements
  int64_t group = 0;
  Format parameter, gradient, state, copy, average;
  bool hasCopy = false;
  int averages = 0;
  bool hasMask = false;
  bool special = false;  // gradients with zeros, denormals, infinities, NaN
  bool mixedStates = false;  // the second state is f32 where the others are stored by blocks
  int misalignment = 0;  // elements that every array starts behind an aligned address
};

struct PlanSpec {
  std::vector<int64_t> rules;  // one group each
  std::vector<TensorSpec> tensors;
  int64_t policy = FETTLE_PASS;
  int64_t clipKind = FETTLE_CLIP_NONE;
  double maxNorm = 1.0;
  double clipValue = 1.0 / 0.0;
  double lossScale = 1.0;
  bool gradientPass = false;
  int64_t averageInterval = 1;
  int64_t maskedStates = FETTLE_MASKED_ZERO;
  int64_t averageWarmup = FETTLE_WARMUP_NONE;
  uint64_t seed = 1;
};

int ruleCount();
int statesOf(int64_t rule);
// Whether a rule needs the gradient pass, and how many gathers it makes.
bool needsGradientNorm(int64_t rule);
int gathersOf(int64_t rule);
bool isRowwise(int64_t rule);

class TwinPlan {
 public:
  TwinPlan(const PlanSpec& spec, uint64_t seed);
  ~TwinPlan();
  TwinPlan(const TwinPlan&) = delete;
  TwinPlan& operator=(const TwinPlan&) = delete;

  // Opens the device plan; a launch shape of 0 is the library's own.
  int32_t open(int64_t threads, int64_t blocks, int32_t device = 0);
  int32_t close();

  // New gradients and new arguments for both.
  void renew(bool someInactive);
  fettle_cuda_arguments arguments() const;

  int32_t stepHost();
  int32_t stepDevice(void* stream = nullptr, bool withArguments = true);
  int32_t stage(void* stream);

  // Where the two differ, as text; empty: nowhere.
  std::string difference();

  fettle_plan host = {};
  fettle_plan device = {};  // the tables that the device plan was opened with: device addresses
  std::vector<fettle_tensor> hostTensors, deviceTensors;
  std::vector<fettle_group> groups, deviceGroups;
  fettle_cuda_plan* handle = nullptr;
  char reason[256] = "";

 private:
  struct Array {
    int64_t bytes;
    int64_t offset;
    int64_t elementBytes;
    char* hostBase;
    char* deviceBase;
    char* hostData() const { return hostBase + offset; }
    char* deviceData() const { return deviceBase + offset; }
  };

  Array makeArray(int64_t bytes, int64_t elementBytes, int misalignment);
  void makeOperand(fettle_operand& onHost, fettle_operand& onDevice, const Format& format, const TensorSpec& spec,
                   const char* what);
  void makeBlocks(fettle_operand& onHost, fettle_operand& onDevice, const Format& format, const TensorSpec& spec,
                  int64_t rows);
  void fillNumbers(const Array& array, int64_t dtype, int64_t elements, double scale, bool positive, bool special);

  PlanSpec spec;
  Random random;
  std::vector<Array> arrays;
  std::vector<std::string> names;
  std::vector<Array> gradients;
  std::vector<double> sums, tensorSums, rowSums, lr;
  std::vector<float> rowCoefficients;
  std::vector<std::vector<double>> rowStates, deviceRowStates;
  std::vector<uint8_t> active;
  double lossScale;
};

}  // namespace test
