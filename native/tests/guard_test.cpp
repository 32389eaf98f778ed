// Guard pages: every array of every rule and primitive lies between two pages that nobody may touch, first at the
// start of its memory and then at the end of it, over formats and tails. A byte read or written outside ends the test.
// Covers the lines of rules.def and primitives.def, and of the kernels those that go by vectors of their own: code books, masks,
// Adafactor, number formats, ECO, integer products but for AMX, sparse products.
#include <fettle/fettle.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <vector>

#include "../src/kernels/eco.h"
#include "../src/kernels/formats/fields.h"
#include "../src/kernels/formats/grid.h"
#include "../src/kernels/formats/measures.h"
#include "../src/kernels/formats/minifloats.h"
#include "../src/kernels/masks/nm.h"
#include "../src/kernels/products/products.h"
#include "../src/kernels/sparse/half_products.h"
#include "../src/primitives/elements.h"
#include "../src/primitives/pixels.h"
#include "../src/primitives/rows.h"
#include "../src/primitives/steps.h"
#include "../src/rules/all.h"
#include "check.h"

namespace {

using namespace fettle::FETTLE_TIER;

const int64_t formats[] = {FETTLE_F32, FETTLE_BF16, FETTLE_F16};
const int64_t sizes[] = {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 63, 65, 255, 257, 511, 512, 513, 1000, 4095, 4096, 4097};

int64_t bytesOf(int64_t dtype, int64_t elements) {
  switch (dtype) {
    case FETTLE_BIT: return (elements + 7) / 8;
    case FETTLE_U8:
    case FETTLE_I8: return elements;
    case FETTLE_I64:
    case FETTLE_F64: return elements * 8;
    case FETTLE_I32: return elements * 4;
    default: return elements * (dtype == FETTLE_F32 ? 4 : 2);
  }
}

// The array is whole pages between two guards, and has its elements at the front or at the back.
class Guarded {
 public:
  explicit Guarded(int64_t largest) {
    page_ = sysconf(_SC_PAGESIZE);
    inside_ = (largest + page_ - 1) / page_ * page_;
    void* all = mmap(nullptr, size_t(inside_ + 2 * page_), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (all == MAP_FAILED) std::abort();
    memory_ = static_cast<char*>(all) + page_;
    if (mprotect(memory_, size_t(inside_), PROT_READ | PROT_WRITE) != 0) std::abort();
  }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;
  ~Guarded() { munmap(memory_ - page_, size_t(inside_ + 2 * page_)); }

  // Room for so many bytes, filled with ordinary values; what is left over holds canaries.
  char* at(int64_t bytes, int64_t dtype, bool atEnd, unsigned seed) {
    std::memset(memory_, canary, size_t(inside_));
    begin_ = memory_ + (atEnd ? inside_ - bytes : 0);
    bytes_ = bytes;
    for (int64_t i = 0; i < bytes; i++) {
      seed = seed * 1664525u + 1013904223u;
      // The bytes that hold signs and exponents get those of numbers around 1.
      const bool top = dtype == FETTLE_F32 ? i % 4 == 3 : dtype != FETTLE_BIT && i % 2 == 1;
      begin_[i] = top ? char(0x3C ^ int(seed >> 24 & 0x80)) : char(seed >> 24);
    }
    return begin_;
  }

  // Whether nothing beside the array was written.
  bool isIntact() const {
    for (const char* byte = memory_; byte < memory_ + inside_; byte++) {
      if ((byte < begin_ || byte >= begin_ + bytes_) && *byte != canary) return false;
    }
    return true;
  }

 private:
  static constexpr char canary = char(0xA5);
  int64_t page_;
  int64_t inside_;
  char* memory_;
  char* begin_ = nullptr;
  int64_t bytes_ = 0;
};

struct Arrays {
  static constexpr int count = 9;
  Guarded array[count]{Guarded(16400), Guarded(16400), Guarded(16400), Guarded(16400), Guarded(16400),
                       Guarded(16400), Guarded(16400), Guarded(16400), Guarded(16400)};
  int used = 0;

