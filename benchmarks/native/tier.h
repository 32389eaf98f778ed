// The passes as one tier compiles them, in the order of shapes.def.
#pragma once

#include <stdint.h>

using PassFunction = double (*)(const int64_t* arrays, int64_t first, int64_t last, int64_t ahead, bool past,
                                float factor);

extern const PassFunction passes_v3[];
extern const PassFunction passes_v4[];

// Does so many rounds of one kind of arithmetic; answers how many operations or elements that was.
using PeakFunction = int64_t (*)(int64_t rounds);

extern const PeakFunction peaks_v3[3];
extern const PeakFunction peaks_v4[3];
