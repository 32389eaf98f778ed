// Training without master weights on the CPU.
#include "cpu/kernel_tier.h"
#include "kernels/eco.h"

#define FETTLE_FAMILY "fettle/kernels/eco.def"
#include "cpu/kernel_family.h"
