// DLPack: checks of what others hand over, and tensors for others to take.
#include <cinttypes>
#include <cstddef>
#include <cstdlib>

#include "fettle/fettle.h"
#include "reason.h"

static_assert(sizeof(fettle_dl_tensor) == 48 && offsetof(fettle_dl_tensor, byte_offset) == 40, "DLTensor's layout");
static_assert(sizeof(fettle_dl_managed) == 64, "DLManagedTensor's layout");
static_assert(sizeof(fettle_dl_versioned) == 80 && offsetof(fettle_dl_versioned, tensor) == 32,
              "DLManagedTensorVersioned's layout");
static_assert(sizeof(fettle_dlpack_view) == 96, "fields of eight bytes");

namespace {

// Of DLPack: DLDataTypeCode and DLDeviceType.
enum { typeInt = 0, typeUnsigned = 1, typeFloat = 2, typeBfloat = 4 };
enum { deviceCpu = 1, deviceCuda = 2, deviceCudaHost = 3, deviceCudaManaged = 13 };
constexpr uint32_t majorVersion = 1;

struct Type {
  int64_t dtype;
  uint8_t code;
  uint8_t bits;
};

constexpr Type types[] = {
    {FETTLE_F32, typeFloat, 32}, {FETTLE_BF16, typeBfloat, 16}, {FETTLE_F16, typeFloat, 16}, {FETTLE_F64, typeFloat, 64},
    {FETTLE_U8, typeUnsigned, 8}, {FETTLE_I8, typeInt, 8},       {FETTLE_I32, typeInt, 32},   {FETTLE_I64, typeInt, 64},
};

const Type* typeOf(uint8_t code, uint8_t bits) {
  for (const Type& type : types) {
    if (type.code == code && type.bits == bits) return &type;
  }
  return nullptr;
}

const Type* typeOf(int64_t dtype) {
  for (const Type& type : types) {
    if (type.dtype == dtype) return &type;
  }
  return nullptr;
}

// Says why a call is refused; the status to answer.
struct Refusal {
  char* reason;
  int64_t bytes;

