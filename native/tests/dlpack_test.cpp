// DLPack both ways: what is taken, what is refused and why, and that a deleter is called once.
#include <fettle/fettle.h>

#include <cstring>
#include <thread>

#include "check.h"

namespace {

// A producer of our own, independent of fettle_dlpack_offer.
struct Producer {
  alignas(8) float memory[64] = {};
  int64_t shape[3] = {2, 3, 4};
  int64_t strides[3] = {12, 4, 1};
  int deleted = 0;
  fettle_dl_versioned versioned = {};
  fettle_dl_managed plain = {};

  Producer() {
    fettle_dl_tensor tensor = {};
    tensor.data = memory;
    tensor.device_type = 1;
    tensor.rank = 3;
    tensor.type_code = 2;
    tensor.type_bits = 32;
    tensor.type_lanes = 1;
    tensor.shape = shape;
    tensor.strides = strides;
    versioned.major = 1;
    versioned.minor = 3;
    versioned.context = this;
    versioned.deleter = [](fettle_dl_versioned* self) { ++static_cast<Producer*>(self->context)->deleted; };
    versioned.tensor = tensor;
    plain.context = this;
    plain.deleter = [](fettle_dl_managed* self) { ++static_cast<Producer*>(self->context)->deleted; };
    plain.tensor = tensor;
  }
};

fettle_dlpack_view emptyView() {
  fettle_dlpack_view view = {};
  view.size = sizeof view;
  return view;
}

void takes_a_tensor_and_deletes_it_once() {
  for (int32_t versioned = 0; versioned <= 1; ++versioned) {
    Producer producer;
    void* managed = versioned == 1 ? static_cast<void*>(&producer.versioned) : &producer.plain;
    fettle_dlpack_view view = emptyView();
    CHECK(fettle_dlpack_take(&managed, versioned, &view, nullptr, 0) == FETTLE_OK);
    CHECK(managed == nullptr);
    CHECK(view.data == producer.memory);
    CHECK(view.elements == 24 && view.bytes == 96 && view.rank == 3 && view.shape[2] == 4);
    CHECK(view.dtype == FETTLE_F32 && view.device_kind == FETTLE_DEVICE_CPU && view.copied == 0);
    // Consumed: there is nothing to take a second time.
    fettle_dlpack_view again = emptyView();
    CHECK(fettle_dlpack_take(&managed, versioned, &again, nullptr, 0) == FETTLE_INVALID_ARGUMENT);
    CHECK(producer.deleted == 0);
    fettle_dlpack_release(&view);
    fettle_dlpack_release(&view);
    CHECK(producer.deleted == 1 && view.data == nullptr && view.managed == nullptr);
  }
}

void a_missing_deleter_is_fine() {
  Producer producer;
  producer.plain.deleter = nullptr;
  void* managed = &producer.plain;
  fettle_dlpack_view view = emptyView();
  CHECK(fettle_dlpack_take(&managed, 0, &view, nullptr, 0) == FETTLE_OK);
  fettle_dlpack_release(&view);
  CHECK(producer.deleted == 0);
  fettle_dlpack_release(nullptr);
  fettle_dlpack_delete(nullptr, 1);
}

// Both forms are refused with that word; the tensor stays the caller's and nothing was written.
template <typename Change>
void refused(const char* word, Change change) {
  for (int32_t versioned = 0; versioned <= 1; ++versioned) {
    Producer producer;
    change(producer, versioned == 1 ? producer.versioned.tensor : producer.plain.tensor);
    void* const before = versioned == 1 ? static_cast<void*>(&producer.versioned) : &producer.plain;
    void* managed = before;
    fettle_dlpack_view view = emptyView();
    char reason[256] = "";
    CHECK(fettle_dlpack_take(&managed, versioned, &view, reason, sizeof reason) == FETTLE_INVALID_ARGUMENT);
    CHECK(managed == before && view.managed == nullptr && producer.deleted == 0);
    CHECK(std::strstr(reason, word) != nullptr);
    if (std::strstr(reason, word) == nullptr) std::fprintf(stderr, "  expected '%s', said '%s'\n", word, reason);
  }
}

void refuses_what_it_cannot_view() {
  using Tensor = fettle_dl_tensor;
  refused("stride 1 along axis 1: expected 4", [](Producer& p, Tensor&) { p.strides[1] = 1; });
  refused("stride 2 along axis 2", [](Producer& p, Tensor&) { p.strides[2] = 2; });
  refused("stride 0", [](Producer& p, Tensor&) { p.strides[0] = 0; });
  refused("in 4 lanes", [](Producer&, Tensor& t) { t.type_lanes = 4; });
  refused("type code 6 of 8 bits", [](Producer&, Tensor& t) { t.type_code = 6, t.type_bits = 8; });
  refused("type code 5 of 64", [](Producer&, Tensor& t) { t.type_code = 5, t.type_bits = 64; });
  refused("of 4 bits", [](Producer&, Tensor& t) { t.type_code = 1, t.type_bits = 4; });
  refused("device type 7", [](Producer&, Tensor& t) { t.device_type = 7; });
  refused("device id -1", [](Producer&, Tensor& t) { t.device_type = 2, t.device_id = -1; });
  refused("rank -1", [](Producer&, Tensor& t) { t.rank = -1; });
  refused("no shape", [](Producer&, Tensor& t) { t.shape = nullptr; });
  refused("extent -3 of axis 1", [](Producer& p, Tensor&) { p.shape[1] = -3; });
  refused("2^63 elements", [](Producer& p, Tensor& t) { p.shape[0] = p.shape[1] = INT64_MAX / 2, t.strides = nullptr; });
  refused("2^63 bytes", [](Producer& p, Tensor& t) { p.shape[0] = INT64_MAX / 16, t.strides = nullptr; });
  refused("null data", [](Producer&, Tensor& t) { t.data = nullptr; });
  refused("byte offset 2", [](Producer&, Tensor& t) { t.byte_offset = 2; });
  refused("behind the last address", [](Producer&, Tensor& t) { t.byte_offset = UINT64_MAX - 4; });
}

void refuses_other_versions_and_read_only_memory() {
  Producer producer;
  char reason[128] = "";
  fettle_dlpack_view view = emptyView();
  void* managed = &producer.versioned;
  producer.versioned.major = 2;
  CHECK(fettle_dlpack_take(&managed, 1, &view, reason, sizeof reason) == FETTLE_INVALID_ARGUMENT);
  CHECK(std::strstr(reason, "2.3") != nullptr);
  producer.versioned.major = 1;
  producer.versioned.flags = FETTLE_DL_READ_ONLY;
  CHECK(fettle_dlpack_take(&managed, 1, &view, reason, sizeof reason) == FETTLE_INVALID_ARGUMENT);
  CHECK(std::strstr(reason, "read-only") != nullptr);
  producer.versioned.flags = FETTLE_DL_COPIED;
  CHECK(fettle_dlpack_take(&managed, 1, &view, reason, sizeof reason) == FETTLE_OK);
  CHECK(view.copied == 1);
  fettle_dlpack_release(&view);
  CHECK(producer.deleted == 1);
  managed = &producer.versioned;
  view.size = 8;
  CHECK(fettle_dlpack_take(&managed, 1, &view, nullptr, 0) == FETTLE_INVALID_ARGUMENT);
  view.size = sizeof view;
  CHECK(fettle_dlpack_take(&managed, 2, &view, nullptr, 0) == FETTLE_INVALID_ARGUMENT);
  CHECK(fettle_dlpack_take(nullptr, 1, &view, nullptr, 0) == FETTLE_INVALID_ARGUMENT);
  CHECK(fettle_dlpack_take(&managed, 1, nullptr, nullptr, 0) == FETTLE_INVALID_ARGUMENT);
}

void accepts_every_layout_that_is_dense() {
  Producer producer;
  fettle_dlpack_view view = emptyView();
  fettle_dl_tensor& tensor = producer.plain.tensor;
  const auto takes = [&] {
    void* managed = &producer.plain;
    return fettle_dlpack_take(&managed, 0, &view, nullptr, 0) == FETTLE_OK;
  };
  tensor.byte_offset = 16;
  CHECK(takes() && view.data == producer.memory + 4);
  tensor.byte_offset = 0;
  tensor.strides = nullptr;
  CHECK(takes() && view.elements == 24);
  tensor.strides = producer.strides;
  producer.shape[1] = 1;  // its stride does not matter
  producer.strides[1] = 77;
  producer.strides[0] = 4;
  CHECK(takes() && view.elements == 8);
  producer.shape[2] = 0;  // nor do strides of no elements, or an address
  tensor.data = nullptr;
  CHECK(takes() && view.elements == 0 && view.data == nullptr);
  tensor.data = producer.memory;
  tensor.rank = 0;  // a number
  tensor.shape = nullptr;
  CHECK(takes() && view.elements == 1 && view.bytes == 4);
  tensor.device_type = 3;  // pinned
  CHECK(takes() && view.device_kind == FETTLE_DEVICE_CPU);
  tensor.device_type = 13;
  tensor.device_id = 1;
  CHECK(takes() && view.device_kind == FETTLE_DEVICE_CUDA && view.device_index == 1);
}

void offers_every_type_and_is_told_when_the_taker_is_done() {
  const struct {
    int64_t dtype, bytes;
  } types[] = {{FETTLE_F32, 4}, {FETTLE_BF16, 2}, {FETTLE_F16, 2}, {FETTLE_F64, 8},
               {FETTLE_U8, 1},  {FETTLE_I8, 1},   {FETTLE_I32, 4}, {FETTLE_I64, 8}};
  for (const auto& type : types) {
    for (int32_t versioned = 0; versioned <= 1; ++versioned) {
      alignas(8) char memory[6 * 8];
      const int64_t shape[] = {2, 3};
      int released = 0;
      fettle_dlpack_view offered = emptyView();
      offered.data = memory;
      offered.dtype = type.dtype;
      offered.rank = 2;
      offered.shape = shape;
      void* managed = nullptr;
      CHECK(fettle_dlpack_offer(&offered, versioned, &released, [](void* owner) { ++*static_cast<int*>(owner); }, &managed,
                                nullptr, 0) == FETTLE_OK);
      fettle_dlpack_view taken = emptyView();
      CHECK(fettle_dlpack_take(&managed, versioned, &taken, nullptr, 0) == FETTLE_OK);
      CHECK(taken.data == memory && taken.dtype == type.dtype && taken.bytes == 6 * type.bytes);
      CHECK(taken.rank == 2 && taken.shape[0] == 2 && taken.shape[1] == 3 && taken.shape != shape);
      CHECK(released == 0);
      std::thread other([&] { fettle_dlpack_release(&taken); });
      other.join();
      CHECK(released == 1);
    }
  }
}

void offers_have_strides() {
  const int64_t shape[] = {2, 3, 4};
  alignas(8) float memory[24] = {};
  fettle_dlpack_view offered = emptyView();
  offered.data = memory;
  offered.rank = 3;
  offered.shape = shape;
  void* managed = nullptr;
  CHECK(fettle_dlpack_offer(&offered, 1, nullptr, nullptr, &managed, nullptr, 0) == FETTLE_OK);
  const auto* tensor = static_cast<const fettle_dl_versioned*>(managed);
  CHECK(tensor->major == 1 && tensor->flags == 0);
  CHECK(tensor->tensor.strides[0] == 12 && tensor->tensor.strides[1] == 4 && tensor->tensor.strides[2] == 1);
  CHECK(tensor->tensor.byte_offset == 0 && tensor->tensor.device_type == 1);
  fettle_dlpack_delete(managed, 1);
}

void refuses_what_it_cannot_offer() {
  const int64_t shape[] = {4};
  const int64_t negative[] = {-4};
  float memory[4] = {};
  fettle_dlpack_view good = emptyView();
  good.data = memory;
  good.rank = 1;
  good.shape = shape;
  void* managed = memory;
  char reason[128] = "";
  const auto refuses = [&](const fettle_dlpack_view& view, const char* word) {
    const int32_t status = fettle_dlpack_offer(&view, 1, nullptr, nullptr, &managed, reason, sizeof reason);
    return status == FETTLE_INVALID_ARGUMENT && managed == nullptr && std::strstr(reason, word) != nullptr;
  };
  fettle_dlpack_view bad = good;
  bad.dtype = FETTLE_BIT;
  CHECK(refuses(bad, "u8"));
  bad = good;
  bad.rank = -1;
  CHECK(refuses(bad, "rank -1"));
  bad = good;
  bad.shape = nullptr;
  CHECK(refuses(bad, "no shape"));
  bad = good;
  bad.shape = negative;
  CHECK(refuses(bad, "extent -4"));
  bad = good;
  bad.data = nullptr;
  CHECK(refuses(bad, "null data"));
  bad = good;
  bad.device_kind = 9;
  CHECK(refuses(bad, "device 9"));
  bad = good;
  bad.size = 0;
  CHECK(refuses(bad, "layout"));
  CHECK(fettle_dlpack_offer(&good, 1, nullptr, nullptr, nullptr, reason, sizeof reason) == FETTLE_INVALID_ARGUMENT);
  CHECK(fettle_dlpack_offer(&good, 3, nullptr, nullptr, &managed, reason, sizeof reason) == FETTLE_INVALID_ARGUMENT);
}

}  // namespace

int main() {
  takes_a_tensor_and_deletes_it_once();
  a_missing_deleter_is_fine();
  refuses_what_it_cannot_view();
  refuses_other_versions_and_read_only_memory();
  accepts_every_layout_that_is_dense();
  offers_every_type_and_is_told_when_the_taker_is_done();
  offers_have_strides();
  refuses_what_it_cannot_offer();
  return check::finish("dlpack_test");
}
