// The family masks on a device: a thread per unit.
#include "units.cuh"

#include "kernels/masks/bits.h"
#include "kernels/masks/nm.h"

#define FETTLE_FAMILY "fettle/kernels/masks.def"
#include "units_family.cuh"
