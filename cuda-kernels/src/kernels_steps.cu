// The family steps on a device: a thread per unit.
#include "units.cuh"

#include "kernels/steps/adafactor.h"
#include "kernels/steps/axis_norm.h"
#include "kernels/steps/combine_rows.h"
#include "kernels/steps/frugal.h"
#include "kernels/steps/riemannian.h"
#include "kernels/steps/saf.h"
#include "kernels/steps/slices.h"

#define FETTLE_FAMILY "fettle/kernels/steps.def"
#include "units_family.cuh"
