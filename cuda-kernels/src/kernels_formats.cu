// The family formats on a device: a block per unit for casts and quantizers, a thread per unit for the rest.
#include "casts.cuh"
#include "grid.cuh"
#include "kernels/formats/fields.h"

#define FETTLE_FAMILY "fettle/kernels/formats.def"
#include "units_family.cuh"
