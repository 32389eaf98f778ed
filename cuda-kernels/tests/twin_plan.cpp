#include "twin_plan.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/blocks.h"
#include "core/formats.h"
#include "core/rule.h"
#include "cuda_runtime.h"
#include "rules/all.h"

namespace test {

using namespace fettle::FETTLE_TIER;

namespace {

struct RuleFacts {
  int states;
  int gathers;
  bool needsGradientNorm;
  bool rowwise;
};

template <class R>
RuleFacts factsOf() {
  return {R::states, R::gathers, R::needsGradientNorm, R::rowwise};
}

const RuleFacts facts[] = {
#define FETTLE_RULE(id, record, ...) factsOf<__VA_ARGS__>(),
#include "fettle/rules.def"
#undef FETTLE_RULE
};

int64_t bytesOf(int64_t dtype) { return dtype == FETTLE_F32 ? 4 : 2; }

}  // namespace

int ruleCount() { return int(sizeof facts / sizeof facts[0]); }
int statesOf(int64_t rule) { return facts[rule].states; }
bool needsGradientNorm(int64_t rule) { return facts[rule].needsGradientNorm; }
int gathersOf(int64_t rule) { return facts[rule].gathers; }
bool isRowwise(int64_t rule) { return facts[rule].rowwise; }

uint64_t Random::next() {
  state += 0x9E3779B97F4A7C15u;
  uint64_t z = state;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

TwinPlan::TwinPlan(const PlanSpec& from, uint64_t seed) : spec(from), random(seed), lossScale(from.lossScale) {
  const size_t count = spec.tensors.size();
  hostTensors.resize(count);
  for (const int64_t rule : spec.rules) {
    fettle_group group = {};
    group.rule = rule;
    group.hyper[0] = 0.01;
    for (int k = 1; k < FETTLE_MAX_HYPER; k++)
      group.hyper[k] = random.pick({0.9, 0.9, 0.99, 0.5, 0.01, 0.001, 1.0, 0.0});
    groups.push_back(group);
    lr.push_back(group.hyper[0]);
  }
  deviceTensors.resize(count);
  int64_t chunks = 0;
  int64_t rows = 0;
  rowStates.resize(count);
  deviceRowStates.resize(count);
  for (size_t i = 0; i < count; i++) {
    const TensorSpec& tensor = spec.tensors[i];
    fettle_tensor& h = hostTensors[i];
    h = {};
    h.elements = tensor.elements;
    h.rows = isRowwise(spec.rules[size_t(tensor.group)]) ? tensor.rows : 1;
    h.row_length = h.rows == 0 ? 0 : h.elements / h.rows;
    h.first_row = rows;
    h.rank = tensor.rows > 1 ? 2 : 1;
    h.first_chunk = chunks;
    h.group = tensor.group;
    h.stream = int64_t(i) * 16;
    h.active = 1;
    h.step = random.below(3);
    active.push_back(1);
    chunks += h.rows * ((h.row_length + FETTLE_CHUNK - 1) / FETTLE_CHUNK);
    rows += h.rows;
    if (isRowwise(spec.rules[size_t(tensor.group)])) {
      for (int64_t row = 0; row < h.rows; row++) rowStates[i].push_back(random.pick({0.0, 0.5, 1.5}));
      deviceRowStates[i] = rowStates[i];
      h.row_state = rowStates[i].data();
    }
    fettle_tensor& d = deviceTensors[i];
    d = h;
    if (h.row_state != nullptr) d.row_state = deviceRowStates[i].data();
    makeOperand(h.parameter, d.parameter, tensor.parameter, tensor, "parameter");
    makeOperand(h.gradient, d.gradient, tensor.gradient, tensor, "gradient");
    gradients.push_back(arrays.back());
    const int states = statesOf(spec.rules[size_t(tensor.group)]);
    for (int k = 0; k < states; k++) {
      if (isBlockFormat(tensor.state.dtype) && !(tensor.mixedStates && k == 1)) {
        makeBlocks(h.state[k], d.state[k], tensor.state, tensor, h.rows);
      } else {
        const Format other = isBlockFormat(tensor.state.dtype) ? Format{} : tensor.state;
        makeOperand(h.state[k], d.state[k], other, tensor, "state");
      }
    }
    if (tensor.hasCopy) makeOperand(h.copy, d.copy, tensor.copy, tensor, "copy");
    for (int k = 0; k < tensor.averages; k++) {
      makeOperand(h.average[k], d.average[k], tensor.average, tensor, "average");
    }
    if (tensor.hasMask) {
      const Array mask = makeArray((tensor.elements + 7) / 8, 1, tensor.misalignment);
      names.push_back("mask");
      arrays.push_back(mask);
      for (int64_t k = 0; k < mask.bytes; k++) mask.hostData()[k] = char(random.next());
      h.mask = reinterpret_cast<uint8_t*>(mask.hostData());
      d.mask = reinterpret_cast<uint8_t*>(mask.deviceData());
    }
  }
  host.size = int64_t(sizeof host);
  host.tensor_count = int64_t(count);
  host.group_count = int64_t(groups.size());
  host.chunk_count = chunks;
  host.range_chunks = 1;
  host.row_count = rows;
  host.gradient_pass = spec.gradientPass ? 1 : 0;
  for (const int64_t rule : spec.rules) {
    if (gathersOf(rule) > host.gathers) host.gathers = gathersOf(rule);
    if (needsGradientNorm(rule)) host.gradient_pass = 1;
  }
  if (spec.clipKind != FETTLE_CLIP_NONE || spec.policy != FETTLE_PASS) host.gradient_pass = 1;
  host.non_finite_policy = spec.policy;
  host.masked_states = spec.maskedStates;
  host.clip_kind = spec.clipKind;
  host.max_norm = spec.maxNorm;
  host.clip_value = spec.clipValue;
  host.loss_scale = spec.lossScale;
  host.seed = int64_t(spec.seed);
  for (int k = 0; k < FETTLE_MAX_AVERAGES; k++) {
    host.average[k] = {k == 0 ? 0.99 : 0.5, k % 2 == 0 ? spec.averageWarmup : int64_t(FETTLE_WARMUP_NONE), 3.0, 0.5,
                       spec.averageInterval};
  }
  sums.resize(size_t(FETTLE_MAX_SUMS * chunks + 1));
  tensorSums.resize(count + 1);
  rowSums.resize(size_t((FETTLE_MAX_SUMS + 1) * rows + 1));
  rowCoefficients.resize(size_t(FETTLE_MAX_ROW_COEFFICIENTS * rows + 1));
  deviceGroups = groups;
  device = host;
  host.tensors = hostTensors.data();
  host.groups = groups.data();
  host.sums = sums.data();
  host.tensor_sums = tensorSums.data();
  host.row_sums = rowSums.data();
  host.row_coefficients = rowCoefficients.data();
  device.tensors = deviceTensors.data();
  device.groups = deviceGroups.data();
  for (const Array& array : arrays) memcpy(array.deviceData(), array.hostData(), size_t(array.bytes));
}

TwinPlan::~TwinPlan() {
  close();
  for (const Array& array : arrays) {
    free(array.hostBase);
    cudaFree(array.deviceBase);
  }
}

TwinPlan::Array TwinPlan::makeArray(int64_t bytes, int64_t elementBytes, int misalignment) {
  Array array;
  array.bytes = bytes;
  array.elementBytes = elementBytes;
  array.offset = elementBytes * misalignment;
  array.hostBase = static_cast<char*>(malloc(size_t(bytes + array.offset + 1)));
  void* memory = nullptr;
  // Exactly as large as it must be: a sanitizer sees one element too many.
  cudaMalloc(&memory, size_t(bytes + array.offset > 0 ? bytes + array.offset : 1));
  array.deviceBase = static_cast<char*>(memory);
  return array;
}

void TwinPlan::makeOperand(fettle_operand& onHost, fettle_operand& onDevice, const Format& format,
                           const TensorSpec& tensor, const char* what) {
  const int64_t width = bytesOf(format.dtype);
  const Array array = makeArray(tensor.elements * width, width, tensor.misalignment);
  const bool state = strcmp(what, "state") == 0;
  fillNumbers(array, format.dtype, tensor.elements, state ? 0.1 : 1.0, state, false);
  onHost = {array.hostData(), nullptr, format.dtype, format.rounding, 0};
  onDevice = {array.deviceData(), nullptr, format.dtype, format.rounding, 0};
  arrays.push_back(array);
  names.push_back(what);
}

// Codes of values >= 0, so that second moments have roots, and scales of all sizes.
void TwinPlan::makeBlocks(fettle_operand& onHost, fettle_operand& onDevice, const Format& format,
                          const TensorSpec& tensor, int64_t rows) {
  const int64_t length = rows == 0 ? 0 : tensor.elements / rows;
  const int bits = bitsOfCode(format.dtype);
  const int64_t blocks = rows * ((length + format.blockSize - 1) / format.blockSize);
  const Array codes = makeArray(rows * (bits == 8 ? length : (length + 1) / 2), 1, tensor.misalignment);
  const Array scales = makeArray(blocks * 4, 4, tensor.misalignment);
  for (int64_t i = 0; i < codes.bytes; i++) {
    const unsigned byte = unsigned(random.next());
    unsigned code = byte;
    if (format.dtype == FETTLE_LINEAR8) code = byte & 127u;
    if (format.dtype == FETTLE_BLOCK_E4M3) code = (byte & 127u) % 127u;
    if (format.dtype == FETTLE_DYNAMIC8 || format.dtype == FETTLE_TORCHAO8) code = byte % 129u + 127u;
    if (format.dtype == FETTLE_TORCHAO4) code = ((byte >> 4) % 9u + 7u) << 4 | ((byte & 15u) % 9u + 7u);
    codes.hostData()[i] = char(code);
  }
  for (int64_t i = 0; i < blocks; i++) {
    float scale = float(ldexp(1.0 + double(random.next() & 1023) / 1024.0, -3 - random.below(12)));
    if (tensor.special && random.chance(10)) scale = floatOf(random.chance(50) ? 0x7FC00000u : 0x00000012u);
    memcpy(scales.hostData() + 4 * i, &scale, 4);
  }
  onHost = {codes.hostData(), scales.hostData(), format.dtype, FETTLE_NEAREST, format.blockSize};
  onDevice = {codes.deviceData(), scales.deviceData(), format.dtype, FETTLE_NEAREST, format.blockSize};
  arrays.push_back(codes);
  names.push_back("codes");
  arrays.push_back(scales);
  names.push_back("scales");
}

void TwinPlan::fillNumbers(const Array& array, int64_t dtype, int64_t elements, double scale, bool positive,
                           bool special) {
  static const uint32_t odd[] = {0x00000000u, 0x80000000u, 0x00000001u, 0x807FFFFFu, 0x00800000u, 0x7F7FFFFFu,
                                 0xFF7FFFFFu, 0x7F800000u, 0xFF800000u, 0x7FC00000u, 0xFFC12345u, 0x33800000u,
                                 0x477FF000u, 0x38800000u, 0x387FE000u, 0x33000001u};
  for (int64_t i = 0; i < elements; i++) {
    const uint64_t bits = random.next();
    double x = (double(bits >> 11) / double(uint64_t(1) << 53) * 2.0 - 1.0) * scale;
    if (positive) x = fabs(x);
    float value = float(ldexp(x, -int(bits & 7)));
    if (special && (bits >> 3 & 15) == 0) value = floatOf(odd[bits >> 7 & 15]);
    if (dtype == FETTLE_F32) {
      memcpy(array.hostData() + 4 * i, &value, 4);
    } else {
      const uint16_t code = dtype == FETTLE_BF16 ? Bf16::nearest(value) : F16::nearest(value);
      memcpy(array.hostData() + 2 * i, &code, 2);
    }
  }
}

int32_t TwinPlan::open(int64_t threads, int64_t blocks, int32_t deviceNumber) {
  const fettle_cuda_options options = {int64_t(sizeof options), deviceNumber, threads, blocks};
  return fettle_cuda_plan_open(&device, &options, &handle, reason, sizeof reason);
}

int32_t TwinPlan::close() {
  fettle_cuda_plan* closing = handle;
  handle = nullptr;
  return fettle_cuda_plan_close(closing, reason, sizeof reason);
}

void TwinPlan::renew(bool someInactive) {
  for (size_t i = 0; i < gradients.size(); i++) {
    const TensorSpec& tensor = spec.tensors[i];
    fillNumbers(gradients[i], tensor.gradient.dtype, tensor.elements, 1.0, false, tensor.special);
    memcpy(gradients[i].deviceData(), gradients[i].hostData(), size_t(gradients[i].bytes));
    active[i] = someInactive && random.chance(30) ? 0 : 1;
    hostTensors[i].active = active[i];
  }
  for (size_t i = 0; i < lr.size(); i++) groups[i].hyper[0] = lr[i] = random.pick({0.1, 0.01, 0.003, 1.0});
  lossScale = spec.lossScale * random.pick({1.0, 2.0, 0.5});
  host.loss_scale = lossScale;
}

fettle_cuda_arguments TwinPlan::arguments() const {
  return {int64_t(sizeof(fettle_cuda_arguments)), lr.data(), active.data(), lossScale};
}

int32_t TwinPlan::stepHost() { return fettle_cpu_step(&host, FETTLE_CPU_V3); }

int32_t TwinPlan::stepDevice(void* stream, bool withArguments) {
  const fettle_cuda_arguments now = arguments();
  return fettle_cuda_plan_step(handle, withArguments ? &now : nullptr, stream, reason, sizeof reason);
}

int32_t TwinPlan::stage(void* stream) {
  const fettle_cuda_arguments now = arguments();
  return fettle_cuda_plan_stage(handle, &now, stream, reason, sizeof reason);
}

namespace {

bool sameDouble(double a, double b) { return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b)); }
bool sameFloat(float a, float b) { return bitsOf(a) == bitsOf(b) || (isNan(bitsOf(a)) && isNan(bitsOf(b))); }

std::string tell(const char* what, size_t tensor, double a, double b) {
  char text[160];
  snprintf(text, sizeof text, "tensor %zu: %s is %.17g on the host, %.17g on the device", tensor, what, a, b);
  return text;
}

std::string differenceOfLines(const fettle_tensor& h, const fettle_tensor& d, size_t i) {
  if (h.step != d.step) return tell("step", i, double(h.step), double(d.step));
  for (int k = 0; k < FETTLE_MAX_SCALARS; k++) {
    if (!sameDouble(h.scalars[k], d.scalars[k])) return tell("a scalar", i, h.scalars[k], d.scalars[k]);
  }
  if (h.active == 0) return "";
  if (!sameDouble(h.gradient_square, d.gradient_square)) {
    return tell("gradient_square", i, h.gradient_square, d.gradient_square);
  }
  if (!sameFloat(h.clip_factor, d.clip_factor)) return tell("clip_factor", i, h.clip_factor, d.clip_factor);
  for (int k = 0; k < FETTLE_MAX_COEFFICIENTS; k++) {
    if (!sameFloat(h.coefficients[k], d.coefficients[k])) {
      return tell("a coefficient", i, h.coefficients[k], d.coefficients[k]);
    }
  }
  return "";
}

}  // namespace

