// The family eco on a device: a thread per unit.
#include "units.cuh"

#include "kernels/eco.h"

#define FETTLE_FAMILY "fettle/kernels/eco.def"
#include "units_family.cuh"