  template <typename... Values>
  int32_t of(const char* format, Values... values) const {
    fettle::explain(reason, bytes, format, values...);
    return FETTLE_INVALID_ARGUMENT;
  }
};

// The number of elements and bytes; FETTLE_INVALID_ARGUMENT where an extent is negative or they do not fit 63 bits.
int32_t measure(const int64_t* shape, int64_t rank, int64_t item, fettle_dlpack_view* view, const Refusal& refuse) {
  view->elements = 1;
  bool empty = false;
  for (int64_t axis = 0; axis < rank; ++axis) {
    if (shape[axis] < 0) return refuse.of("extent %" PRId64 " of axis %" PRId64 ": expected >= 0", shape[axis], axis);
    empty |= shape[axis] == 0;
  }
  for (int64_t axis = 0; axis < rank && !empty; ++axis) {
    if (__builtin_mul_overflow(view->elements, shape[axis], &view->elements)) return refuse.of("more than 2^63 elements");
  }
  if (empty) view->elements = 0;
  if (__builtin_mul_overflow(view->elements, item, &view->bytes)) return refuse.of("more than 2^63 bytes");
  return FETTLE_OK;
}

// Whether the elements lie one behind the other, the last axis fastest. Strides of axes with one element do not matter.
int32_t dense(const fettle_dl_tensor& tensor, int64_t elements, const Refusal& refuse) {
  if (tensor.strides == nullptr || elements == 0) return FETTLE_OK;
  int64_t expected = 1;
  for (int32_t axis = tensor.rank - 1; axis >= 0; --axis) {
    if (tensor.shape[axis] != 1 && tensor.strides[axis] != expected) {
      return refuse.of("stride %" PRId64 " along axis %d: expected %" PRId64 " (dense, row-major), for nothing is copied",
                       tensor.strides[axis], int(axis), expected);
    }
    expected *= tensor.shape[axis];
  }
  return FETTLE_OK;
}

int32_t device(const fettle_dl_tensor& tensor, fettle_dlpack_view* view, const Refusal& refuse) {
  switch (tensor.device_type) {
    case deviceCpu:
    case deviceCudaHost:
      view->device_kind = FETTLE_DEVICE_CPU;
      view->device_index = 0;
      return FETTLE_OK;
    case deviceCuda:
    case deviceCudaManaged:
      view->device_kind = FETTLE_DEVICE_CUDA;
      view->device_index = tensor.device_id;
      return tensor.device_id >= 0 ? FETTLE_OK : refuse.of("device id %d: expected >= 0", int(tensor.device_id));
    default:
      return refuse.of("device type %d: expected 1 (CPU), 2 (CUDA), 3 (pinned) or 13 (managed)", int(tensor.device_type));
  }
}

int32_t look(const fettle_dl_tensor& tensor, fettle_dlpack_view* view, const Refusal& refuse) {
  const Type* type = typeOf(tensor.type_code, tensor.type_bits);
  if (type == nullptr || tensor.type_lanes != 1) {
    return refuse.of("type code %d of %d bits in %d lanes: expected f32, bf16, f16, f64, u8, i8, i32 or i64 in one lane",
                     int(tensor.type_code), int(tensor.type_bits), int(tensor.type_lanes));
  }
  if (tensor.rank < 0) return refuse.of("rank %d: expected >= 0", int(tensor.rank));
  if (tensor.rank > 0 && tensor.shape == nullptr) return refuse.of("no shape: expected %d extents", int(tensor.rank));
  view->dtype = type->dtype;
  view->rank = tensor.rank;
  view->shape = tensor.shape;
  const int64_t item = type->bits / 8;
  int32_t status = device(tensor, view, refuse);
  if (status == FETTLE_OK) status = measure(tensor.shape, tensor.rank, item, view, refuse);
  if (status == FETTLE_OK) status = dense(tensor, view->elements, refuse);
  if (status != FETTLE_OK) return status;
  if (view->elements == 0) {
    view->data = nullptr;
    return FETTLE_OK;
  }
  const uint64_t base = reinterpret_cast<uintptr_t>(tensor.data);
  uint64_t first = 0;
  if (base == 0) return refuse.of("null data: expected memory for %" PRId64 " elements", view->elements);
  if (__builtin_add_overflow(base, tensor.byte_offset, &first) || first > UINT64_MAX - uint64_t(view->bytes)) {
    return refuse.of("byte offset %" PRIu64 ": the tensor would end behind the last address", tensor.byte_offset);
  }
  if (first % uint64_t(item) != 0) {
    return refuse.of("address 0x%" PRIx64 " (byte offset %" PRIu64 "): expected a multiple of %" PRId64, first,
                     tensor.byte_offset, item);
  }
  view->data = reinterpret_cast<void*>(first);
  return FETTLE_OK;
}

// What an offered tensor consists of, in one allocation: this, then the extents, then the strides.
template <typename Managed>
struct Offer {
  Managed managed;
  void* owner;
  fettle_release_function release;

  static void drop(Managed* self) {
    Offer* offer = static_cast<Offer*>(self->context);
    if (offer->release != nullptr) offer->release(offer->owner);
    std::free(offer);
  }

  static Offer* make(const fettle_dlpack_view& view, const Type& type, void* owner, fettle_release_function release) {
    const size_t axes = size_t(view.rank);
    void* memory = std::calloc(1, sizeof(Offer) + 2 * axes * sizeof(int64_t));
    if (memory == nullptr) return nullptr;
    Offer* offer = static_cast<Offer*>(memory);
    int64_t* shape = reinterpret_cast<int64_t*>(offer + 1);
    int64_t* strides = shape + axes;
    int64_t stride = 1;
    for (size_t axis = axes; axis-- > 0;) {
      shape[axis] = view.shape[axis];
      strides[axis] = stride;
      // Without elements the product of the other extents may be any size.
      stride = __builtin_mul_overflow(stride, shape[axis], &stride) || stride == 0 ? 1 : stride;
    }
    fettle_dl_tensor& tensor = offer->managed.tensor;
    tensor.data = view.data;
    tensor.device_type = view.device_kind == FETTLE_DEVICE_CPU ? deviceCpu : deviceCuda;
    tensor.device_id = int32_t(view.device_index);
    tensor.rank = int32_t(view.rank);
    tensor.type_code = type.code;
    tensor.type_bits = type.bits;
    tensor.type_lanes = 1;
    tensor.shape = shape;
    tensor.strides = strides;
    offer->managed.context = offer;
    offer->managed.deleter = drop;
    offer->owner = owner;
    offer->release = release;
    return offer;
  }
};

}  // namespace

