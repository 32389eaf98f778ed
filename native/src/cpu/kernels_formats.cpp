// Number formats on the CPU.
#include "cpu/kernel_tier.h"
#include "kernels/formats/fields.h"
#include "kernels/formats/grid.h"
#include "kernels/formats/measures.h"
#include "kernels/formats/minifloats.h"

#define FETTLE_FAMILY "fettle/kernels/formats.def"
#include "cpu/kernel_family.h"
