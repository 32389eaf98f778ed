// Products through the emulated kernels against the plain loops of the shared headers: every bit, for any shape.
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "cuda_runtime.h"
#include "kernels/products/products.h"
#include "kernel_calls.h"

namespace {

using namespace fettle::FETTLE_TIER;
using namespace test;

struct Epilogue {
  int64_t dtype;
  bool rowScales, columnScales, bias, one;  // one: a single scale for all
};

void product(int64_t rows, int64_t columns, int64_t depth, const Epilogue& epilogue, int64_t skew, uint64_t seed) {
  Random random(seed);
  emulation::shuffle(seed);
  Memory left(rows * depth, skew), right(columns * depth, skew);
  left.draw(random);
  right.draw(random);
  const int64_t panels = unitsOf(columns, panelRows);
  Memory packed[2] = {{panels * panelBytes(depth), 0}, {panels * panelBytes(depth), 0}};
  Memory sums[2] = {{columns * 4, 0}, {columns * 4, 0}};
  const int64_t width = epilogue.dtype == FETTLE_I8 ? 1 : 4;
  Memory result[2] = {{rows * columns * width, 0}, {rows * columns * width, 0}};
  Memory rowScales(rows * 4, 0), columnScales(columns * 4, 0), bias(columns * 4, 0);
  rowScales.drawFloats(random);
  columnScales.drawFloats(random);
  bias.drawFloats(random);
  for (int side = 0; side < 2; side++) {
    fettle_call pack = callOf("product_pack", panels);
    setArray(pack, 0, right, FETTLE_I8, columns * depth);
    setArray(pack, 1, packed[side], FETTLE_U8, panels * panelBytes(depth));
    setArray(pack, 2, sums[side], FETTLE_I32, columns);
    pack.integer[0] = columns;
    pack.integer[1] = depth;
    fettle_call call = callOf("integer_product", unitsOf(rows, productRows) * unitsOf(columns, productColumns));
    setArray(call, 0, left, FETTLE_I8, rows * depth);
    setArray(call, 1, packed[side], FETTLE_U8, panels * panelBytes(depth));
    setArray(call, 2, result[side], epilogue.dtype, rows * columns);
    if (epilogue.rowScales) setArray(call, 3, rowScales, FETTLE_F32, rows);
    if (epilogue.columnScales) setArray(call, 4, columnScales, FETTLE_F32, columns);
    if (epilogue.bias) setArray(call, 5, bias, FETTLE_F32, columns);
    setArray(call, 6, sums[side], FETTLE_I32, columns);
    const int64_t integers[] = {rows, columns, depth, 3, 0, epilogue.one ? 0 : 1, epilogue.one ? 0 : 1};
    memcpy(call.integer, integers, sizeof integers);
    call.number[0] = 0.0007;
    if (side == 0) {
      runPlain<ProductPack>(pack);
      runPlain<IntegerProduct>(call);
    } else {
      CHECK(runDevice(pack));
      CHECK(runDevice(call));
    }
  }
  const bool same = packed[0].same(packed[1]) && sums[0].same(sums[1]) && result[0].same(result[1]);
  check::that(same, "a product of integers", __FILE__, __LINE__);
  if (!same) {
    printf("%lld x %lld x %lld, result %lld, skew %lld: packed %d, sums %d, result %d\n", static_cast<long long>(rows),
           static_cast<long long>(columns), static_cast<long long>(depth), static_cast<long long>(epilogue.dtype),
           static_cast<long long>(skew), packed[0].same(packed[1]), sums[0].same(sums[1]), result[0].same(result[1]));
  }
}

void integerProducts() {
  const Epilogue epilogues[] = {{FETTLE_I32, false, false, false, false}, {FETTLE_F32, true, true, true, false},
                                {FETTLE_F32, false, true, false, true},   {FETTLE_I8, true, true, true, true},
                                {FETTLE_I8, true, false, false, false},   {FETTLE_F32, true, false, true, false}};
  const int64_t shapes[][3] = {{1, 1, 1},     {1, 17, 5},     {3, 130, 64},   {64, 128, 16},   {65, 129, 63},
                               {128, 128, 64}, {129, 16, 65},  {130, 257, 320}, {200, 100, 132}, {5, 300, 1000},
                               {257, 8, 48},  {16, 16, 192},  {1, 128, 400},  {255, 127, 100}, {70, 33, 0}};
  uint64_t seed = 1;
  for (const auto& shape : shapes) {
    for (int i = 0; i < 2; i++, seed++) {
      const int64_t skews[] = {0, 4, 1, 16};
      product(shape[0], shape[1], shape[2], epilogues[seed % 6], skews[seed % 4], seed);
    }
  }
}

// Panels are moved 16 bytes at a time, so they may not start anywhere though their dtype is U8.
void panelsStartAtMultiplesOf16() {
  Random random(7);
  const int64_t rows = 3, columns = 20, depth = 40;
  const int64_t panels = unitsOf(columns, panelRows);
  Memory left(rows * depth, 0), right(columns * depth, 0), sums(columns * 4, 0), result(rows * columns * 4, 0);
  left.draw(random);
  right.draw(random);
  for (const int64_t skew : {0, 1, 4, 8, 16}) {
    Memory packed(panels * panelBytes(depth), skew);
    fettle_call pack = callOf("product_pack", panels);
    setArray(pack, 0, right, FETTLE_I8, columns * depth);
    setArray(pack, 1, packed, FETTLE_U8, panels * panelBytes(depth));
    setArray(pack, 2, sums, FETTLE_I32, columns);
    pack.integer[0] = columns;
    pack.integer[1] = depth;
    fettle_call call = callOf("integer_product", 1);
    setArray(call, 0, left, FETTLE_I8, rows * depth);
    setArray(call, 1, packed, FETTLE_U8, panels * panelBytes(depth));
    setArray(call, 2, result, FETTLE_I32, rows * columns);
    setArray(call, 6, sums, FETTLE_I32, columns);
    const int64_t integers[] = {rows, columns, depth};
    memcpy(call.integer, integers, sizeof integers);
    for (const fettle_call* one : {&pack, &call}) {
      char reason[256] = "";
      const int32_t status = fettle_cuda_kernel_run(0, one, nullptr, reason, sizeof reason);
      CHECK(status == (skew % 16 == 0 ? FETTLE_OK : FETTLE_INVALID_ARGUMENT));
      CHECK(skew % 16 == 0 || strstr(reason, "no multiple of 16") != nullptr);
      CHECK(skew % 16 == 0 || strstr(reason, fettle_kernel_id(int32_t(one->kernel))) != nullptr);
    }
  }
}

}  // namespace

int main() {
  integerProducts();
  panelsStartAtMultiplesOf16();
  CHECK(emulation::allocations() == 0);
  printf("emulated on the host: no GPU has run these kernels here\n");
  return check::finish("cuda_product_test");
}
