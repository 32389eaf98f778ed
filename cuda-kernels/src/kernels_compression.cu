// The family compression on a device: a thread per unit.
#include "units.cuh"

#include "kernels/compression.h"

#define FETTLE_FAMILY "fettle/kernels/compression.def"
#include "units_family.cuh"
