// Guard pages around the arrays of products: integer products but for AMX, and sparse products.
#include "../src/kernels/products/products.h"
#include "../src/kernels/sparse/half_products.h"
#include "guard.h"

namespace {

using namespace guard;
using namespace fettle::FETTLE_TIER;

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

void products(Arrays& arrays, int64_t size, bool atEnd, int32_t tier) {
  for (bool yes : {false, true}) {
    if (size <= 64) {
      for (int64_t batch : {1, 17, 61}) sparse_products(arrays, size, batch, yes, atEnd, tier);
    }
    for (int64_t dtype : {FETTLE_I32, FETTLE_F32, FETTLE_I8}) {
      if (size <= 512) integer_products(arrays, size, dtype, yes, atEnd, tier);
    }
  }
}

}  // namespace

int main() {
  if (tiers().empty()) std::printf("NOT RUN: this CPU has neither x86-64-v3 nor v4\n");
  everywhere(products);
  return check::finish("guard_products_test");
}
