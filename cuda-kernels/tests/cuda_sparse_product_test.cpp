// 2:4 products of 16-bit elements through the emulated sparse tensor cores: exactly on small integers, within their tolerance on
// any values, against a loop over the decompressed matrix; and the words of codes against the plain loops, every bit.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <vector>

#include "check.h"
#include "cuda_runtime.h"
#include "kernel_calls.h"
#include "kernels/sparse/half_products.h"

namespace {

using namespace fettle::FETTLE_TIER;
using namespace test;

enum Values { INTEGERS, NORMAL, SPECIAL };

uint16_t encode(int64_t dtype, float x) { return dtype == FETTLE_BF16 ? Bf16::nearest(x) : F16::nearest(x); }
float decode(int64_t dtype, uint16_t code) { return dtype == FETTLE_BF16 ? Bf16::decode(code) : F16::decode(code); }

float draw(Random& random, Values values) {
  if (values == INTEGERS) return float(random.below(17) - 8);
  if (values == SPECIAL && random.below(60) == 0) {
    return float(random.pick({NAN, INFINITY, -INFINITY, 0.0, -0.0, 3e-6, 60000.0}));
  }
  return float(random.below(20001) - 10000) / 3777.0f;
}

// Positions of a quad, first and second: any pair, or one and the same in the whole matrix.
struct Positions {
  int first, second;
};
Positions positionsOf(Random& random, int pattern) {
  const Positions all[] = {{0, 1}, {0, 2}, {1, 2}, {0, 3}, {1, 3}, {2, 3}};
  return all[pattern < 6 ? pattern : random.below(6)];
}

struct Case {
  int64_t rows, columns, batch;
  int64_t dtype, resultDtype;
  int pattern;  // 0 to 5, or 6 for any
  Values values;
  int64_t skew;  // bytes
};

// A matrix with its operands, and what their product is.
struct Problem {
  Problem(const Case& of, uint64_t seed)
      : what(of),
        kept(of.rows * of.columns, of.skew),
        codes(of.rows * of.columns / 8, of.skew),
        batch(of.batch * of.columns * 2, of.skew) {
    Random random(seed);
    left.resize(size_t(of.rows * of.columns / 2));
    places.resize(left.size());
    for (size_t i = 0; i < left.size(); i += 2) {
      const Positions at = positionsOf(random, of.pattern);
      places[i] = at.first;
      places[i + 1] = at.second;
      const int64_t row = int64_t(2 * i) / of.columns, quad = int64_t(2 * i) % of.columns / 4;
      uint8_t& code = reinterpret_cast<uint8_t*>(codes.data())[row * of.columns / 8 + quad / 2];
      if (quad % 2 == 0) code = 0;
      code = uint8_t(code | (at.first | at.second << 2) << (quad % 2 * 4));
    }
    fill(random, kept, left);
    right.resize(size_t(of.batch * of.columns));
    fill(random, batch, right);
  }

  void fill(Random& random, const Memory& to, std::vector<float>& as) const {
    for (size_t i = 0; i < as.size(); i++) {
      const uint16_t code = encode(what.dtype, draw(random, what.values));
      memcpy(to.data() + 2 * i, &code, 2);
      as[i] = decode(what.dtype, code);
    }
  }

  // In double; `magnitude` gets the sum of the terms' magnitudes.
  double expected(int64_t row, int64_t of, double& magnitude) const {
    double sum = 0;
    magnitude = 0;
    for (int64_t i = 0; i < what.columns / 2; i++) {
      const size_t at = size_t(row * what.columns / 2 + i);
      const double term = double(left[at]) * double(right[size_t(of * what.columns + i / 2 * 4 + places[at])]);
      sum += term;
      magnitude += fabs(term);
    }
    return sum;
  }

