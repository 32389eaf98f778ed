// The family formats on a device: a thread per unit.
#include "units.cuh"

#include "kernels/formats/fields.h"
#include "kernels/formats/grid.h"
#include "kernels/formats/measures.h"
#include "kernels/formats/minifloats.h"

#define FETTLE_FAMILY "fettle/kernels/formats.def"
#include "units_family.cuh"
