// Opening the CUDA library, with stand-ins for the driver and the library. No GPU is needed or used.
#include <fettle/cuda.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "check.h"

namespace {

struct Opened {
  int32_t status;
  fettle_cuda* cuda;
  char reason[512];

  explicit Opened(const char* name) : status(0), cuda(nullptr), reason("") {
    char path[1024];
    std::snprintf(path, sizeof path, "%s/lib%s.so", std::getenv("FETTLE_STUBS"), name);
    status = fettle_cuda_open(path, &cuda, reason, sizeof reason);
  }

  ~Opened() { fettle_cuda_close(cuda); }

  bool refused(const char* why) const {
    const bool right = status == FETTLE_UNAVAILABLE && cuda == nullptr && std::strstr(reason, why) != nullptr;
    if (!right) std::fprintf(stderr, "status %d, reason: %s\n", static_cast<int>(status), reason);
    return right;
  }
};

void a_matching_library_is_opened_and_called() {
  const Opened opened("stub_right");
  CHECK(opened.status == FETTLE_OK);
  CHECK(opened.cuda != nullptr);
  int32_t count = 0;
  CHECK(fettle_cuda_call_device_count(opened.cuda, &count, nullptr, 0) == FETTLE_OUT_OF_MEMORY);
}

void a_library_that_does_not_match_is_refused() {
  CHECK(Opened("stub_missing").refused("cannot open shared object file"));
  CHECK(Opened("stub_other_abi").refused("has ABI version"));
  CHECK(Opened("stub_other_build").refused("is build 0123456789abcdef"));
  CHECK(Opened("stub_no_functions").refused("lacks the function fettle_cuda_"));
  CHECK(Opened("stub_driver").refused("is not Fettle's CUDA library"));
}

void a_call_without_a_library_is_refused() {
  int32_t count = 0;
  CHECK(fettle_cuda_call_device_count(nullptr, &count, nullptr, 0) == FETTLE_INVALID_ARGUMENT);
}

}  // namespace

int main() {
  a_matching_library_is_opened_and_called();
  a_library_that_does_not_match_is_refused();
  a_call_without_a_library_is_refused();
  return check::finish("cuda_loader_test");
}
