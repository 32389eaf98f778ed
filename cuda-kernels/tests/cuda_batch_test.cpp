// Batches of primitives and a kernel through the emulated CUDA path and through the CPU path: every bit of every array
// and every sum must agree.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <vector>

#include "check.h"
#include "core/blocks.h"
#include "core/compensated.h"
#include "core/formats.h"
#include "cuda_runtime.h"
#include "fettle/cuda.h"
#include "primitives/elements.h"
#include "primitives/pixels.h"
#include "primitives/rows.h"
#include "primitives/steps.h"
#include "twin_plan.h"

namespace {

using namespace fettle::FETTLE_TIER;
using test::Random;

char reason[256];

enum class Kind { Elements, Rows, Pixels };

struct Facts {
  Kind kind;
  int inputs;
  int outputs;
  bool saves;
  bool labelled;
};

template <class P>
Facts factsOfElements() {
  return {Kind::Elements, P::inputs, P::outputs, P::saves, false};
}
template <class P>
Facts factsOfRows() {
  return {Kind::Rows, P::inputs, P::outputs, false, P::labelled};
}
template <class P>
Facts factsOfPixels() {
  return {Kind::Pixels, 1, 1, false, false};
}

const Facts facts[] = {
#define FETTLE_PRIMITIVE(id, kind, ...) factsOf##kind<__VA_ARGS__>(),
#include "fettle/primitives.def"
#undef FETTLE_PRIMITIVE
};
constexpr int primitives = int(sizeof facts / sizeof facts[0]);

int64_t bytesOf(int64_t dtype) { return dtype == FETTLE_F32 ? 4 : dtype == FETTLE_U8 ? 1 : 2; }

uint16_t encode(float x, int64_t dtype) { return dtype == FETTLE_BF16 ? Bf16::nearest(x) : F16::nearest(x); }

float decode(const char* at, int64_t dtype) {
  if (dtype == FETTLE_U8) return float(uint8_t(*at));
  if (dtype == FETTLE_F32) {
    float x;
    memcpy(&x, at, sizeof x);
    return x;
  }
  uint16_t code;
  memcpy(&code, at, sizeof code);
  return dtype == FETTLE_BF16 ? Bf16::decode(code) : F16::decode(code);
}

// The same array in host and in device memory, starting some elements behind an aligned address.
struct Array {
  int64_t dtype;
  int64_t elements;
  int64_t skip;
  std::vector<char> host;
  void* device;

  Array(int64_t format, int64_t count, Random& random, bool special) : dtype(format), elements(count) {
    skip = random.chance(50) ? 0 : random.below(5);
    host.resize(size_t((count + skip) * bytesOf(dtype)) + 1);
    for (int64_t i = 0; i < count; i++) {
      float x = float(random.below(2001) - 1000) * 0.003f;
      if (special && random.chance(10)) {
        const float odd[] = {0.0f, -0.0f, 1e-42f, INFINITY, -INFINITY, NAN, 3e38f};
        x = odd[random.below(7)];
      }
      char* const at = hostData() + i * bytesOf(dtype);
      if (dtype == FETTLE_F32) {
        memcpy(at, &x, sizeof x);
      } else if (dtype == FETTLE_U8) {
        *at = char(random.below(256));
      } else {
        const uint16_t code = encode(x, dtype);
        memcpy(at, &code, sizeof code);
      }
    }
    CHECK(fettle_cuda_allocate(0, int64_t(host.size()), &device, reason, sizeof reason) == FETTLE_OK);
    memcpy(device, host.data(), host.size());
  }
  ~Array() { (void)fettle_cuda_release(0, device, nullptr, 0); }
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;

  char* hostData() { return host.data() + skip * bytesOf(dtype); }
  char* deviceData() { return static_cast<char*>(device) + skip * bytesOf(dtype); }

