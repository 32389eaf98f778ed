// Guard pages around the arrays of kernels that go by vectors of their own: code books, masks, Adafactor, number formats, ECO.
#include "../src/kernels/eco.h"
#include "../src/kernels/formats/fields.h"
#include "../src/kernels/formats/grid.h"
#include "../src/kernels/formats/measures.h"
#include "../src/kernels/formats/minifloats.h"
#include "../src/kernels/masks/nm.h"
#include "guard.h"

namespace {

using namespace guard;
using namespace fettle::FETTLE_TIER;

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

void kernels(Arrays& arrays, int64_t size, bool atEnd, int32_t tier) {
  for (bool upper : {false, true}) {
    for (int64_t values : {1, 5, 16, 20, 256}) code_books(arrays, size, values, upper, atEnd, tier);
  }
  masks(arrays, size, atEnd, tier);
  grids(arrays, size, atEnd, tier);
  for (int64_t format = formatE4M3; format <= formatE2M1; format++) minifloats(arrays, size, format, atEnd, tier);
  for (int64_t bits : {1, 2, 4, 6}) fields(arrays, size, bits, atEnd, tier);
  for (bool yes : {false, true}) {
    cast_transpose(arrays, size, yes, atEnd, tier);
    for (bool int4 : {false, true}) eco(arrays, size, int4, yes, atEnd, tier);
  }
  for (int64_t format : formats) {
    nm_masks(arrays, size, format, atEnd, tier);
    adafactor(arrays, size, format, atEnd, tier);
  }
}

}  // namespace

int main() {
  if (tiers().empty()) std::printf("NOT RUN: this CPU has neither x86-64-v3 nor v4\n");
  everywhere(kernels);
  return check::finish("guard_kernels_test");
}
