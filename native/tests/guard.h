// Arrays between two pages that nobody may touch: a byte read or written outside ends the test.
#pragma once

#include <fettle/fettle.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <deque>
#include <initializer_list>
#include <vector>

#include "check.h"

namespace guard {

const int64_t formats[] = {FETTLE_F32, FETTLE_BF16, FETTLE_F16};
const int64_t sizes[] = {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 63, 65, 255, 257, 511, 512, 513, 1000, 4095, 4096, 4097};

inline int64_t bytesOf(int64_t dtype, int64_t elements) {
  switch (dtype) {
    case FETTLE_BIT: return (elements + 7) / 8;
    case FETTLE_U8:
    case FETTLE_I8: return elements;
    case FETTLE_I64:
    case FETTLE_F64: return elements * 8;
    case FETTLE_I32: return elements * 4;
    default: return elements * (dtype == FETTLE_F32 ? 4 : 2);
  }
}

// The array is whole pages between two guards, and has its elements at the front or at the back.
class Guarded {
 public:
  explicit Guarded(int64_t largest) {
    page_ = sysconf(_SC_PAGESIZE);
    inside_ = (largest + page_ - 1) / page_ * page_;
    void* all = mmap(nullptr, size_t(inside_ + 2 * page_), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (all == MAP_FAILED) std::abort();
    memory_ = static_cast<char*>(all) + page_;
    if (mprotect(memory_, size_t(inside_), PROT_READ | PROT_WRITE) != 0) std::abort();
  }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;
  ~Guarded() { munmap(memory_ - page_, size_t(inside_ + 2 * page_)); }

  // Room for so many bytes, filled with ordinary values; what is left over holds canaries.
  char* at(int64_t bytes, int64_t dtype, bool atEnd, unsigned seed) {
    std::memset(memory_, canary, size_t(inside_));
    begin_ = memory_ + (atEnd ? inside_ - bytes : 0);
    bytes_ = bytes;
    for (int64_t i = 0; i < bytes; i++) {
      seed = seed * 1664525u + 1013904223u;
      // The bytes that hold signs and exponents get those of numbers around 1.
      const bool top = dtype == FETTLE_F32 ? i % 4 == 3 : dtype != FETTLE_BIT && i % 2 == 1;
      begin_[i] = top ? char(0x3C ^ int(seed >> 24 & 0x80)) : char(seed >> 24);
    }
    return begin_;
  }

  // Whether nothing beside the array was written.
  bool isIntact() const {
    for (const char* byte = memory_; byte < memory_ + inside_; byte++) {
      if ((byte < begin_ || byte >= begin_ + bytes_) && *byte != canary) return false;
    }
    return true;
  }

 private:
  static constexpr char canary = char(0xA5);
  int64_t page_;
  int64_t inside_;
  char* memory_;
  char* begin_ = nullptr;
  int64_t bytes_ = 0;
};

struct Arrays {
  static constexpr int count = 16;
  std::deque<Guarded> array;
  int used = 0;

  Arrays() {
    for (int k = 0; k < count; k++) array.emplace_back(16400);
  }
  void start() { used = 0; }
  fettle_operand next(int64_t dtype, int64_t elements, bool atEnd, int64_t rounding) {
    const int place = used++;
    CHECK(place < count);
    return {array[size_t(place)].at(bytesOf(dtype, elements), dtype, atEnd, unsigned(977 * place + elements)), nullptr,
            dtype, rounding, 0};
  }
  bool areIntact() const {
    for (int k = 0; k < used; k++) {
      if (!array[size_t(k)].isIntact()) return false;
    }
    return true;
  }
};

inline std::vector<int32_t> tiers() {
  std::vector<int32_t> found;
  for (int32_t tier : {FETTLE_CPU_V3, FETTLE_CPU_V4}) {
    if ((fettle_cpu_tiers() & tier) != 0) found.push_back(tier);
  }
  return found;
}

// A call of a kernel on guarded arrays. An F64 array holds bytes of ordinary floats,
// which as doubles are ordinary too.
class Call {
 public:
  Call(Arrays& arrays, const char* id, bool atEnd) : arrays_(arrays), atEnd_(atEnd) {
    arrays.start();
    call_.size = int64_t(sizeof call_);
    while (fettle_kernel_id(int32_t(call_.kernel)) != nullptr &&
           strcmp(fettle_kernel_id(int32_t(call_.kernel)), id) != 0) {
      call_.kernel++;
    }
    CHECK(fettle_kernel_id(int32_t(call_.kernel)) != nullptr);
  }
  char* array(int64_t dtype, int64_t elements) {
    const fettle_operand operand = arrays_.next(dtype, elements, atEnd_, FETTLE_NEAREST);
    call_.array[slot_] = operand.data;
    call_.dtype[slot_] = dtype;
    call_.elements[slot_++] = elements;
    return static_cast<char*>(operand.data);
  }
  void none() { slot_++; }
  void integers(std::initializer_list<int64_t> values) {
    int k = 0;
    for (int64_t value : values) call_.integer[k++] = value;
  }
  void numbers(std::initializer_list<double> values) {
    int k = 0;
    for (double value : values) call_.number[k++] = value;
  }
  void run(int64_t units, int32_t tier, int64_t rangeUnits = 1) {
    call_.units = units;
    call_.range_units = rangeUnits;
    CHECK(fettle_cpu_call(&call_, tier) == FETTLE_OK);
    CHECK(arrays_.areIntact());
  }

 private:
  Arrays& arrays_;
  bool atEnd_;
  int slot_ = 0;
  fettle_call call_ = {};
};

inline int64_t units(int64_t elements, int64_t size) { return (elements + size - 1) / size; }

// Every tier, size and end of the arrays: run(arrays, size, atEnd, tier).
template <class Run>
void everywhere(Run run) {
  Arrays arrays;
  for (int32_t tier : tiers()) {
    for (int64_t size : sizes) {
      for (bool atEnd : {false, true}) run(arrays, size, atEnd, tier);
    }
  }
}

}  // namespace guard