  void start() { used = 0; }
  fettle_operand next(int64_t dtype, int64_t elements, bool atEnd, int64_t rounding) {
    const int place = used++;
    return {array[place].at(bytesOf(dtype, elements), dtype, atEnd, unsigned(977 * place + elements)), nullptr, dtype,
            rounding, 0};
  }
  bool areIntact() const {
    for (int k = 0; k < used; k++) {
      if (!array[k].isIntact()) return false;
    }
    return true;
  }
};

std::vector<int32_t> tiers() {
  std::vector<int32_t> found;
  for (int32_t tier : {FETTLE_CPU_V3, FETTLE_CPU_V4}) {
    if ((fettle_cpu_tiers() & tier) != 0) found.push_back(tier);
  }
  return found;
}

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
    tensor.average = arrays.next(dtype, size, atEnd, FETTLE_NEAREST);
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
  plan.average_decay = 0.9;
  plan.average_interval = 1;
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

void batch(Arrays& arrays, int64_t primitive, int64_t size, int64_t format, bool atEnd, int32_t tier) {
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
          batch(arrays, primitive, size, format, true, tier);
          batch(arrays, primitive, size, format, false, tier);
        }
      }
    }
  }
}

// Kernels whose vectors are their own: calls of them on guarded arrays. An F64 array holds bytes of ordinary floats,
// which as doubles are ordinary too.
class Call {
 public:
  Call(Arrays& arrays, const char* id, bool atEnd) : arrays_(arrays), atEnd_(atEnd) {
    arrays.start();
    call_.size = int64_t(sizeof call_);
    while (fettle_kernel_id(int32_t(call_.kernel)) != nullptr && strcmp(fettle_kernel_id(int32_t(call_.kernel)), id) != 0) {
      call_.kernel++;
    }
    CHECK(fettle_kernel_id(int32_t(call_.kernel)) != nullptr);
  }
  char* array(int64_t dtype, int64_t elements) {
    const fettle_operand operand = arrays_.next(dtype, elements, atEnd_, FETTLE_NEAREST);
    call_.array[slot_] = operand.data;
    call_.dtype[slot_] = dtype;
    call_.elements[slot_++] = elements;
    return static_cast<char*>(operand.data);
  }
  void none() { slot_++; }
  void integers(std::initializer_list<int64_t> values) {
    int k = 0;
    for (int64_t value : values) call_.integer[k++] = value;
  }
  void numbers(std::initializer_list<double> values) {
    int k = 0;
    for (double value : values) call_.number[k++] = value;
  }
  void run(int64_t units, int32_t tier, int64_t rangeUnits = 1) {
    call_.units = units;
    call_.range_units = rangeUnits;
    CHECK(fettle_cpu_call(&call_, tier) == FETTLE_OK);
    CHECK(arrays_.areIntact());
  }

 private:
  Arrays& arrays_;
  bool atEnd_;
  int slot_ = 0;
  fettle_call call_ = {};
};

int64_t units(int64_t elements, int64_t size) { return (elements + size - 1) / size; }

void code_books(Arrays& arrays, int64_t size, int64_t values, bool upper, bool atEnd, int32_t tier) {
  const bool packed = values <= 16 && size % 3 == 0;
  for (const char* id : {"code_book_encode", "code_book_decode"}) {
    Call call(arrays, id, atEnd);
    call.array(FETTLE_F32, size);
    char* codes = call.array(FETTLE_U8, packed ? units(size, 2) : size);
    memset(codes, 0, size_t(packed ? units(size, 2) : size));
    call.array(FETTLE_F32, units(size, 64));
    float* book = reinterpret_cast<float*>(call.array(FETTLE_F32, values));
    uint8_t* order = reinterpret_cast<uint8_t*>(call.array(FETTLE_U8, values));
    for (int64_t k = 0; k < values; k++) {
      book[k] = float(k) / float(values);
      order[k] = uint8_t(k);
    }
    call.integers({64, values, packed ? 4 : 8, upper ? 1 : 0});
    call.run(units(size, 64), tier);
  }
}

void masks(Arrays& arrays, int64_t size, bool atEnd, int32_t tier) {
  Call call(arrays, "mask_spread", atEnd);
  const int64_t rows = size % 3 == 0 ? 3 : 1;
  const int64_t columns = size / rows;
  const int64_t across = units(columns, 5);
  call.array(FETTLE_BIT, units(rows, 2) * across);
  call.array(FETTLE_BIT, size);
  call.integers({rows, columns, 2, 5, across});
  call.run(units(size, 4096), tier);
}

