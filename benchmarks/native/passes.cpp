#include "passes.h"

#include <stdio.h>
#include <string.h>

#include "tier.h"

namespace {

// Counts of a shape, in the order of its name.
const int shapes[][9] = {
#define FETTLE_PASS(...) {__VA_ARGS__},
#include "shapes.def"
#undef FETTLE_PASS
};
constexpr int32_t shapeCount = sizeof shapes / sizeof shapes[0];

}  // namespace

extern "C" {

int32_t fettle_pass_find(const char* name) {
  for (int32_t i = 0; i < shapeCount; i++) {
    const int* s = shapes[i];
    char own[64];
    snprintf(own, sizeof own, "i%dr%dw%d.i%dr%dw%d.i%dr%dw%d", s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7], s[8]);
    if (strcmp(own, name) == 0) return i;
  }
  return -1;
}

double fettle_pass_run(int32_t pass, int32_t tier, const int64_t* table, int64_t firstTensor, int64_t lastTensor,
                       int64_t first, int64_t last, int64_t ahead, int32_t past) {
  if (pass < 0 || pass >= shapeCount) return 0.0;
  int arrays = 0;
  for (const int count : shapes[pass]) arrays += count;
  const PassFunction function = (tier >= 4 ? passes_v4 : passes_v3)[pass];
  double sum = 0.0;
  for (int64_t tensor = firstTensor; tensor < lastTensor; tensor++) {
    sum += function(table + tensor * arrays, first, last, ahead, past != 0, 0.0f);
  }
  return sum;
}

int64_t fettle_peak_run(int32_t kind, int32_t tier, int64_t rounds) {
  if (kind < 0 || kind > 2) return 0;
  return (tier >= 4 ? peaks_v4 : peaks_v3)[kind](rounds);
}

}
