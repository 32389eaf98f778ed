// The way to cuSPARSE and back, against an emulation of it: shapes, both products, an empty matrix, refusals, nothing left behind.
// With the argument "bare" it is run where cuSPARSE lacks what is needed.
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <vector>

#include "check.h"
#include "cuda_runtime.h"
#include "kernel_calls.h"

namespace {

using namespace test;

struct Matrix {
  Matrix(Random& random, int64_t height, int64_t width, int percent) : rows(height), columns(width) {
    pointers.push_back(0);
    for (int64_t row = 0; row < rows; row++) {
      for (int64_t column = 0; column < columns; column++) {
        if (!random.chance(percent)) continue;
        places.push_back(int32_t(column));
        values.push_back(float(random.below(2001) - 1000) / 333.0f);
      }
      pointers.push_back(int32_t(places.size()));
    }
  }
  int64_t rows, columns;
  std::vector<int32_t> pointers, places;
  std::vector<float> values;
};

template <class T>
void put(const Memory& to, const std::vector<T>& from) {
  if (!from.empty()) memcpy(to.data(), from.data(), from.size() * sizeof(T));
}

fettle_cuda_csr_product productOf(const Matrix& matrix, int64_t batch, bool transposed) {
  fettle_cuda_csr_product product = {};
  product.size = int64_t(sizeof product);
  product.rows = matrix.rows;
  product.columns = matrix.columns;
  product.entries = int64_t(matrix.values.size());
  product.batch = batch;
  product.transposed = transposed;
  return product;
}

bool run(fettle_cuda_sparse* sparse, const fettle_cuda_csr_product& product) {
  char reason[256] = "";
  const bool done = fettle_cuda_csr_multiply(sparse, &product, nullptr, reason, sizeof reason) == FETTLE_OK;
  if (!done) printf("%s\n", reason);
  return done;
}

void products(fettle_cuda_sparse* sparse) {
  const int64_t shapes[][3] = {{1, 1, 1}, {7, 5, 3}, {33, 64, 17}, {64, 33, 1}, {5, 200, 9}, {4, 4, 0}, {0, 4, 2}, {4, 0, 2}};
  Random random(5);
  for (const auto& shape : shapes) {
    for (const int percent : {0, 10, 60, 100}) {
      for (const bool transposed : {false, true}) {
        const Matrix matrix(random, shape[0], shape[1], percent);
        const int64_t batch = shape[2];
        const int64_t in = transposed ? shape[0] : shape[1], out = transposed ? shape[1] : shape[0];
        Memory pointers(int64_t(matrix.pointers.size()) * 4, 0), places(int64_t(matrix.places.size()) * 4, 0);
        Memory values(int64_t(matrix.values.size()) * 4, 0), x(batch * in * 4, 0), y(batch * out * 4, 0);
        put(pointers, matrix.pointers);
        put(places, matrix.places);
        put(values, matrix.values);
        std::vector<float> left(size_t(batch * in));
        for (float& each : left) each = float(random.below(2001) - 1000) / 777.0f;
        put(x, left);
        memset(y.data(), 0xFF, size_t(batch * out * 4));  // NaN
        fettle_cuda_csr_product product = productOf(matrix, batch, transposed);
        product.row_pointers = pointers.data();
        product.column_indices = places.data();
        product.values = values.data();
        product.x = x.data();
        product.y = y.data();
        CHECK(run(sparse, product));
        std::vector<double> sums(size_t(batch * out)), magnitudes(sums.size());
        for (int64_t b = 0; b < batch; b++) {
          for (int64_t row = 0; row < matrix.rows; row++) {
            for (int32_t p = matrix.pointers[size_t(row)]; p < matrix.pointers[size_t(row) + 1]; p++) {
              const int64_t column = matrix.places[size_t(p)];
              const double term = double(matrix.values[size_t(p)]) * double(left[size_t(b * in + (transposed ? row : column))]);
              sums[size_t(b * out + (transposed ? column : row))] += term;
              magnitudes[size_t(b * out + (transposed ? column : row))] += fabs(term);
            }
          }
        }
        bool right = true;
        for (size_t i = 0; i < sums.size(); i++) {
          float actual;
          memcpy(&actual, y.data() + 4 * i, 4);
          right = right && fabs(double(actual) - sums[i]) <= magnitudes[i] * double(in) * ldexp(1.0, -23);
        }
        CHECK(right);
      }
    }
  }
}

void refusals(fettle_cuda_sparse* sparse) {
  Random random(6);
  const Matrix matrix(random, 3, 4, 100);
  Memory pointers(4 * 4, 0), places(12 * 4, 0), values(12 * 4, 0), x(2 * 4 * 4, 0), y(2 * 3 * 4, 0);
  put(pointers, matrix.pointers);
  put(places, matrix.places);
  fettle_cuda_csr_product product = productOf(matrix, 2, false);
  product.row_pointers = pointers.data();
  product.column_indices = places.data();
  product.values = values.data();
  product.x = x.data();
  product.y = y.data();
  char reason[256] = "";
  CHECK(fettle_cuda_csr_multiply(nullptr, &product, nullptr, reason, sizeof reason) == FETTLE_INVALID_ARGUMENT);
  CHECK(fettle_cuda_csr_multiply(sparse, nullptr, nullptr, reason, sizeof reason) == FETTLE_INVALID_ARGUMENT);
  fettle_cuda_csr_product other = product;
  other.size--;
  CHECK(fettle_cuda_csr_multiply(sparse, &other, nullptr, reason, sizeof reason) == FETTLE_INVALID_ARGUMENT);
  other = product;
  other.batch = -1;
  CHECK(fettle_cuda_csr_multiply(sparse, &other, nullptr, reason, sizeof reason) == FETTLE_INVALID_ARGUMENT);
  other = product;
  other.y = y.data() + 1;
  CHECK(fettle_cuda_csr_multiply(sparse, &other, nullptr, reason, sizeof reason) == FETTLE_INVALID_ARGUMENT);
  CHECK(strstr(reason, "y at ") != nullptr);
  float host = 0;
  other = product;
  other.x = &host;
  CHECK(fettle_cuda_csr_multiply(sparse, &other, nullptr, reason, sizeof reason) == FETTLE_INVALID_ARGUMENT);
  CHECK(strstr(reason, "x at ") != nullptr);
  CHECK(run(sparse, product));
  CHECK(fettle_cuda_sparse_open(0, nullptr, reason, sizeof reason) == FETTLE_INVALID_ARGUMENT);
  CHECK(fettle_cuda_sparse_close(nullptr, reason, sizeof reason) == FETTLE_OK);
}

}  // namespace

