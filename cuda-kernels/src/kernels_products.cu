// The family products on a device: a thread per unit.
#include "units.cuh"

#include "kernels/products/products.h"

#define FETTLE_FAMILY "fettle/kernels/products.def"
#include "units_family.cuh"