  bool same() {
    const char* const onDevice = static_cast<const char*>(device);
    if (memcmp(host.data(), onDevice, host.size()) == 0) return true;
    for (int64_t i = 0; i < elements; i++) {
      const char* const a = hostData() + i * bytesOf(dtype);
      const char* const b = deviceData() + i * bytesOf(dtype);
      if (memcmp(a, b, size_t(bytesOf(dtype))) == 0) continue;
      if (!(isnan(decode(a, dtype)) && isnan(decode(b, dtype)))) {
        printf("element %lld: %a, on the device %a\n", static_cast<long long>(i), double(decode(a, dtype)),
               double(decode(b, dtype)));
        return false;
      }
    }
    return true;
  }
};

struct Arrays {
  std::vector<Array*> all;
  ~Arrays() {
    for (Array* one : all) delete one;
  }
};

// An array by blocks, or with a compensation.
void makeStored(fettle_operand& host, fettle_operand& device, int64_t format, int64_t block, int64_t elements,
                Arrays& arrays, Random& random) {
  const bool blocked = isBlockFormat(format);
  const int64_t bytes = bitsOfCode(format) == 4 ? (elements + 1) / 2 : elements;
  Array* const array = new Array(blocked ? FETTLE_U8 : FETTLE_BF16, blocked ? bytes : elements, random, false);
  Array* const beside =
      new Array(blocked ? FETTLE_F32 : FETTLE_BF16, blocked ? (elements + block - 1) / block : elements, random, false);
  arrays.all.push_back(array);
  arrays.all.push_back(beside);
  host = {array->hostData(), beside->hostData(), format, FETTLE_NEAREST, blocked ? block : 0};
  device = {array->deviceData(), beside->deviceData(), format, FETTLE_NEAREST, blocked ? block : 0};
}

void fill(fettle_item& host, fettle_item& device, int primitive, int64_t elements, Arrays& arrays,
          std::vector<int64_t>& labels, Random& random) {
  const Facts& of = facts[primitive];
  host = {};
  host.primitive = primitive;
  host.elements = elements;
  if (of.kind == Kind::Rows) {
    const int64_t rows[] = {1, 3, 7};
    host.row = elements;
    for (const int64_t k : rows) {
      if (elements % k == 0 && random.chance(60)) host.row = elements / k;
    }
    if (of.labelled && elements > 0) {
      labels.clear();
      for (int64_t i = 0; i < elements / host.row; i++) labels.push_back(random.below(int(host.row)));
      host.labels = labels.data();
    }
  } else if (of.kind == Kind::Pixels) {
    host.row = elements % 3 == 0 ? 3 : 1;
    host.pixels = elements / host.row;
  }
  for (double& factor : host.factors) factor = random.pick({0.5, 1.25, 0.01, 3.0});
  const int64_t formats[] = {FETTLE_F32, FETTLE_F32, FETTLE_BF16, FETTLE_F16};
  const bool special = random.chance(30);
  device = host;
  int at = 0;
  const bool inPlace = of.outputs > 0 && random.chance(50);
  const bool stores = of.kind == Kind::Elements && !of.saves && random.chance(50);
  const int64_t blocks[] = {2, 4, 64, 128, 256, 1024, 4096};
  const int64_t block = blocks[random.below(7)];
  for (int k = 0; k < of.inputs + of.outputs + (of.saves ? 1 : 0); k++, at++) {
    const bool saved = of.saves && k == of.inputs + of.outputs;
    if (inPlace && k == of.inputs) {
      host.array[at] = host.array[0];
      device.array[at] = device.array[0];
    } else if (stores && random.chance(60)) {
      const int64_t format =
          random.chance(20) ? int64_t(FETTLE_BF16_COMPENSATED) : int64_t(FETTLE_LINEAR8) + random.below(9);
      makeStored(host.array[at], device.array[at], format, block, elements, arrays, random);
    } else {
      const int64_t format = saved ? host.array[0].dtype : formats[random.below(4)];
      Array* const array = new Array(format, elements, random, special);
      arrays.all.push_back(array);
      host.array[at] = {array->hostData(), nullptr, array->dtype, FETTLE_NEAREST, 0};
      device.array[at] = {array->deviceData(), nullptr, array->dtype, FETTLE_NEAREST, 0};
    }
  }
}

bool sameNumber(double a, double b) { return memcmp(&a, &b, sizeof a) == 0 || (a != a && b != b); }

void run(const std::vector<int>& which, uint64_t seed) {
  Random random(seed);
  emulation::shuffle(seed);
  const int64_t sizes[] = {0, 1, 3, 7, 129, 511, 512, 513, 1024, 4095, 4096, 4097, 12291, 21000};
  const size_t count = which.size();
  std::vector<fettle_item> items[2] = {std::vector<fettle_item>(count), std::vector<fettle_item>(count)};
  std::vector<std::vector<int64_t>> labels(count);
  Arrays arrays;
  for (size_t i = 0; i < count; i++) {
    fill(items[0][i], items[1][i], which[i], sizes[random.below(14)], arrays, labels[i], random);
  }
  fettle_batch batches[2] = {};
  for (int side = 0; side < 2; side++) {
    batches[side].size = int64_t(sizeof(fettle_batch));
    batches[side].items = items[side].data();
    batches[side].item_count = int64_t(count);
    CHECK(fettle_batch_layout(&batches[side]) == FETTLE_OK);
  }
  std::vector<double> sums(size_t(batches[0].planes * batches[0].sum_count) + 1);
  batches[0].sums = sums.data();
  batches[0].range_units = 3;
  fettle_cuda_batch* handle = nullptr;
  const int32_t opened = fettle_cuda_batch_open(0, &batches[1], &handle, reason, sizeof reason);
  CHECK(opened == FETTLE_OK);
  if (opened != FETTLE_OK) {
    printf("seed %llu: %s\n", static_cast<unsigned long long>(seed), reason);
    return;
  }
  // Twice: a batch may be run again, with other factors.
  for (int round = 0; round < 2; round++) {
    for (size_t i = 0; i < count; i++) {
      items[0][i].factors[0] = items[1][i].factors[0] = random.pick({0.25, 2.0});
    }
    batches[0].cursor = 0;
    CHECK(fettle_cpu_batch_run(&batches[0], FETTLE_CPU_V3) == FETTLE_OK);
    if (batches[0].planes > 0) CHECK(fettle_batch_finish(&batches[0]) == FETTLE_OK);
    CHECK(fettle_cuda_batch_run(handle, &batches[1], nullptr, reason, sizeof reason) == FETTLE_OK);
    for (size_t i = 0; i < count; i++) {
      bool same = true;
      for (int k = 0; k < FETTLE_MAX_SUMS && batches[0].planes > 0; k++) {
        same = same && sameNumber(items[0][i].sums[k], items[1][i].sums[k]);
      }
      check::that(same, fettle_primitive_id(which[i]), __FILE__, __LINE__);
      if (!same) printf("the sums of item %zu, seed %llu\n", i, static_cast<unsigned long long>(seed));
    }
    for (Array* array : arrays.all) {
      const bool same = array->same();
      check::that(same, "arrays of a batch", __FILE__, __LINE__);
      if (!same)
        printf("seed %llu, first primitive %s\n", static_cast<unsigned long long>(seed), fettle_primitive_id(which[0]));
    }
  }
  CHECK(fettle_cuda_batch_close(handle, reason, sizeof reason) == FETTLE_OK);
}

void refusals() {
  fettle_item item = {};
  fettle_batch batch = {};
  batch.size = int64_t(sizeof batch);
  batch.items = &item;
  batch.item_count = 1;
  fettle_cuda_batch* handle = nullptr;
  float onHost[4] = {};
  item.elements = 4;
  item.units = 1;
  item.array[0] = item.array[1] = {onHost, nullptr, FETTLE_F32, FETTLE_NEAREST, 0};
  CHECK(fettle_cuda_batch_open(0, &batch, &handle, reason, sizeof reason) == FETTLE_INVALID_ARGUMENT);
  CHECK(strstr(reason, "array 0") != nullptr);
  // What stands beside codes must be the device's too.
  Random random(3);
  Array codes(FETTLE_U8, 4, random, false);
  item.array[0] = item.array[1] = {codes.deviceData(), onHost, FETTLE_LINEAR8, FETTLE_NEAREST, 4};
  CHECK(fettle_cuda_batch_open(0, &batch, &handle, reason, sizeof reason) == FETTLE_INVALID_ARGUMENT);
  CHECK(strstr(reason, "beside array 0") != nullptr);
  item.array[0] = item.array[1] = {onHost, nullptr, FETTLE_F32, FETTLE_NEAREST, 0};
  item.primitive = 9999;
  CHECK(fettle_cuda_batch_open(0, &batch, &handle, reason, sizeof reason) == FETTLE_INVALID_ARGUMENT);
  CHECK(strstr(reason, "primitive 9999") != nullptr);
  batch.size = 8;
  CHECK(fettle_cuda_batch_open(0, &batch, &handle, reason, sizeof reason) == FETTLE_INVALID_ARGUMENT);
  CHECK(fettle_cuda_batch_close(nullptr, reason, sizeof reason) == FETTLE_OK);
  fettle_call call = {};
  CHECK(fettle_cuda_kernel_run(0, &call, nullptr, reason, sizeof reason) == FETTLE_INVALID_ARGUMENT);
  call.size = int64_t(sizeof call);
  call.kernel = 1 << 20;
  CHECK(fettle_cuda_kernel_run(0, &call, nullptr, reason, sizeof reason) == FETTLE_INVALID_ARGUMENT);
  call.kernel = 0;
  call.array[0] = onHost;
  call.elements[0] = 4;
  CHECK(fettle_cuda_kernel_run(0, &call, nullptr, reason, sizeof reason) == FETTLE_INVALID_ARGUMENT);
  CHECK(strstr(reason, "array 0") != nullptr);
}

// The way of a call, by the largest magnitude of every row: the first kernel of the registry.
void rowMaxima() {
  Random random(5);
  for (const int64_t columns : {0, 1, 31, 33, 4097}) {
    const int64_t rows = 37;
    Array x(FETTLE_F32, rows * columns, random, false);
    Array largest(FETTLE_F32, rows, random, false);
    fettle_call call = {};
    call.size = int64_t(sizeof call);
    call.units = rows;
    call.range_units = 5;
    call.integer[0] = columns;
    call.elements[0] = rows * columns;
    call.elements[1] = rows;
    call.array[0] = x.hostData();
    call.array[1] = largest.hostData();
    CHECK(strcmp(fettle_kernel_id(0), "row_absolute_max") == 0);
    CHECK(fettle_cpu_call(&call, FETTLE_CPU_V3) == FETTLE_OK);
    call.array[0] = x.deviceData();
    call.array[1] = largest.deviceData();
    CHECK(fettle_cuda_kernel_run(0, &call, nullptr, reason, sizeof reason) == FETTLE_OK);
    CHECK(largest.same());
  }
}

void everyKernelHasADriver() {
  for (int32_t kernel = 0; fettle_kernel_id(kernel) != nullptr; kernel++) {
    fettle_call call = {};
    call.size = int64_t(sizeof call);
    call.kernel = kernel;
    const char* const id = fettle_kernel_id(kernel);
    check::that(fettle_cuda_kernel_run(0, &call, nullptr, reason, sizeof reason) == FETTLE_OK, id, __FILE__, __LINE__);
    float onTheHost = 0.0f;
    call.array[0] = &onTheHost;
    call.elements[0] = 1;
    const int32_t refused = FETTLE_INVALID_ARGUMENT;
    check::that(fettle_cuda_kernel_run(0, &call, nullptr, reason, sizeof reason) == refused, id, __FILE__, __LINE__);
    call.array[0] = nullptr;
    check::that(fettle_cuda_kernel_run(0, &call, nullptr, reason, sizeof reason) == refused, id, __FILE__, __LINE__);
  }
}

}  // namespace

int main() {
  if ((fettle_cpu_tiers() & FETTLE_CPU_V3) == 0) {
    printf("not run: this CPU has no x86-64-v3\n");
    return 0;
  }
  uint64_t seed = 1;
  for (int primitive = 0; primitive < primitives; primitive++) {
    for (int i = 0; i < 8; i++) run({primitive, primitive}, seed++);
  }
  Random random(99);
  for (int i = 0; i < 60; i++) {
    std::vector<int> which;
    for (int k = random.below(9); k >= 0; k--) which.push_back(random.below(primitives));
    run(which, seed++);
  }
  refusals();
  rowMaxima();
  everyKernelHasADriver();
  CHECK(emulation::allocations() == 0);
  printf("emulated on the host: no GPU has run these kernels here\n");
  return check::finish("cuda_batch_test");
}
