// Casts and quantizers through the emulated kernels against the plain loops of the shared headers: every bit.
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "cuda_runtime.h"
#include "kernel_calls.h"
#include "kernels/formats/grid.h"
#include "kernels/formats/measures.h"
#include "kernels/formats/minifloats.h"

namespace {

using namespace fettle::FETTLE_TIER;
using namespace test;

// Numbers of many sizes; if asked for, infinities, NaN, zeros and denormals between them.
void drawNumbers(Memory& memory, int64_t count, Random& random, bool special) {
  static const uint32_t odd[] = {0x00000000u, 0x80000000u, 0x00000001u, 0x807FFFFFu, 0x7F800000u,
                                 0xFF800000u, 0x7FC00000u, 0xFFC12345u, 0x7F7FFFFFu};
  for (int64_t i = 0; i < count; i++) {
    uint32_t bits = uint32_t(random.next());
    bits = (bits & 0x807FFFFFu) | uint32_t(110 + random.below(30)) << 23;
    if (special && random.chance(5)) bits = odd[random.below(9)];
    memcpy(memory.data() + 4 * i, &bits, 4);
  }
}

void casts() {
  uint64_t seed = 1;
  for (const int64_t elements : {int64_t(0), int64_t(1), int64_t(7), int64_t(4095), int64_t(4096), int64_t(9001)}) {
    for (int format = formatE4M3; format <= formatE8M0; format++, seed++) {
      Random random(seed);
      emulation::shuffle(seed);
      const int64_t skew = random.below(4);
      Memory x(elements * 4, 4 * skew);
      Memory codes[2] = {{elements, skew}, {elements, skew}};
      Memory back[2] = {{elements * 4, 4 * skew}, {elements * 4, 4 * skew}};
      drawNumbers(x, elements, random, true);
      if (format == formatE8M0) codes[0].draw(random);
      if (format == formatE8M0) memcpy(codes[1].data(), codes[0].data(), size_t(elements));
      for (int side = 0; side < 2; side++) {
        fettle_call encode = callOf("minifloat_encode", unitsOf(elements, castChunk));
        setArray(encode, 0, x, FETTLE_F32, elements);
        setArray(encode, 1, codes[side], FETTLE_U8, elements);
        const int64_t integers[] = {elements, format, int64_t(seed % 2), int64_t(seed / 2 % 2), 77, 3, 5};
        memcpy(encode.integer, integers, sizeof integers);
        fettle_call decode = callOf("minifloat_decode", unitsOf(elements, castChunk));
        setArray(decode, 0, back[side], FETTLE_F32, elements);
        setArray(decode, 1, codes[side], FETTLE_U8, elements);
        decode.integer[0] = elements;
        decode.integer[1] = format;
        if (side == 0) {
          if (format != formatE8M0) runPlain<MinifloatEncode>(encode);
          runPlain<MinifloatDecode>(decode);
        } else {
          if (format != formatE8M0) CHECK(runDevice(encode));
          CHECK(runDevice(decode));
        }
      }
      CHECK(codes[0].same(codes[1]));
      CHECK(back[0].same(back[1]));
    }
  }
}

void transposedCasts() {
  const int64_t shapes[][2] = {{1, 1}, {64, 64}, {63, 65}, {130, 68}, {16, 200}, {200, 16}, {5, 3}, {128, 80}};
  uint64_t seed = 100;
  for (const auto& shape : shapes) {
    for (int way = 0; way < 4; way++, seed++) {
      Random random(seed);
      emulation::shuffle(seed);
      const int64_t rows = shape[0], columns = shape[1], elements = rows * columns;
      const int64_t tiles = unitsOf(rows, castTile) * unitsOf(columns, castTile);
      Memory x(elements * 4, way == 3 ? 4 : 0);
      Memory codes[2] = {{elements, 0}, {elements, 0}};
      Memory transposed[2] = {{elements, 0}, {elements, 0}};
      Memory largest[2] = {{tiles * 4, 0}, {tiles * 4, 0}};
      Memory factor(8, 0);
      drawNumbers(x, elements, random, way % 2 == 1);
      drawNumbers(factor, 2, random, false);
      for (int side = 0; side < 2; side++) {
        fettle_call call = callOf("cast_transpose", tiles);
        setArray(call, 0, x, FETTLE_F32, elements);
        setArray(call, 1, codes[side], FETTLE_U8, elements);
        if (way != 2) setArray(call, 2, transposed[side], FETTLE_U8, elements);
        if (way != 0) setArray(call, 3, factor, FETTLE_F32, 2);
        if (way != 1) setArray(call, 4, largest[side], FETTLE_F32, tiles);
        const int64_t integers[] = {rows, columns, way % 2 == 0 ? formatE4M3 : formatE5M2, 1};
        memcpy(call.integer, integers, sizeof integers);
        if (side == 0) {
          runPlain<CastTranspose>(call);
        } else {
          CHECK(runDevice(call));
        }
      }
      CHECK(codes[0].same(codes[1]));
      CHECK(transposed[0].same(transposed[1]));
      CHECK(largest[0].same(largest[1]));
    }
  }
}

struct GridCase {
  int64_t rows, columns, tileRows, tileColumns;
};

// Scales, zero points and codes of one format over one grid, by the kernels that it takes.
void quantize(const GridCase& shape, int rule, bool stochastic, bool special, bool transposes, uint64_t seed) {
  Random random(seed);
  emulation::shuffle(seed);
  const int64_t elements = shape.rows * shape.columns;
  fettle_call call = callOf("grid_quantize", 0);
  const int64_t bits = rule == gridMinifloat ? int64_t(formatE4M3) : rule == gridVectorwise ? 8 : 2 + 2 * random.below(4);
  const int64_t integers[] = {shape.rows,  shape.columns, shape.tileRows, shape.tileColumns, rule, bits,
                              stochastic ? 1 : 0, 99, 4, 2, rule == gridMinifloat && seed % 2 == 1 ? 1 : 0};
  memcpy(call.integer, integers, sizeof integers);
  const Grid g = gridOf(call);
  const int64_t tiles = unitsOf(shape.rows, shape.tileRows) * g.tilesAcross;
  const int64_t bands = unitsOf(shape.rows, shape.tileRows) * g.partsDown;
  const int64_t parts = bands * g.parts;
  call.units = bands * g.strips;
  Memory x(elements * 4, 4 * random.below(3));
  drawNumbers(x, elements, random, special);
  Memory codes[2] = {{elements, 0}, {elements, 0}};
  Memory transposed[2] = {{elements, 0}, {elements, 0}};
  Memory scales[2] = {{tiles * 4, 0}, {tiles * 4, 0}};
  Memory zeros[2] = {{tiles * 4, 0}, {tiles * 4, 0}};
  Memory factors[2] = {{tiles * 4, 0}, {tiles * 4, 0}};
  Memory largest[2] = {{parts * 4, 0}, {parts * 4, 0}};
  Memory smallest[2] = {{parts * 4, 0}, {parts * 4, 0}};
  Memory again[2] = {{elements, 0}, {elements, 0}};
  const bool onePart = g.partsDown == 1 && g.partsAcross == 1;
  for (int side = 0; side < 2; side++) {
    setArray(call, 0, x, FETTLE_F32, elements);
    setArray(call, 1, codes[side], FETTLE_U8, elements);
    setArray(call, 2, scales[side], FETTLE_F32, tiles);
    if (rule == gridAsymmetric || rule == gridCentred) setArray(call, 3, zeros[side], FETTLE_I32, tiles);
    if (transposes) setArray(call, 4, transposed[side], FETTLE_U8, elements);
    if (!onePart) {
      setArray(call, 5, factors[side], FETTLE_F32, tiles);
      setArray(call, 6, largest[side], FETTLE_F32, parts);
      setArray(call, 7, smallest[side], FETTLE_F32, parts);
    }
    fettle_call byTile = call;
    byTile.units = tiles;
    // By the scales that are there.
    fettle_call byScales = call;
    byScales.kernel = kernelOf("grid_encode");
    setArray(byScales, 1, again[side], FETTLE_U8, elements);
    if (side == 0 && onePart) {
      runPlain<GridQuantize>(call);
      runPlain<GridEncode>(byScales);
    } else if (side == 0) {
      runPlain<GridExtremes>(call);
      runPlain<GridScales>(byTile);
      runPlain<GridEncode>(call);
    } else if (onePart) {
      CHECK(runDevice(call));
      CHECK(runDevice(byScales));
    } else {
      call.kernel = kernelOf("grid_extremes");
      CHECK(runDevice(call));
      byTile.kernel = kernelOf("grid_scales");
      CHECK(runDevice(byTile));
      call.kernel = kernelOf("grid_encode");
      CHECK(runDevice(call));
    }
  }
  const bool same = codes[0].same(codes[1]) && again[0].same(again[1]) && transposed[0].same(transposed[1]) && scales[0].same(scales[1]) &&
                    zeros[0].same(zeros[1]) && factors[0].same(factors[1]) && largest[0].same(largest[1]) &&
                    smallest[0].same(smallest[1]);
  check::that(same, "a quantizer", __FILE__, __LINE__);
  if (!same) {
    printf("%lld x %lld in tiles of %lld x %lld, rule %d, seed %llu: codes %d, transposed %d, scales %d, factors %d\n",
           static_cast<long long>(shape.rows), static_cast<long long>(shape.columns),
           static_cast<long long>(shape.tileRows), static_cast<long long>(shape.tileColumns), rule,
           static_cast<unsigned long long>(seed), codes[0].same(codes[1]), transposed[0].same(transposed[1]),
           scales[0].same(scales[1]), factors[0].same(factors[1]));
  }
}

void quantizers() {
  // Per row, per tensor, per column, in groups, in blocks; tiles that the matrix ends within.
  const GridCase cases[] = {{3, 1000, 1, 1000}, {2, 4099, 1, 4099}, {1, 1, 1, 1},       {300, 70, 300, 70},
                            {200, 33, 200, 1},  {7, 300, 1, 128},   {40, 130, 32, 32},  {129, 257, 128, 128},
                            {5, 7, 5, 7},       {600, 600, 600, 600}, {3, 50, 1, 3}};
  uint64_t seed = 500;
  for (const GridCase& shape : cases) {
    for (int rule = gridSymmetric; rule <= gridMinifloat; rule++, seed++) {
      quantize(shape, rule, seed % 3 == 0, seed % 4 == 1, seed % 5 == 2, seed);
    }
  }
}

}  // namespace

int main() {
  casts();
  transposedCasts();
  quantizers();
  CHECK(emulation::allocations() == 0);
  printf("emulated on the host: no GPU has run these kernels here\n");
  return check::finish("cuda_format_test");
}
