#include "tensor_cores.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
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

struct SparseFragments {
  uint32_t a[4];
  uint32_t b[4];
  uint32_t codes;
};
SparseFragments sparseFragments[threads];

const void* matrixRows[threads];

double valueOf(bool bf16, uint32_t word, int index) {
  const uint32_t code = word >> (16 * index) & 0xFFFFu;
  const double sign = code & 0x8000u ? -1.0 : 1.0;
  const int bits = bf16 ? 7 : 10;
  const int exponents = (1 << (15 - bits)) - 1;
  const int exponent = int(code >> bits) & exponents;
  const int fraction = int(code) & ((1 << bits) - 1);
  if (exponent == exponents) return fraction != 0 ? double(NAN) : sign * double(INFINITY);
  const int implied = exponent != 0 ? 1 << bits : 0;
  return sign * ldexp(implied + fraction, (exponent != 0 ? exponent : 1) - exponents / 2 - bits);
}

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

// PTX ISA, "Matrix fragments for sparse mma.m16n8k32 with .f16 and .bf16 types": a row of A has 8 quads; register i of thread
// 4 g + t holds what is kept of quad t + 4 (i / 2) of row g + 8 (i % 2). Of the two threads that give codes, the first has
// quads 0 to 3 and the second 4 to 7: of row g in the low half, of row g + 8 in the high one.
void multiplyAddSparse(bool bf16, float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[4], uint32_t codes, int selector) {
  SparseFragments* const warp = sparseFragments + threadIdx.x / warpThreads * warpThreads;
  const int lane = int(threadIdx.x % warpThreads);
  memcpy(warp[lane].a, a, sizeof a);
  memcpy(warp[lane].b, b, sizeof b);
  warp[lane].codes = codes;
  meetWarp();
  for (int i = 0; i < 4; i++) {
    const int row = lane / 4 + (i < 2 ? 0 : 8);
    const int column = lane % 4 * 2 + i % 2;
    double sum = c[i];
    for (int quad = 0; quad < 8; quad++) {
      const uint32_t kept = warp[row % 8 * 4 + quad % 4].a[row / 8 + quad / 4 * 2];
      const uint32_t word = warp[row % 8 * 4 + 2 * selector + quad / 4].codes;
      const uint32_t positions = word >> (row / 8 * 16 + quad % 4 * 4) & 15u;
      if (positions >> 2 <= (positions & 3u)) {
        fprintf(stderr, "positions %u and %u of a quad do not ascend\n", positions & 3u, positions >> 2);
        abort();
      }
      for (int entry = 0; entry < 2; entry++) {
        const int k = quad * 4 + int(positions >> (2 * entry) & 3u);
        const uint32_t right = warp[column * 4 + k % 8 / 2].b[k / 8];
        sum += valueOf(bf16, kept, entry) * valueOf(bf16, right, k % 2);
      }
    }
    c[i] = float(sum);
  }
  meetWarp();
}

void loadMatrices(uint32_t (&to)[4], const void* row) {
  checkAlignment(row, 16);
  const void** const warp = matrixRows + threadIdx.x / warpThreads * warpThreads;
  const int lane = int(threadIdx.x % warpThreads);
  warp[lane] = row;
  meetWarp();
  for (int i = 0; i < 4; i++) {
    memcpy(&to[i], static_cast<const char*>(warp[8 * i + lane / 4]) + lane % 4 * 4, sizeof to[i]);
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
