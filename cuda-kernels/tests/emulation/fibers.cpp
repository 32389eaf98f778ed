#include "fibers.h"

#include <stdio.h>
#include <stdlib.h>

#include <memory>
#include <vector>

#include "cuda_runtime.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#define FETTLE_FIBERS_ANNOTATED 1
#endif

// Saves what the ABI keeps over a call, changes the stack, restores. A system call as in swapcontext would cost a
// hundred times as much, and a chunk's sum takes a thousand changes.
asm(R"(
.text
.globl fettle_switch_stack
.hidden fettle_switch_stack
.type fettle_switch_stack, @function
fettle_switch_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size fettle_switch_stack, .-fettle_switch_stack
.section .note.GNU-stack,"",@progbits
.text
)");

extern "C" void fettle_switch_stack(void** save, void* resume);

dim3 blockIdx, threadIdx, gridDim, blockDim;

namespace emulation {

uint64_t exchange[1024];

namespace {

// A device gives a thread up to 512 KiB of local memory; only what is touched is taken.
constexpr size_t stackBytes = 512 * 1024;

struct Barrier {
  unsigned members = 0;
  unsigned waiting = 0;
  uint64_t generation = 0;

  void open() {
    waiting = 0;
    generation++;
  }
};

struct Free {
  void operator()(char* memory) const { free(memory); }
};

struct Fiber {
  void* stackPointer = nullptr;
  std::unique_ptr<char, Free> stack;
  void* fakeStack = nullptr;
  unsigned thread = 0;
  bool ended = true;
  const Barrier* waitsAt = nullptr;
  uint64_t waitsFor = 0;  // the generation that it waits to see pass
};

std::vector<Fiber> fibers;
Fiber* running = nullptr;
const std::function<void()>* body = nullptr;
void* schedulerStack = nullptr;
#if defined(FETTLE_FIBERS_ANNOTATED)
void* schedulerFake = nullptr;
const void* schedulerBottom = nullptr;
size_t schedulerBytes = 0;
#endif
Barrier block;
Barrier warps[32];

void toScheduler(bool ending) {
#if defined(FETTLE_FIBERS_ANNOTATED)
  __sanitizer_start_switch_fiber(ending ? nullptr : &running->fakeStack, schedulerBottom, schedulerBytes);
#endif
  (void)ending;
  Fiber* self = running;
  fettle_switch_stack(&self->stackPointer, schedulerStack);
#if defined(FETTLE_FIBERS_ANNOTATED)
  __sanitizer_finish_switch_fiber(self->fakeStack, &schedulerBottom, &schedulerBytes);
#endif
}

void leave(Barrier& barrier) {
  barrier.members--;
  if (barrier.members > 0 && barrier.waiting == barrier.members) barrier.open();
}

void fiberMain() {
#if defined(FETTLE_FIBERS_ANNOTATED)
  __sanitizer_finish_switch_fiber(nullptr, &schedulerBottom, &schedulerBytes);
#endif
  (*body)();
  running->ended = true;
  leave(block);
  leave(warps[running->thread / warpThreads]);
  toScheduler(true);
  abort();
}

void meet(Barrier& barrier) {
  if (++barrier.waiting == barrier.members) {
    barrier.open();
    return;
  }
  running->waitsAt = &barrier;
  running->waitsFor = barrier.generation;
  toScheduler(false);
}

bool ready(const Fiber& fiber) {
  return !fiber.ended && (fiber.waitsAt == nullptr || fiber.waitsAt->generation != fiber.waitsFor);
}

void resume(Fiber& fiber) {
  running = &fiber;
  fiber.waitsAt = nullptr;
  threadIdx.x = fiber.thread;
#if defined(FETTLE_FIBERS_ANNOTATED)
  __sanitizer_start_switch_fiber(&schedulerFake, fiber.stack.get(), stackBytes);
#endif
  fettle_switch_stack(&schedulerStack, fiber.stackPointer);
#if defined(FETTLE_FIBERS_ANNOTATED)
  __sanitizer_finish_switch_fiber(schedulerFake, nullptr, nullptr);
#endif
}

// A fresh stack: six saved registers, then where to go, then a return address that is never used, so that the
// function starts with the alignment that the ABI promises it.
void prepareStack(Fiber& fiber) {
  if (fiber.stack == nullptr) fiber.stack.reset(static_cast<char*>(aligned_alloc(64, stackBytes)));
  void** top = reinterpret_cast<void**>(fiber.stack.get() + stackBytes);
  *--top = nullptr;
  *--top = reinterpret_cast<void*>(fiberMain);
  for (int i = 0; i < 6; i++) *--top = nullptr;
  fiber.stackPointer = top;
}

}  // namespace

void meetBlock() { meet(block); }
void meetWarp() { meet(warps[running->thread / warpThreads]); }

void checkAlignment(const void* address, size_t bytes) {
  if (reinterpret_cast<uintptr_t>(address) % bytes == 0) return;
  fprintf(stderr, "emulation: an access of %zu bytes at %p: a device would trap it\n", bytes, address);
  abort();
}

uint64_t draw(uint64_t& state) {
  state += 0x9E3779B97F4A7C15u;
  uint64_t z = state;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

void runBlock(unsigned threads, const std::function<void()>& thread, uint64_t& random) {
  if (fibers.size() < threads) fibers.resize(threads);
  body = &thread;
  block = {threads, 0, 0};
  for (Barrier& warp : warps) warp = {};
  for (unsigned i = 0; i < threads; i++) {
    Fiber& fiber = fibers[i];
    prepareStack(fiber);
    fiber.thread = i;
    fiber.ended = false;
    fiber.waitsAt = nullptr;
    warps[i / warpThreads].members++;
  }
  unsigned left = threads;
  while (left > 0) {
    // Every round starts elsewhere and goes either way, so that no order is relied upon.
    const unsigned start = unsigned(draw(random) % threads);
    const bool forward = (draw(random) & 1) != 0;
    bool moved = false;
    for (unsigned i = 0; i < threads; i++) {
      Fiber& fiber = fibers[(forward ? start + i : start + threads - i) % threads];
      if (!ready(fiber)) continue;
      moved = true;
      resume(fiber);
      if (fiber.ended) left--;
    }
    if (!moved) {
      fprintf(stderr, "emulation: %u threads of a block wait at barriers that can never open\n", left);
      abort();
    }
  }
}

}  // namespace emulation
