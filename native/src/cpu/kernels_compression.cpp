// Compressed communication on the CPU.
#include "cpu/kernel_tier.h"
#include "kernels/compression.h"

#define FETTLE_FAMILY "fettle/kernels/compression.def"
#include "cpu/kernel_family.h"
