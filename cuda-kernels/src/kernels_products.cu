// The family products on a device: integers on the tensor cores, a thread per unit for the rest.
#include "integer_product.cuh"

#define FETTLE_FAMILY "fettle/kernels/products.def"
#include "units_family.cuh"