  Case what;
  Memory kept, codes, batch;
  std::vector<float> left, right;
  std::vector<int> places;
};

bool near(double actual, double expected, double allowed) {
  if (isnan(expected)) return isnan(actual);
  if (isinf(expected)) return actual == expected;
  return fabs(actual - expected) <= allowed;
}

// Whether every result of `call`, which has run, is right.
bool isRight(const Problem& problem, const Memory& result) {
  const Case& of = problem.what;
  for (int64_t b = 0; b < of.batch; b++) {
    for (int64_t row = 0; row < of.rows; row++) {
      double magnitude = 0;
      const double sum = problem.expected(row, b, magnitude);
      const int64_t at = b * of.rows + row;
      float actual;
      double expected = float(sum);
      double allowed = of.values == INTEGERS ? 0.0 : magnitude * double(of.columns > 32 ? of.columns : 32) * ldexp(1.0, -23);
      if (of.resultDtype == FETTLE_F32) {
        memcpy(&actual, result.data() + 4 * at, 4);
      } else {
        uint16_t code;
        memcpy(&code, result.data() + 2 * at, 2);
        actual = decode(of.dtype, code);
        expected = decode(of.dtype, encode(of.dtype, float(sum)));
        // Neighbours of the format, where the sum lies between two.
        if (of.values != INTEGERS) allowed += fabs(expected) * ldexp(1.0, of.dtype == FETTLE_BF16 ? -7 : -10) + ldexp(1.0, -24);
      }
      if (!near(actual, expected, allowed)) {
        printf("row %lld of %lld, batch %lld of %lld, columns %lld: %a, expected %a\n", static_cast<long long>(row),
               static_cast<long long>(of.rows), static_cast<long long>(b), static_cast<long long>(of.batch),
               static_cast<long long>(of.columns), double(actual), expected);
        return false;
      }
    }
  }
  return true;
}

fettle_call wordsCall(const Problem& problem, const Memory& from, bool cutlass, const Memory& words, const Memory& wrong) {
  const Case& of = problem.what;
  const int64_t groups = unitsOf(of.rows, wordRows);
  fettle_call call = callOf("semi24_words", groups);
  setArray(call, 0, from, FETTLE_U8, of.rows * of.columns / 8);
  setArray(call, 1, words, FETTLE_I32, unitsOf(of.columns, wordColumns) * paddedRows(of.rows));
  setArray(call, 2, wrong, FETTLE_I64, groups);
  call.integer[0] = of.rows;
  call.integer[1] = of.columns;
  call.integer[2] = cutlass;
  return call;
}

fettle_call productCall(const Problem& problem, const Memory& words, const Memory& result) {
  const Case& of = problem.what;
  fettle_call call = callOf("semi24_half_product", unitsOf(of.batch, batchTile) * unitsOf(of.rows, sparseRows));
  setArray(call, 0, problem.kept, of.dtype, of.rows * of.columns / 2);
  setArray(call, 1, words, FETTLE_I32, unitsOf(of.columns, wordColumns) * paddedRows(of.rows));
  setArray(call, 2, problem.batch, of.dtype, of.batch * of.columns);
  setArray(call, 3, result, of.resultDtype, of.batch * of.rows);
  call.integer[0] = of.batch;
  call.integer[1] = of.rows;
  call.integer[2] = of.columns;
  return call;
}

int64_t wordBytes(const Case& of) { return unitsOf(of.columns, wordColumns) * paddedRows(of.rows) * 4; }

void product(const Case& of, uint64_t seed) {
  emulation::shuffle(seed);
  const Problem problem(of, seed);
  const int64_t groups = unitsOf(of.rows, wordRows);
  Memory words[2] = {{wordBytes(of), 0}, {wordBytes(of), 0}};
  Memory wrong[2] = {{groups * 8, 0}, {groups * 8, 0}};
  const int64_t bytes = of.batch * of.rows * (of.resultDtype == FETTLE_F32 ? 4 : 2);
  Memory result[2] = {{bytes, 0}, {bytes, 0}};
  for (int side = 0; side < 2; side++) {
    const fettle_call pack = wordsCall(problem, problem.codes, false, words[side], wrong[side]);
    const fettle_call call = productCall(problem, words[side], result[side]);
    if (side == 0) {
      runPlain<Semi24Words>(pack);
      runPlain<Semi24HalfProduct>(call);
    } else {
      CHECK(runDevice(pack));
      CHECK(runDevice(call));
    }
    CHECK(isRight(problem, result[side]));
  }
  CHECK(words[0].same(words[1]) && wrong[0].same(wrong[1]));
  for (int64_t i = 0; i < groups; i++) CHECK(reinterpret_cast<const int64_t*>(wrong[1].data())[i] == 0);
}

void shapesAndPatterns() {
  const int64_t shapes[][3] = {{1, 8, 1},     {1, 16, 3},    {3, 24, 17},    {16, 32, 8},   {17, 40, 9},   {32, 64, 32},
                               {33, 72, 31},  {64, 104, 33}, {65, 128, 130}, {127, 96, 64}, {128, 256, 1}, {129, 160, 129},
                               {200, 8, 40},  {250, 88, 5},  {5, 1000, 20},  {96, 0, 3},    {130, 64, 257}};
  uint64_t seed = 1;
  for (const auto& shape : shapes) {
    for (const int64_t dtype : {FETTLE_BF16, FETTLE_F16}) {
      for (const Values values : {INTEGERS, NORMAL, SPECIAL}) {
        const int64_t skews[] = {0, 2, 4, 16};
        const Case of = {shape[0], shape[1], shape[2], dtype, seed % 2 == 0 ? int64_t(FETTLE_F32) : dtype, int(seed % 7),
                         values, skews[seed % 4]};
        product(of, seed++);
      }
    }
  }
  // Every pattern by itself.
  for (int pattern = 0; pattern < 6; pattern++) {
    product({40, 64, 24, FETTLE_BF16, FETTLE_F32, pattern, INTEGERS, 0}, seed++);
    product({40, 64, 24, FETTLE_F16, FETTLE_F32, pattern, NORMAL, 0}, seed++);
  }
}

// CUTLASS's order is that of the words: where no row and no column is missing, they are the same bytes.
void wordsAreThoseOfCutlass() {
  const Case of = {96, 64, 4, FETTLE_F16, FETTLE_F32, 6, INTEGERS, 0};
  const Problem problem(of, 11);
  Memory words(wordBytes(of), 0), cutlass(of.rows * of.columns / 8, 0), copied(wordBytes(of), 0), wrong(3 * 8, 0);
  // spec: the 16-bit word (r, c) moves within groups of 32 rows, and across the diagonal of each 2 x 2 words.
  for (int64_t r = 0; r < of.rows; r++) {
    for (int64_t c = 0; c < of.columns / 16; c++) {
      int64_t row = r / 32 * 32 + r % 8 * 4 + r % 32 / 8, column = c;
      if (row % 2 == 0 && column % 2 == 1) {
        row++, column--;
      } else if (row % 2 == 1 && column % 2 == 0) {
        row--, column++;
      }
      memcpy(cutlass.data() + 2 * (column / 2 * 2 * of.rows + 2 * row + column % 2),
             problem.codes.data() + r * of.columns / 8 + 2 * c, 2);
    }
  }
  CHECK(runDevice(wordsCall(problem, problem.codes, false, words, wrong)));
  CHECK(runDevice(wordsCall(problem, cutlass, true, copied, wrong)));
  CHECK(words.same(cutlass) && words.same(copied));
}

// The comparison sees a single wrong position, and the words' kernel one that does not ascend.
void wrongCodesAreSeen() {
  const Case of = {40, 72, 20, FETTLE_BF16, FETTLE_F32, 0, NORMAL, 0};
  const Problem problem(of, 12);
  for (const int at : {0, 37, 148}) {
    Memory words(wordBytes(of), 0), wrong(2 * 8, 0), result(of.batch * of.rows * 4, 0);
    CHECK(runDevice(wordsCall(problem, problem.codes, false, words, wrong)));
    // Positions 0 and 1 become 0 and 3.
    words.data()[at] = char(words.data()[at] ^ 0x08);
    CHECK(runDevice(productCall(problem, words, result)));
    CHECK(!isRight(problem, result));
  }
  Memory bad(of.rows * of.columns / 8, 0), words(wordBytes(of), 0);
  memcpy(bad.data(), problem.codes.data(), size_t(of.rows * of.columns / 8));
  bad.data()[0] = 0x41;                               // 1, 0
  bad.data()[39 * of.columns / 8] = char(0xF4);       // 3, 3, in the second group
  bad.data()[39 * of.columns / 8 + 8] = char(0x00);   // two times 0, 0, in the last columns
  for (const bool device : {false, true}) {
    Memory wrong(2 * 8, 0);
    const fettle_call call = wordsCall(problem, bad, false, words, wrong);
    if (device) {
      CHECK(runDevice(call));
    } else {
      runPlain<Semi24Words>(call);
    }
    const int64_t* const counts = reinterpret_cast<const int64_t*>(wrong.data());
    CHECK(counts[0] == 1 && counts[1] == 3);
  }
}

// Words are moved 16 bytes at a time.
void wordsStartAtMultiplesOf16() {
  const Case of = {3, 8, 2, FETTLE_BF16, FETTLE_F32, 6, NORMAL, 0};
  const Problem problem(of, 13);
  for (const int64_t skew : {0, 4, 8, 16}) {
    Memory words(wordBytes(of), skew), result(of.batch * of.rows * 4, 0), wrong(8, 0);
    CHECK(runDevice(wordsCall(problem, problem.codes, false, words, wrong)));
    const fettle_call call = productCall(problem, words, result);
    char reason[256] = "";
    const int32_t status = fettle_cuda_kernel_run(0, &call, nullptr, reason, sizeof reason);
    CHECK(status == (skew % 16 == 0 ? FETTLE_OK : FETTLE_INVALID_ARGUMENT));
    CHECK(skew % 16 == 0 || strstr(reason, "semi24_half_product: the words of codes") != nullptr);
  }
}

}  // namespace

int main() {
  shapesAndPatterns();
  wordsAreThoseOfCutlass();
  wrongCodesAreSeen();
  wordsStartAtMultiplesOf16();
  CHECK(emulation::allocations() == 0);
  printf("emulated on the host: no GPU has run these kernels here\n");
  return check::finish("cuda_sparse_product_test");
}
