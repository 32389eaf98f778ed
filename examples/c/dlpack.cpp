// DLPack without Java, from C++: a step on a tensor that another library offers, and a tensor offered to it.
//   c++ dlpack.cpp $(pkg-config --cflags --libs fettle)
#include <cstdio>
#include <memory>
#include <vector>

#include "adamw.h"

namespace {

int deleted = 0;

// Stands for the other library: a matrix that its managed tensor keeps alive.
struct Matrix {
  std::vector<float> values;
  int64_t shape[2];
  fettle_dl_versioned managed;  // (DLManagedTensorVersioned*) of dlpack/dlpack.h

  static fettle_dl_versioned* offer(int64_t rows, int64_t columns) {
    auto* matrix = new Matrix{std::vector<float>(size_t(rows * columns), 1.0f), {rows, columns}, {}};
    fettle_dl_versioned& managed = matrix->managed;
    managed.major = 1;
    managed.context = matrix;
    managed.deleter = [](fettle_dl_versioned* self) {
      ++deleted;
      delete static_cast<Matrix*>(self->context);
    };
    managed.tensor.data = matrix->values.data();
    managed.tensor.device_type = 1;  // kDLCPU
    managed.tensor.rank = 2;
    managed.tensor.type_code = 2;  // kDLFloat
    managed.tensor.type_bits = 32;
    managed.tensor.type_lanes = 1;
    managed.tensor.shape = matrix->shape;
    return &managed;
  }
};

bool stepOnTaken(int32_t tier) {
  void* managed = Matrix::offer(30, 40);
  const float* values = static_cast<Matrix*>(static_cast<fettle_dl_versioned*>(managed)->context)->values.data();
  fettle_dlpack_view view = {};
  view.size = sizeof view;
  char reason[256] = "";
  if (fettle_dlpack_take(&managed, 1, &view, reason, sizeof reason) != FETTLE_OK) {
    std::fprintf(stderr, "refused: %s\n", reason);
    return false;
  }
  std::vector<float> gradient(size_t(view.elements), 0.5f), m(gradient.size()), v(gradient.size());
  auto optimizer = std::make_unique<adamw>();
  adamw_init(optimizer.get(), view.data, gradient.data(), m.data(), v.data(), view.elements, 0.1, 0.0);
  const bool stepped = fettle_cpu_step(&optimizer->plan, tier) == FETTLE_OK;
  // Adam's first step is lr against the sign of the gradient, in the other library's own memory.
  const bool seen = managed == nullptr && values[0] > 0.89f && values[0] < 0.91f && values[1199] == values[0];
  fettle_dlpack_release(&view);
  fettle_dlpack_release(&view);
  return stepped && seen && deleted == 1;
}

bool offerAndTakeBack() {
  static int released;
  released = 0;
  std::vector<float> values(12);
  const int64_t shape[] = {3, 4};
  fettle_dlpack_view view = {};
  view.size = sizeof view;
  view.data = values.data();
  view.dtype = FETTLE_F32;
  view.rank = 2;
  view.shape = shape;
  void* managed = nullptr;
  if (fettle_dlpack_offer(&view, 0, &released, [](void* owner) { ++*static_cast<int*>(owner); }, &managed, nullptr, 0) !=
      FETTLE_OK) {
    return false;
  }
  // What the other library does with it.
  auto* tensor = static_cast<fettle_dl_managed*>(managed);
  const bool same = tensor->tensor.data == values.data() && tensor->tensor.strides[0] == 4 && released == 0;
  tensor->deleter(tensor);
  return same && released == 1;
}

}  // namespace

int main() {
  const int32_t tier = adamw_tier();
  if (tier == 0) {
    std::fprintf(stderr, "this CPU is older than x86-64-v3\n");
    return 1;
  }
  const bool taken = stepOnTaken(tier);
  const bool offered = offerAndTakeBack();
  std::printf("taken: %s, offered: %s\n", taken ? "a step in the other library's memory" : "FAILED",
              offered ? "released once" : "FAILED");
  return taken && offered ? 0 : 1;
}
