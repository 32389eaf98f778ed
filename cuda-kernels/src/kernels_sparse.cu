// The family sparse on a device: a thread per unit.
#include "units.cuh"

#include "kernels/sparse/activations.h"
#include "kernels/sparse/formats.h"
#include "kernels/sparse/penalties.h"
#include "kernels/sparse/products.h"
#include "kernels/sparse/scores.h"

#define FETTLE_FAMILY "fettle/kernels/sparse.def"
#include "units_family.cuh"
