// The family blocks on a device: a thread per unit.
#include "units.cuh"

#include "kernels/blocks.h"

#define FETTLE_FAMILY "fettle/kernels/blocks.def"
#include "units_family.cuh"
