// Zeroed memory for states and tables, straight from the kernel: no allocator's header shifts its alignment.
#include <stdint.h>
#include <sys/mman.h>

#include "fettle/fettle.h"

namespace {

constexpr int64_t pageBytes = 4096;
constexpr int64_t hugePageBytes = int64_t(2) << 20;
constexpr int64_t hugeFrom = int64_t(4) << 20;

bool valid(int64_t bytes, int64_t skew) {
  return bytes > 0 && bytes <= INT64_MAX - 2 * hugePageBytes && skew >= 0 && skew < pageBytes && skew % 64 == 0;
}

// What is mapped for a request: whole pages, and for a large one whole huge pages at a huge page's boundary.
int64_t mappedBytes(int64_t bytes, int64_t skew) {
  const int64_t unit = bytes >= hugeFrom ? hugePageBytes : pageBytes;
  return (bytes + skew + unit - 1) / unit * unit;
}

}  // namespace

extern "C" {

void* fettle_allocate(int64_t bytes, int64_t skew) {
  if (!valid(bytes, skew)) return nullptr;
  const int64_t wanted = mappedBytes(bytes, skew);
  const bool huge = bytes >= hugeFrom;
  const int64_t slack = huge ? hugePageBytes : 0;
  void* mapped = mmap(nullptr, size_t(wanted + slack), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  uintptr_t base = reinterpret_cast<uintptr_t>(mapped);
  if (huge) {
    const uintptr_t aligned = (base + uintptr_t(hugePageBytes) - 1) / uintptr_t(hugePageBytes) * uintptr_t(hugePageBytes);
    const uintptr_t before = aligned - base;
    const uintptr_t behind = uintptr_t(slack) - before;
    if (before != 0) munmap(mapped, before);
    if (behind != 0) munmap(reinterpret_cast<void*>(aligned + uintptr_t(wanted)), behind);
    base = aligned;
    // Only a request: a kernel without huge pages serves ordinary ones.
    madvise(reinterpret_cast<void*>(base), size_t(wanted), MADV_HUGEPAGE);
  }
  return reinterpret_cast<void*>(base + uintptr_t(skew));
}

void fettle_release(void* memory, int64_t bytes, int64_t skew) {
  if (memory == nullptr || !valid(bytes, skew)) return;
  munmap(reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(memory) - uintptr_t(skew)), size_t(mappedBytes(bytes, skew)));
}

}
