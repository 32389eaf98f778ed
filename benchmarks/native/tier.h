// The passes as one tier compiles them, in the order of shapes.def.
#pragma once

#include <stdint.h>

using PassFunction = double (*)(const int64_t* arrays, int64_t first, int64_t last, int64_t ahead, float factor);

extern const PassFunction passes_v3[];
extern const PassFunction passes_v4[];
