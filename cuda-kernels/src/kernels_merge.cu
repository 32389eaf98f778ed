// The family merge on a device: a thread per unit.
#include "units.cuh"

#include "kernels/merge/averages.h"
#include "kernels/merge/merges.h"
#include "kernels/merge/row_normalize.h"
#include "kernels/merge/sums.h"

#define FETTLE_FAMILY "fettle/kernels/merge.def"
#include "units_family.cuh"
