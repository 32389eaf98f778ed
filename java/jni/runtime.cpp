// The little of the C++ runtime that JavaCPP's glue uses. libstdc++'s own would bring its unwinder into the library, and
// with it the need for glibc 2.35.
#include <sched.h>

#include <cstdlib>
#include <new>

// The glue allocates with new (std::nothrow) only.
const std::nothrow_t std::nothrow{};

void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept { return std::malloc(bytes > 0 ? bytes : 1); }
void* operator new[](std::size_t bytes, const std::nothrow_t&) noexcept { return std::malloc(bytes > 0 ? bytes : 1); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

// Initialisation of a static variable inside a function, once among all threads. The ABI fixes byte 0 of the guard
// (initialised); byte 1 is ours (some thread is at it).
extern "C" int __cxa_guard_acquire(char* guard) {
  while (__atomic_load_n(guard, __ATOMIC_ACQUIRE) == 0) {
    if (__atomic_exchange_n(guard + 1, 1, __ATOMIC_ACQ_REL) == 0) {
      if (__atomic_load_n(guard, __ATOMIC_ACQUIRE) == 0) return 1;
      __atomic_store_n(guard + 1, 0, __ATOMIC_RELEASE);
    } else {
      sched_yield();
    }
  }
  return 0;
}

extern "C" void __cxa_guard_release(char* guard) {
  __atomic_store_n(guard, 1, __ATOMIC_RELEASE);
  __atomic_store_n(guard + 1, 0, __ATOMIC_RELEASE);
}
