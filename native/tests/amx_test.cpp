// The AMX path of integer products with its tile registers emulated: blocking, edges, layout and what becomes of the sums, on
// any processor with AVX-512. What the instructions themselves do is not tested here.
#include <cstdio>
#include <cstring>
#include <vector>

#define FETTLE_TIER amx_emulated
#define FETTLE_TILES
#include "../src/cpu/kernel_tier.h"
#include "check.h"

namespace fettle {
namespace FETTLE_TIER {

// Eight registers of 16 rows of 64 bytes; what is loaded into a closed one is a fault.
struct Tiles {
  bool open = false;
  alignas(64) uint8_t row[8][16][64];
  int64_t loads = 0, products = 0;
};
static Tiles tiles;

FETTLE_FN void tilesOpen() {
  CHECK(!tiles.open);
  tiles.open = true;
  // Nothing may be expected of a register that was not set.
  memset(tiles.row, 0x5A, sizeof tiles.row);
}
FETTLE_FN void tilesClose() {
  CHECK(tiles.open);
  tiles.open = false;
}
template <int tile>
FETTLE_FN void tileClear() {
  memset(tiles.row[tile], 0, sizeof tiles.row[tile]);
}
template <int tile>
FETTLE_FN void tileLoad(const void* from, int64_t stride) {
  tiles.loads++;
  for (int64_t r = 0; r < 16; r++) memcpy(tiles.row[tile][r], static_cast<const uint8_t*>(from) + r * stride, 64);
}
template <int tile>
FETTLE_FN void tileStore(int32_t (&to)[256]) {
  memcpy(to, tiles.row[tile], sizeof to);
}
template <int sum, int left, int right>
FETTLE_FN void tileMultiply() {
  tiles.products++;
  for (int m = 0; m < 16; m++) {
    for (int n = 0; n < 16; n++) {
      uint32_t total;
      memcpy(&total, tiles.row[sum][m] + 4 * n, 4);
      for (int k = 0; k < 16; k++) {
        for (int i = 0; i < 4; i++) {
          total += uint32_t(int32_t(int8_t(tiles.row[left][m][4 * k + i])) * int32_t(tiles.row[right][k][4 * n + i]));
        }
      }
      memcpy(tiles.row[sum][m] + 4 * n, &total, 4);
    }
  }
}

}  // namespace FETTLE_TIER
}  // namespace fettle

#include "../src/cpu/product_paths.h"

namespace {

using namespace fettle::FETTLE_TIER;

// Bytes of both signs, the extremes among them. Arrays end with their memory, so that a sanitizer sees what reads beyond.
std::vector<int8_t> bytes(int64_t n, uint32_t seed) {
  std::vector<int8_t> values(static_cast<size_t>(n));
  for (int8_t& value : values) {
    seed = seed * 1664525u + 1013904223u;
    value = seed >> 29 == 0 ? int8_t(-128) : seed >> 29 == 1 ? int8_t(127) : int8_t(seed >> 16);
  }
  return values;
}

struct Case {
  int64_t rows, columns, depth, zeroPoint, dtype;
};

void product(const Case& c) {
  const std::vector<int8_t> left = bytes(c.rows * c.depth, 7), right = bytes(c.columns * c.depth, 11);
  std::vector<float> scales(size_t(c.rows + 2 * c.columns));
  for (size_t i = 0; i < scales.size(); i++) scales[i] = 0.001f + 0.0001f * float(i % 97);
  const int64_t panels = fettle::FETTLE_TIER::unitsOf(c.columns, panelRows);
  std::vector<uint8_t> packed(size_t(panels * panelBytes(c.depth) + 16));
  std::vector<int32_t> sums(static_cast<size_t>(c.columns));
  fettle_call pack;
  memset(&pack, 0, sizeof pack);
  pack.array[0] = const_cast<int8_t*>(right.data());
  pack.array[1] = packed.data();
  pack.array[2] = sums.data();
  pack.integer[0] = c.columns;
  pack.integer[1] = c.depth;
  CpuKernel<ProductPack>::range(pack, 0, panels);

  const size_t bytesEach = c.dtype == FETTLE_I8 ? 1 : 4;
  std::vector<uint8_t> result(size_t(c.rows * c.columns) * bytesEach, 0xEE), expected(result);
  fettle_call call;
  memset(&call, 0, sizeof call);
  call.array[0] = const_cast<int8_t*>(left.data());
  call.array[1] = packed.data();
  call.dtype[2] = c.dtype;
  call.array[3] = scales.data();
  call.array[4] = scales.data() + c.rows;
  call.array[5] = scales.data() + c.rows + c.columns;
  call.array[6] = sums.data();
  const int64_t integers[] = {c.rows, c.columns, c.depth, c.zeroPoint, productAmx, 1, 1};
  memcpy(call.integer, integers, sizeof integers);
  call.number[0] = 0.37;
  const int64_t units = fettle::FETTLE_TIER::unitsOf(c.rows, productRows) * fettle::FETTLE_TIER::unitsOf(c.columns, productColumns);
  call.array[2] = expected.data();
  for (int64_t unit = 0; unit < units; unit++) IntegerProduct::unit(call, unit);
  call.array[2] = result.data();
  // Two ranges, as two threads would take them.
  productRange(call, 0, units / 2);
  productRange(call, units / 2, units);
  CHECK(result == expected);
  CHECK(!tiles.open);
}

}  // namespace

int main() {
  if (!__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512vl")) {
    std::printf("amx_test: needs AVX-512, which this processor does not have\n");
    return 0;
  }
  for (const int64_t rows : {1, 15, 16, 17, 31, 33, 64, 65}) {
    for (const int64_t columns : {1, 16, 17, 33, 128, 150}) {
      for (const int64_t depth : {0, 1, 63, 64, 65, 200}) {
        product({rows, columns, depth, (rows + depth) % 3 - 1, FETTLE_I32});
      }
    }
  }
  for (const int64_t dtype : {FETTLE_F32, FETTLE_I8}) {
    for (const int64_t zeroPoint : {0, 5}) product({70, 145, 130, zeroPoint, dtype});
  }
  // Sums wrap where 32 bits cannot hold them.
  product({2, 3, 140000, 0, FETTLE_I32});
  CHECK(tiles.loads > 0 && tiles.products > 0);
  return check::finish("amx_test");
}
