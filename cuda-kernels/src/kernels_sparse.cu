// The family sparse on a device: 2:4 products of 16-bit elements on the tensor cores, a thread per unit for the rest.
#include "semi24_product.cuh"

#include "kernels/sparse/activations.h"
#include "kernels/sparse/block_products.h"
#include "kernels/sparse/formats.h"
#include "kernels/sparse/penalties.h"
#include "kernels/sparse/products.h"
#include "kernels/sparse/scores.h"

#define FETTLE_FAMILY "fettle/kernels/sparse.def"
#include "units_family.cuh"