void adafactor(Arrays& arrays, int64_t size, int64_t format, bool atEnd, int32_t tier) {
  const int64_t rows = size % 3 == 0 ? 3 : 1;
  const int64_t columns = size / rows;
  const int64_t chunks = units(columns, 4096);
  {
    Call call(arrays, "adafactor_sums", atEnd);
    call.array(format, size);
    call.array(FETTLE_F64, rows * chunks);
    // Column sums of one block of rows: at most two pages of guarded memory.
    if (columns <= 2000) {
      call.array(FETTLE_F64, columns);
      call.integers({rows, columns});
      call.numbers({1e-30});
      call.run(chunks, tier);
    }
  }
  for (const char* id : {"adafactor_squares", "adafactor_apply"}) {
    for (bool factored : {true, false}) {
      Call call(arrays, id, atEnd);
      call.array(format, size);
      if (factored) {
        call.array(FETTLE_F32, rows);
        call.array(FETTLE_F32, columns);
        call.none();
      } else {
        call.none();
        call.none();
        call.array(FETTLE_F32, size);
      }
      const bool updates = strcmp(id, "adafactor_apply") == 0;
      call.array(updates ? format : int64_t(FETTLE_F64), updates ? size : units(size, 4096));
      if (updates) call.array(FETTLE_F32, size);
      call.integers({size, rows, columns});
      call.numbers({1e-30, 0.9, 0.1, 0.5, 0.99, 0.9, 0.1});
      call.run(units(size, 4096), tier);
    }
  }
}

void grid_calls(Arrays& arrays, int64_t size, const int64_t (&tile)[2], int64_t rule, bool atEnd, int32_t tier) {
  const int64_t rows = size % 3 == 0 ? 3 : 1;
  const int64_t columns = size / rows;
  const bool zeroPoints = rule == gridAsymmetric || rule == gridCentred;
  fettle_call layout = {};
  layout.integer[0] = rows;
  layout.integer[1] = columns;
  layout.integer[2] = tile[0];
  layout.integer[3] = tile[1];
  const Grid g = gridOf(layout);
  const int64_t down = units(rows, g.tileRows), tiles = down * g.tilesAcross;
  for (const char* id : {"grid_quantize", "grid_encode", "grid_decode", "grid_extremes"}) {
    Call call(arrays, id, atEnd);
    call.array(FETTLE_F32, size);
    call.array(FETTLE_U8, size);
    call.array(FETTLE_F32, tiles);
    if (zeroPoints) {
      call.array(FETTLE_I32, tiles);
    } else {
      call.none();
    }
    if (rule % 2 == 0 && strcmp(id, "grid_decode") != 0) {
      call.array(FETTLE_U8, size);
    } else {
      call.none();
    }
    call.none();
    if (strcmp(id, "grid_extremes") == 0) {
      call.array(FETTLE_F32, down * g.partsDown * g.parts);
      if (zeroPoints) call.array(FETTLE_F32, down * g.partsDown * g.parts);
    }
    call.integers({rows, columns, tile[0], tile[1], rule, rule == gridMinifloat ? formatE4M3 : 8, size % 2, 7, 3, 1, 0});
    call.run(down * g.partsDown * g.strips, tier);
  }
}

void grids(Arrays& arrays, int64_t size, bool atEnd, int32_t tier) {
  const int64_t rows = size % 3 == 0 ? 3 : 1;
  const int64_t columns = size / rows;
  const int64_t shapes[][2] = {{rows, columns}, {rows, 1}, {1, columns}, {1, 32}, {2, 5}};
  for (const auto& tile : shapes) {
    for (int64_t rule = gridSymmetric; rule <= gridMinifloat; rule++) {
      if (size > 33 && (rule + size) % 3 != 0) continue;
      grid_calls(arrays, size, tile, rule, atEnd, tier);
    }
  }
}

