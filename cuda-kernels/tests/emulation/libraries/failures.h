// Failures on demand: FETTLE_EMULATED_STATUS=cublasDgemm_v2=13,cusolverDnDpotrf=6 makes these calls answer 13 and 6.
#pragma once

#include <stdlib.h>
#include <string.h>

namespace emulation {

// The status that a call is to answer; 0 if it is to do its work.
inline int demanded(const char* call) {
  const size_t length = strlen(call);
  for (const char* demand = getenv("FETTLE_EMULATED_STATUS"); demand != nullptr;) {
    if (strncmp(demand, call, length) == 0 && demand[length] == '=') return atoi(demand + length + 1);
    demand = strchr(demand, ',');
    if (demand != nullptr) demand++;
  }
  return 0;
}

}  // namespace emulation

#define FETTLE_EMULATED_CALL() \
  if (const int status_ = emulation::demanded(__func__)) return status_
