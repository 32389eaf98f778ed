// The functions that describe the library, and the refusal of a CUDA library that is not there.
#include <fettle/cuda.h>
#include <fettle/fettle.h>

#include <cstring>

#include "check.h"

namespace {

void describes_itself() {
  CHECK(fettle_abi_version() == FETTLE_ABI_VERSION);
  CHECK(std::strlen(fettle_build_id()) == 16);
}

void tiers_are_nested() {
  const int64_t tiers = fettle_cpu_tiers();
  CHECK((tiers & FETTLE_CPU_V2) != 0);
  CHECK((tiers & FETTLE_CPU_V4) == 0 || (tiers & FETTLE_CPU_V3) != 0);
}

void every_status_has_a_text() {
  for (int32_t status = 0; status < FETTLE_STATUS_COUNT; ++status) {
    const char* text = fettle_status_text(status);
    CHECK(text != nullptr && std::strcmp(text, "unknown status") != 0);
  }
  CHECK(std::strcmp(fettle_status_text(-1), "unknown status") == 0);
  CHECK(std::strcmp(fettle_status_text(FETTLE_STATUS_COUNT), "unknown status") == 0);
}

void a_missing_cuda_library_is_refused_with_a_reason() {
  fettle_cuda* cuda = nullptr;
  char reason[256] = "";
  const int32_t status = fettle_cuda_open("/nowhere/libfettle_cuda.so", &cuda, reason, sizeof reason);
  CHECK(status == FETTLE_UNAVAILABLE);
  CHECK(cuda == nullptr);
  CHECK(std::strlen(reason) > 0);

  char tiny[4] = "abc";
  CHECK(fettle_cuda_open("/nowhere/libfettle_cuda.so", &cuda, tiny, sizeof tiny) == FETTLE_UNAVAILABLE);
  CHECK(tiny[3] == '\0');
  CHECK(fettle_cuda_open(nullptr, &cuda, reason, sizeof reason) == FETTLE_INVALID_ARGUMENT);
  CHECK(fettle_cuda_open("x", nullptr, reason, sizeof reason) == FETTLE_INVALID_ARGUMENT);
  fettle_cuda_close(nullptr);
}

}  // namespace

int main() {
  describes_itself();
  tiers_are_nested();
  every_status_has_a_text();
  a_missing_cuda_library_is_refused_with_a_reason();
  return check::finish("library_test");
}