// Casts, and blocks of which there is at least one.
void minifloats(Arrays& arrays, int64_t size, int64_t format, bool atEnd, int32_t tier) {
  const int64_t rounding = size % 2;
  for (const char* id : {"minifloat_encode", "minifloat_decode"}) {
    Call call(arrays, id, atEnd);
    call.array(FETTLE_F32, size);
    call.array(FETTLE_U8, size);
    call.integers({size, format, 1, rounding, 7, 3, 1});
    call.run(units(size, castChunk), tier);
  }
  for (const char* id : {"microscaling_encode", "microscaling_decode", "nvfp4_encode", "nvfp4_decode"}) {
    const bool nvfp4 = strncmp(id, "nvfp4", 5) == 0;
    const int64_t length = nvfp4 ? 16 : 32, blocks = size / length;
    if (blocks == 0) continue;
    Call call(arrays, id, atEnd);
    call.array(FETTLE_F32, blocks * length);
    call.array(FETTLE_U8, blocks * length);
    call.array(FETTLE_U8, blocks);
    if (nvfp4 && format == formatE2M1) call.array(FETTLE_F32, 1);
    call.integers({blocks, format, scaleFloor, rounding, 7, 3, 1});
    call.run(units(blocks, blocksOfUnit), tier);
  }
}

void fields(Arrays& arrays, int64_t size, int64_t bits, bool atEnd, int32_t tier) {
  for (const char* id : {"fields_pack", "fields_unpack"}) {
    Call call(arrays, id, atEnd);
    char* codes = call.array(FETTLE_U8, size);
    for (int64_t i = 0; i < size; i++) codes[i] = char(codes[i] & ((1 << bits) - 1));
    call.array(FETTLE_U8, units(size * bits, 8));
    call.integers({size, bits, bits != 6 && size % 2 == 0 ? 1 : 0, 0});
    call.run(units(size, fieldsOfUnit), tier);
  }
}

void cast_transpose(Arrays& arrays, int64_t size, bool all, bool atEnd, int32_t tier) {
  const int64_t rows = size % 3 == 0 ? 3 : 1;
  const int64_t columns = size / rows;
  const int64_t tiles = units(rows, castTile) * units(columns, castTile);
  Call call(arrays, "cast_transpose", atEnd);
  call.array(FETTLE_F32, size);
  call.array(FETTLE_U8, size);
  if (all) {
    call.array(FETTLE_U8, size);
    call.array(FETTLE_F32, 1);
    call.array(FETTLE_F32, tiles);
  }
  call.integers({rows, columns, formatE4M3, 0});
  call.run(tiles, tier);
}

void eco(Arrays& arrays, int64_t size, bool int4, bool adaptive, bool atEnd, int32_t tier) {
  const int64_t rows = size % 3 == 0 ? 3 : 1;
  const int64_t columns = size / rows;
  const int64_t scales = int4 ? rows * units(columns, ecoGroup) : rows;
  for (const char* id : {"eco_step", "eco_decode"}) {
    Call call(arrays, id, atEnd);
    call.array(FETTLE_U8, int4 ? rows * units(columns, 2) : size);
    call.array(FETTLE_F64, scales);
    call.array(FETTLE_F32, size);
    if (strcmp(id, "eco_step") == 0) {
      call.array(FETTLE_F32, size);
      if (adaptive) {
        call.array(FETTLE_F32, size);
      } else {
        call.none();
      }
      if (size % 2 == 0) call.array(FETTLE_F32, size);
    }
    call.integers({columns, int4 ? 1 : 0, size % 4 == 1 ? 1 : 0, 7, 3, 1});
    call.numbers({0.9, 0.1, 0.99, 0.01, 1.0, 1e-8, 1.0, 0.1, 0.1});
    call.run(scales, tier, scales);
  }
}

// Five rows by seventeen: a panel and one row of another.
void integer_products(Arrays& arrays, int64_t depth, int64_t dtype, bool packed, bool atEnd, int32_t tier) {
  const int64_t rows = 5, columns = 17;
  const int64_t panels = units(columns, panelRows) * panelBytes(depth);
  {
    Call call(arrays, "product_pack", atEnd);
    call.array(FETTLE_I8, columns * depth);
    call.array(FETTLE_U8, panels);
    call.array(FETTLE_I32, columns);
    call.integers({columns, depth});
    call.run(units(columns, panelRows), tier);
  }
  // The path of 16-bit products, and that of VNNI, where there is one.
  const int64_t paths = tier == FETTLE_CPU_V4 && __builtin_cpu_supports("avx512vnni") ? 2 : 1;
  for (int64_t path = 0; path < paths; path++) {
    Call call(arrays, "integer_product", atEnd);
    call.array(FETTLE_I8, rows * depth);
    if (packed) {
      call.array(FETTLE_U8, panels);
    } else {
      call.none();
    }
    call.array(dtype, rows * columns);
    call.array(FETTLE_F32, rows);
    call.array(FETTLE_F32, columns);
    call.array(FETTLE_F32, columns);
    if (packed) {
      call.array(FETTLE_I32, columns);
    } else {
      call.none();
      call.array(FETTLE_I8, columns * depth);
    }
    call.integers({rows, columns, depth, depth % 2, path, 1, 1});
    call.numbers({0.5});
    call.run(1, tier);
  }
}

