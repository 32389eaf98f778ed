// The family pruning on a device: a thread per unit.
#include "units.cuh"

#include "kernels/pruning/masked_steps.h"

#define FETTLE_FAMILY "fettle/kernels/pruning.def"
#include "units_family.cuh"
