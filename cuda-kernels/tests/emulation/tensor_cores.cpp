#include "tensor_cores.h"

#include <string.h>

#include <deque>
#include <vector>

#include "cuda_runtime.h"

namespace emulation {

namespace {

constexpr int threads = 1024;

// Where the threads of a block lay their fragments for each other.
struct Fragments {
  uint32_t a[4];
  uint32_t b[2];
};
Fragments fragments[threads];

int byteOf(uint32_t word, int index) { return int8_t(word >> (8 * index)); }

struct Copy {
  void* to;
  const void* from;
  int size;
  bool exists;
};
struct Copies {
  std::vector<Copy> open;
  std::deque<std::vector<Copy>> groups;
};
Copies copies[threads];

}  // namespace

void multiplyAdd(int32_t (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  Fragments* const warp = fragments + threadIdx.x / warpThreads * warpThreads;
  const int lane = int(threadIdx.x % warpThreads);
  memcpy(warp[lane].a, a, sizeof a);
  memcpy(warp[lane].b, b, sizeof b);
  meetWarp();
  for (int i = 0; i < 4; i++) {
    const int row = lane / 4 + (i < 2 ? 0 : 8);
    const int column = lane % 4 * 2 + i % 2;
    uint32_t sum = uint32_t(c[i]);
    for (int k = 0; k < 32; k++) {
      const int group = k % 16 / 4;
      const uint32_t left = warp[row % 8 * 4 + group].a[(row < 8 ? 0 : 1) + (k < 16 ? 0 : 2)];
      const uint32_t right = warp[column * 4 + group].b[k < 16 ? 0 : 1];
      sum += uint32_t(byteOf(left, k % 4) * byteOf(right, k % 4));
    }
    c[i] = int32_t(sum);
  }
  meetWarp();
}

void copyAsync(void* to, const void* from, int size, bool exists) {
  checkAlignment(to, size_t(size));
  if (exists) checkAlignment(from, size_t(size));
  copies[threadIdx.x].open.push_back({to, from, size, exists});
}

void commitCopies() {
  Copies& mine = copies[threadIdx.x];
  mine.groups.push_back(mine.open);
  mine.open.clear();
}

void waitForCopies(int left) {
  Copies& mine = copies[threadIdx.x];
  while (int(mine.groups.size()) > left) {
    for (const Copy& copy : mine.groups.front()) {
      memset(copy.to, 0, size_t(copy.size));
      if (copy.exists) memcpy(copy.to, copy.from, size_t(copy.size));
    }
    mine.groups.pop_front();
  }
}

}  // namespace emulation
