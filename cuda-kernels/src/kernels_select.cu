// The family select on a device: a thread per unit.
#include "units.cuh"

#include "kernels/select/select.h"
#include "kernels/select/topk.h"

#define FETTLE_FAMILY "fettle/kernels/select.def"
#include "units_family.cuh"
