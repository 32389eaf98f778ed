// The family estimators on a device: a thread per unit.
#include "units.cuh"

#include "kernels/estimators/layers.h"
#include "kernels/estimators/operations.h"
#include "kernels/estimators/periodic.h"
#include "kernels/estimators/stochastic_sign.h"

#define FETTLE_FAMILY "fettle/kernels/estimators.def"
#include "units_family.cuh"
