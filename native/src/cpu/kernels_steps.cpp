// Passes of steps on the CPU: loops that the compiler vectorises, or rows in double.
#include "cpu/adafactor.h"
#include "cpu/kernel_tier.h"
#include "kernels/steps/axis_norm.h"
#include "kernels/steps/combine_rows.h"
#include "kernels/steps/frugal.h"
#include "kernels/steps/riemannian.h"
#include "kernels/steps/saf.h"
#include "kernels/steps/slices.h"

#define FETTLE_FAMILY "fettle/kernels/steps.def"
#include "cpu/kernel_family.h"