void half_products(Arrays& arrays, int64_t rows, int64_t columns, int64_t batch, int64_t all, bool atEnd, int32_t tier) {
  const int64_t words = units(columns, wordColumns) * units(rows, wordRows) * wordRows;
  {
    Call call(arrays, "semi24_words", atEnd);
    call.array(FETTLE_U8, rows * columns / 8);
    call.array(FETTLE_I32, words);
    call.array(FETTLE_I64, units(rows, wordRows));
    call.integers({rows, columns, 0});
    call.run(units(rows, wordRows), tier);
  }
  for (const int64_t format : {FETTLE_BF16, FETTLE_F16}) {
    Call call(arrays, "semi24_half_product", atEnd);
    call.array(format, rows * columns / 2);
    call.array(FETTLE_I32, words);
    call.array(format, batch * columns);
    call.array(format == FETTLE_F16 ? int64_t(format) : int64_t(FETTLE_F32), batch * rows);
    call.integers({batch, rows, columns});
    call.run(all, tier);
  }
}

// Blocks in the first and the last column, and padding; of a matrix as it lies and of its transposed.
void block_products(Arrays& arrays, int64_t rows, int64_t columns, int64_t batch, bool together, bool atEnd, int32_t tier) {
  const int64_t tiles = units(batch, batchTile);
  for (const int64_t b : {1, 4, 5, 16, 24}) {
    const int64_t down = units(rows, b), across = units(columns, b), blocks = 3 * down;
    for (const char* id : {"block_matrix_product", "transposed", "block_matrix_sampled"}) {
      const bool transposed = strcmp(id, "transposed") == 0, sampled = strcmp(id, "block_matrix_sampled") == 0;
      Call call(arrays, transposed ? "block_matrix_product" : id, atEnd);
      int32_t* starts = reinterpret_cast<int32_t*>(call.array(FETTLE_I32, down + 1));
      int32_t* places = reinterpret_cast<int32_t*>(call.array(FETTLE_I32, blocks));
      for (int64_t i = 0; i <= down; i++) starts[i] = int32_t(3 * i);
      for (int64_t p = 0; p < blocks; p++) {
        places[p] = p % 3 == 0 ? 0 : p % 3 == 1 && across > 1 ? int32_t(across - 1) : -1;
      }
      call.array(FETTLE_F32, blocks * b * b);
      if (sampled) {
        call.array(FETTLE_F32, batch * rows);
        call.array(FETTLE_F32, batch * columns);
        call.integers({batch, rows, columns, b});
        call.run(down * b, tier, together ? down * b : 3);
        continue;
      }
      call.array(FETTLE_F32, tiles * columns * batchTile);
      call.array(FETTLE_F32, batch * rows);
      if (transposed) {
        int32_t* which = reinterpret_cast<int32_t*>(call.array(FETTLE_I32, blocks));
        for (int64_t p = 0; p < blocks; p++) which[p] = int32_t(blocks - 1 - p);
      }
      call.integers({batch, rows, columns, b, transposed ? 1 : b, transposed ? b : 1});
      call.run(tiles * units(rows, sparseRows), tier, together ? tiles * units(rows, sparseRows) : 1);
    }
  }
}