std::string TwinPlan::difference() {
  if (fettle_cuda_plan_read(handle, &device, nullptr, reason, sizeof reason) != FETTLE_OK) return reason;
  for (size_t i = 0; i < hostTensors.size(); i++) {
    const std::string difference = differenceOfLines(hostTensors[i], deviceTensors[i], i);
    if (!difference.empty()) return difference;
    for (size_t row = 0; row < rowStates[i].size(); row++) {
      const double h = rowStates[i][row];
      if (!sameDouble(h, deviceRowStates[i][row])) return tell("a row's state", i, h, deviceRowStates[i][row]);
    }
  }
  if (host.gradient_pass != 0) {
    if (!sameDouble(host.gradient_norm, device.gradient_norm)) {
      return tell("gradient_norm", 0, host.gradient_norm, device.gradient_norm);
    }
    if (!sameDouble(host.rule_norm, device.rule_norm)) return tell("rule_norm", 0, host.rule_norm, device.rule_norm);
    if (host.non_finite != device.non_finite) {
      return tell("non_finite", 0, double(host.non_finite), double(device.non_finite));
    }
  }
  for (size_t k = 0; k < arrays.size(); k++) {
    const Array& array = arrays[k];
    if (memcmp(array.hostData(), array.deviceData(), size_t(array.bytes)) == 0) continue;
    for (int64_t i = 0; i < array.bytes / array.elementBytes; i++) {
      uint32_t h = 0;
      uint32_t d = 0;
      memcpy(&h, array.hostData() + i * array.elementBytes, size_t(array.elementBytes));
      memcpy(&d, array.deviceData() + i * array.elementBytes, size_t(array.elementBytes));
      // Codes must be the same altogether; an f32 NaN may carry any payload.
      if (h == d || (array.elementBytes == 4 && isNan(h) && isNan(d))) continue;
      char text[160];
      snprintf(text, sizeof text, "array %zu (%s) element %lld: %08x on the host, %08x on the device", k,
               names[k].c_str(), static_cast<long long>(i), h, d);
      return text;
    }
  }
  return "";
}

}  // namespace test