int main(int count, char** arguments) {
  char reason[256] = "";
  fettle_cuda_sparse* sparse = nullptr;
  const int32_t status = fettle_cuda_sparse_open(0, &sparse, reason, sizeof reason);
  if (count > 1 && strcmp(arguments[1], "bare") == 0) {
    CHECK(status == FETTLE_UNAVAILABLE && sparse == nullptr);
    CHECK(strstr(reason, "libcusparse.so.12) lacks the function cusparseCreate") != nullptr);
    return check::finish("cuda_cusparse_test bare");
  }
  CHECK(status == FETTLE_OK && sparse != nullptr);
  if (sparse == nullptr) {
    printf("%s\n", reason);
    return check::finish("cuda_cusparse_test");
  }
  products(sparse);
  refusals(sparse);
  void* const library = dlopen("libcusparse.so.12", RTLD_NOW);
  int (*living)() = nullptr;
  *reinterpret_cast<void**>(&living) = library != nullptr ? dlsym(library, "emulatedCusparseLiving") : nullptr;
  CHECK(living != nullptr && living() == 1);  // the handle
  CHECK(fettle_cuda_sparse_close(sparse, reason, sizeof reason) == FETTLE_OK);
  CHECK(living != nullptr && living() == 0);
  CHECK(emulation::allocations() == 0);
  printf("emulated on the host: neither a GPU nor cuSPARSE has run this here\n");
  return check::finish("cuda_cusparse_test");
}