int32_t fettle_dlpack_take(void** managed, int32_t versioned, fettle_dlpack_view* view, char* reason,
                           int64_t reason_bytes) {
  const Refusal refuse{reason, reason_bytes};
  if (managed == nullptr || *managed == nullptr) return refuse.of("null: expected a managed tensor");
  if (view == nullptr || view->size != int64_t(sizeof(fettle_dlpack_view))) return refuse.of("a view of another layout");
  if (versioned != 0 && versioned != 1) return refuse.of("versioned is %d: expected 0 or 1", int(versioned));
  fettle_dlpack_view found = {};
  found.size = view->size;
  found.managed = *managed;
  found.versioned = versioned;
  const fettle_dl_tensor* tensor = nullptr;
  if (versioned == 1) {
    const auto* tagged = static_cast<const fettle_dl_versioned*>(*managed);
    if (tagged->major != majorVersion) {
      return refuse.of("DLPack version %u.%u: expected 1.x", unsigned(tagged->major), unsigned(tagged->minor));
    }
    if ((tagged->flags & FETTLE_DL_READ_ONLY) != 0) return refuse.of("read-only tensor: expected a writable one");
    found.copied = (tagged->flags & FETTLE_DL_COPIED) != 0 ? 1 : 0;
    tensor = &tagged->tensor;
  } else {
    tensor = &static_cast<const fettle_dl_managed*>(*managed)->tensor;
  }
  const int32_t status = look(*tensor, &found, refuse);
  if (status != FETTLE_OK) return status;
  *view = found;
  *managed = nullptr;
  return FETTLE_OK;
}

void fettle_dlpack_release(fettle_dlpack_view* view) {
  if (view == nullptr || view->managed == nullptr) return;
  void* managed = view->managed;
  view->managed = nullptr;
  view->data = nullptr;
  view->shape = nullptr;
  fettle_dlpack_delete(managed, int32_t(view->versioned));
}

int32_t fettle_dlpack_offer(const fettle_dlpack_view* view, int32_t versioned, void* owner,
                            fettle_release_function release, void** managed, char* reason, int64_t reason_bytes) {
  const Refusal refuse{reason, reason_bytes};
  if (managed == nullptr) return refuse.of("null: expected a place for the managed tensor");
  *managed = nullptr;
  if (view == nullptr || view->size != int64_t(sizeof(fettle_dlpack_view))) return refuse.of("a view of another layout");
  if (versioned != 0 && versioned != 1) return refuse.of("versioned is %d: expected 0 or 1", int(versioned));
  const Type* type = typeOf(view->dtype);
  if (type == nullptr) {
    return refuse.of("dtype %" PRId64 ": DLPack has no such type; offer the bytes as u8", view->dtype);
  }
  if (view->rank < 0 || view->rank > INT32_MAX) return refuse.of("rank %" PRId64 ": expected 0 to 2^31 - 1", view->rank);
  if (view->rank > 0 && view->shape == nullptr) return refuse.of("no shape: expected %" PRId64 " extents", view->rank);
  if ((view->device_kind != FETTLE_DEVICE_CPU && view->device_kind != FETTLE_DEVICE_CUDA) || view->device_index < 0 ||
      view->device_index > INT32_MAX) {
    return refuse.of("device %" PRId64 ":%" PRId64 ": expected the CPU or a CUDA device", view->device_kind,
                     view->device_index);
  }
  fettle_dlpack_view measured = {};
  const int32_t status = measure(view->shape, view->rank, type->bits / 8, &measured, refuse);
  if (status != FETTLE_OK) return status;
  if (view->data == nullptr && measured.elements > 0) return refuse.of("null data: expected memory");
  if (versioned == 1) {
    auto* offer = Offer<fettle_dl_versioned>::make(*view, *type, owner, release);
    if (offer == nullptr) return FETTLE_OUT_OF_MEMORY;
    offer->managed.major = majorVersion;
    *managed = &offer->managed;
  } else {
    auto* offer = Offer<fettle_dl_managed>::make(*view, *type, owner, release);
    if (offer == nullptr) return FETTLE_OUT_OF_MEMORY;
    *managed = &offer->managed;
  }
  return FETTLE_OK;
}

void fettle_dlpack_delete(void* managed, int32_t versioned) {
  if (managed == nullptr) return;
  if (versioned == 1) {
    auto* tensor = static_cast<fettle_dl_versioned*>(managed);
    if (tensor->deleter != nullptr) tensor->deleter(tensor);
  } else {
    auto* tensor = static_cast<fettle_dl_managed*>(managed);
    if (tensor->deleter != nullptr) tensor->deleter(tensor);
  }
}
