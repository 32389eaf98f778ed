// Opens the CUDA library at run time, so that the CPU library never needs CUDA.
#include <dlfcn.h>
#include <fettle/cuda.h>

#include <cstdlib>
#include <cstring>

#include "build_id.h"
#include "glibc_floor.h"
#include "reason.h"

struct fettle_cuda {
#define FETTLE_CUDA_ENTRY(name, parameters, arguments) decltype(&fettle_cuda_##name) name;
#include <fettle/cuda.def>
#undef FETTLE_CUDA_ENTRY
};

namespace {

// dlerror() is null when nothing failed, and its text is overwritten by the next call.
const char* loader_error() {
  const char* text = dlerror();
  return text != nullptr ? text : "unknown loader error";
}

template <typename Function>
bool find(void* library, const char* name, Function* function) {
  *function = reinterpret_cast<Function>(dlsym(library, name));
  return *function != nullptr;
}

bool versions_match(void* library, const char* path, char* reason, int64_t reason_bytes) {
  decltype(&fettle_cuda_abi_version) abi_version = nullptr;
  decltype(&fettle_cuda_build_id) build_id = nullptr;
  if (!find(library, "fettle_cuda_abi_version", &abi_version) || !find(library, "fettle_cuda_build_id", &build_id)) {
    fettle::explain(reason, reason_bytes, "%s is not Fettle's CUDA library", path);
    return false;
  }
  if (abi_version() != FETTLE_ABI_VERSION) {
    fettle::explain(reason, reason_bytes, "%s has ABI version %d, the CPU library has %d", path,
                    static_cast<int>(abi_version()), FETTLE_ABI_VERSION);
    return false;
  }
  if (std::strcmp(build_id(), FETTLE_BUILD_ID) != 0) {
    fettle::explain(reason, reason_bytes, "%s is build %s, the CPU library is build %s", path, build_id(),
                    FETTLE_BUILD_ID);
    return false;
  }
  return true;
}

bool fill(fettle_cuda* cuda, void* library, const char* path, char* reason, int64_t reason_bytes) {
  if (!versions_match(library, path, reason, reason_bytes)) return false;
#define FETTLE_CUDA_ENTRY(name, parameters, arguments)                                       \
  if (!find(library, "fettle_cuda_" #name, &cuda->name)) {                                   \
    fettle::explain(reason, reason_bytes, "%s lacks the function fettle_cuda_" #name, path); \
    return false;                                                                            \
  }
#include <fettle/cuda.def>
#undef FETTLE_CUDA_ENTRY
  return true;
}

}  // namespace

int32_t fettle_cuda_open(const char* path, fettle_cuda** cuda, char* reason, int64_t reason_bytes) {
  if (cuda == nullptr) return FETTLE_INVALID_ARGUMENT;
  *cuda = nullptr;
  if (path == nullptr) return FETTLE_INVALID_ARGUMENT;

  // The driver first: without one, the CUDA library is of no use and need not be touched.
  if (dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL) == nullptr) {
    fettle::explain(reason, reason_bytes, "no CUDA driver: %s", loader_error());
    return FETTLE_UNAVAILABLE;
  }
  void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    fettle::explain(reason, reason_bytes, "the CUDA library cannot be loaded: %s", loader_error());
    return FETTLE_UNAVAILABLE;
  }
  fettle_cuda* table = static_cast<fettle_cuda*>(std::calloc(1, sizeof(fettle_cuda)));
  if (table == nullptr) {
    fettle::explain(reason, reason_bytes, "out of memory");
    return FETTLE_OUT_OF_MEMORY;
  }
  if (!fill(table, library, path, reason, reason_bytes)) {
    std::free(table);
    dlclose(library);
    return FETTLE_UNAVAILABLE;
  }
  *cuda = table;
  return FETTLE_OK;
}

void fettle_cuda_close(fettle_cuda* cuda) { std::free(cuda); }

#define FETTLE_CUDA_ENTRY(name, parameters, arguments)                                    \
  int32_t fettle_cuda_call_##name(const fettle_cuda* cuda, FETTLE_CUDA_LIST parameters) { \
    return cuda != nullptr ? cuda->name arguments : FETTLE_INVALID_ARGUMENT;              \
  }
#include <fettle/cuda.def>
#undef FETTLE_CUDA_ENTRY
