/* The public headers are plain C99: compiled as such, and never run. */
#include <fettle/cuda.h>
#include <fettle/fettle.h>

int fettle_header_is_c99(void);

int fettle_header_is_c99(void) { return FETTLE_ABI_VERSION; }
