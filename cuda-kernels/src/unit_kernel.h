// A kernel of fettle/kernels.h as the host launches it: shared by calls.cpp and the families' drivers.
#pragma once

#include "core/portable.h"
#include "fettle/fettle.h"

namespace fettle {
namespace FETTLE_TIER {

// A kernel as the host launches it.
struct UnitKernel {
  void (*run)(fettle_call);
  int64_t threadsPerUnit;  // 1, a warp, or a block (mostThreads)
};

}  // namespace FETTLE_TIER
}  // namespace fettle