// Several tiles of a batch at a time, and one by one.
void sparse_products(Arrays& arrays, int64_t columns, int64_t batch, bool together, bool atEnd, int32_t tier) {
  const int64_t rows = sparseRows + 5;
  const int64_t tiles = units(batch, batchTile), all = tiles * units(rows, sparseRows);
  {
    Call call(arrays, "csr_product", atEnd);
    const int64_t each = columns < 3 ? columns : 3;
    int32_t* pointers = reinterpret_cast<int32_t*>(call.array(FETTLE_I32, rows + 1));
    int32_t* places = reinterpret_cast<int32_t*>(call.array(FETTLE_I32, rows * each));
    for (int64_t row = 0; row <= rows; row++) pointers[row] = int32_t(row * each);
    for (int64_t p = 0; p < rows * each; p++) places[p] = int32_t((columns - 1) * (p % each) / (each < 2 ? 1 : each - 1));
    call.array(FETTLE_F32, rows * each);
    call.array(FETTLE_F32, tiles * columns * batchTile);
    call.array(FETTLE_F32, batch * rows);
    call.integers({batch, rows, columns});
    call.run(all, tier, together ? all : 1);
  }
  if (columns > 0) block_products(arrays, rows, columns, batch, together, atEnd, tier);
  const int64_t whole = columns / 8 * 8;
  if (whole == 0) return;
  Call call(arrays, "semi24_product", atEnd);
  call.array(FETTLE_F32, rows * whole / 2);
  call.array(FETTLE_U8, rows * whole / 8);
  call.none();
  call.array(FETTLE_F32, tiles * whole * batchTile);
  call.array(FETTLE_F32, batch * rows);
  call.integers({batch, rows, whole});
  call.run(all, tier, together ? all : 1);
  half_products(arrays, rows, whole, batch, all, atEnd, tier);
}

void nm_masks(Arrays& arrays, int64_t size, int64_t format, bool atEnd, int32_t tier) {
  const int64_t forms[][3] = {{2, 4, 1}, {1, 4, 1}, {4, 8, 1}, {3, 5, 1}, {2, 4, 3}, {1, 2, 1}, {8, 16, 1}};
  for (const auto& [n, m, inner] : forms) {
    const int64_t elements = size / (m * inner) * (m * inner);
    if (elements == 0) continue;
    Call call(arrays, "nm_mask", atEnd);
    call.array(format, elements);
    call.array(FETTLE_BIT, elements);
    call.integers({elements, n, m, inner});
    call.run(units(elements, nmUnit(m, inner)), tier);
  }
  Call call(arrays, "mask_apply", atEnd);
  call.array(format, size);
  call.array(FETTLE_BIT, size);
  call.array(format, size);
  call.integers({size, format == FETTLE_F32 ? 4 : 2});
  call.run(units(size, 4096), tier);
}

void formats_and_products(Arrays& arrays, int64_t size, bool atEnd, int32_t tier) {
  grids(arrays, size, atEnd, tier);
  for (int64_t format = formatE4M3; format <= formatE2M1; format++) minifloats(arrays, size, format, atEnd, tier);
  for (int64_t bits : {1, 2, 4, 6}) fields(arrays, size, bits, atEnd, tier);
  for (bool yes : {false, true}) {
    cast_transpose(arrays, size, yes, atEnd, tier);
    for (bool int4 : {false, true}) eco(arrays, size, int4, yes, atEnd, tier);
    if (size <= 64) {
      for (int64_t batch : {1, 17, 61}) sparse_products(arrays, size, batch, yes, atEnd, tier);
    }
    for (int64_t dtype : {FETTLE_I32, FETTLE_F32, FETTLE_I8}) {
      if (size <= 512) integer_products(arrays, size, dtype, yes, atEnd, tier);
    }
  }
  for (int64_t format : formats) nm_masks(arrays, size, format, atEnd, tier);
}

void kernels_stay_within_their_arrays() {
  Arrays arrays;
  for (int32_t tier : tiers()) {
    for (int64_t size : sizes) {
      for (bool atEnd : {false, true}) {
        for (bool upper : {false, true}) {
          for (int64_t values : {1, 5, 16, 20, 256}) code_books(arrays, size, values, upper, atEnd, tier);
        }
        masks(arrays, size, atEnd, tier);
        formats_and_products(arrays, size, atEnd, tier);
        for (int64_t format : formats) adafactor(arrays, size, format, atEnd, tier);
      }
    }
  }
}

}  // namespace

int main() {
  if (tiers().empty()) std::printf("NOT RUN: this CPU has neither x86-64-v3 nor v4\n");
  CHECK(fettle_rule_id(int32_t(sizeof rules / sizeof rules[0])) == nullptr);
  CHECK(fettle_primitive_id(int32_t(sizeof primitives / sizeof primitives[0])) == nullptr);
  rules_stay_within_their_arrays();
  primitives_stay_within_their_arrays();
  kernels_stay_within_their_arrays();
  return check::finish("guard_test");
}
