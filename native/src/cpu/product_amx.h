// The AMX path of an integer product; part of product_paths.h, inside its namespace.
//
// Two by two tiles of 16 x 16 sums. A tile of the left operand is 16 rows of 64 bytes where they lie, or a padded copy at the
// edges; one of the right operand is 1 KiB of a packed panel. The process must have asked the kernel for the tiles.

#ifndef FETTLE_TILES
#define FETTLE_TILES
// Shapes: every tile has 16 rows of 64 bytes.
struct TileConfiguration {
  uint8_t palette, startRow, reserved[14];
  uint16_t bytes[16];
  uint8_t rows[16];
};

FETTLE_FN void tilesOpen() {
  TileConfiguration shape;
  memset(&shape, 0, sizeof shape);
  shape.palette = 1;
  for (int i = 0; i < 8; i++) {
    shape.bytes[i] = 64;
    shape.rows[i] = 16;
  }
  __asm__ volatile("ldtilecfg %0" : : "m"(shape));
}
FETTLE_FN void tilesClose() { __asm__ volatile("tilerelease"); }
template <int tile>
FETTLE_FN void tileClear() {
  __asm__ volatile("tilezero %%tmm%c0" : : "i"(tile));
}
template <int tile>
FETTLE_FN void tileLoad(const void* from, int64_t stride) {
  __asm__ volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(from), "r"(stride), "i"(tile) : "memory");
}
template <int tile>
FETTLE_FN void tileStore(int32_t (&to)[256]) {
  __asm__ volatile("tilestored %%tmm%c3, (%1,%2,1)" : "=m"(to) : "r"(&to), "r"(int64_t(64)), "i"(tile));
}
// sum += left (signed bytes) * right (unsigned bytes)
template <int sum, int left, int right>
FETTLE_FN void tileMultiply() {
  __asm__ volatile("tdpbsud %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(sum), "i"(left), "i"(right));
}
#endif

// Where 16 rows of 64 bytes lie; the copy is used where fewer are left.
struct LeftTile {
  const int8_t* from;
  int64_t stride;
};

FETTLE_FN LeftTile leftTile(const ProductTile& t, int64_t row, int64_t k, int8_t* copy) {
  if (row + 16 <= t.lastRow && k + panelDepth <= t.depth) return {t.left + row * t.depth + k, t.depth};
  memset(copy, 0, 16 * panelDepth);
  for (int64_t r = 0; r < 16 && row + r < t.lastRow; r++) {
    memcpy(copy + r * panelDepth, t.left + (row + r) * t.depth + k, size_t(smaller(panelDepth, t.depth - k)));
  }
  return {copy, panelDepth};
}

static void tileAmx(const fettle_call& call, const ProductTile& t) {
  alignas(64) int32_t sums[2][2][16 * panelRows];
  alignas(64) int8_t copy[2][16 * panelDepth];
  for (int64_t column = t.firstColumn; column < t.lastColumn; column += 2 * panelRows) {
    const bool twoPanels = t.lastColumn - column > panelRows;
    const uint8_t* b = t.panels + column / panelRows * t.panelSize;
    for (int64_t row = t.firstRow; row < t.lastRow; row += 32) {
      tileClear<0>();
      tileClear<1>();
      tileClear<2>();
      tileClear<3>();
      for (int64_t k = 0; k < t.depth; k += panelDepth) {
        const LeftTile upper = leftTile(t, row, k, copy[0]);
        const LeftTile lower = leftTile(t, row + 16, k, copy[1]);
        tileLoad<4>(upper.from, upper.stride);
        tileLoad<5>(lower.from, lower.stride);
        tileLoad<6>(b + k * panelRows, 64);
        tileMultiply<0, 4, 6>();
        tileMultiply<2, 5, 6>();
        if (twoPanels) {
          tileLoad<7>(b + t.panelSize + k * panelRows, 64);
          tileMultiply<1, 4, 7>();
          tileMultiply<3, 5, 7>();
        }
      }
      tileStore<0>(sums[0][0]);
      tileStore<1>(sums[0][1]);
      tileStore<2>(sums[1][0]);
      tileStore<3>(sums[1][1]);
      for (int64_t r = 0; r < 32 && row + r < t.lastRow; r++) {
        for (int p = 0; p < 2; p++) {
          const int64_t from = column + p * panelRows;
          if (from >= t.lastColumn) continue;
          finishSums(call, t, row + r, from, sums[r / 16][p] + r % 16 * panelRows, int(smaller(panelRows, t.lastColumn - from)));
        }
      }
    }
  }
}

static void rangeAmx(const fettle_call& call, int64_t first, int64_t last) {
  tilesOpen();
  ProductTile t;
  openTile(call, t);
  for (int64_t unit = first; unit < last; unit++) {
    placeTile(call, unit, t);
    tileAmx(call, t);
  }
  tilesClose();
}
