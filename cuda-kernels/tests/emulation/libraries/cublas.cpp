// cuBLAS without a GPU: the calls that Fettle makes, on the host's memory, as plain loops with the library's own checks.
#include <stdint.h>

#include <cmath>

#include "failures.h"

struct cublasContext {
  int mathMode = 0;
};
using Handle = cublasContext;

namespace {

constexpr int notInitialized = 1;
constexpr int invalidValue = 7;
constexpr int pedantic = 2;

int64_t atLeastOne(int extent) { return extent > 1 ? extent : 1; }

template <class T>
int product(Handle* handle, int opA, int opB, int m, int n, int k, const T* alpha, const T* a, int lda, const T* b, int ldb,
            const T* beta, T* c, int ldc) {
  if (handle == nullptr) return notInitialized;
  // Fettle promises products as written, so it must have asked for them.
  if (handle->mathMode != pedantic) return invalidValue;
  if (opA < 0 || opA > 1 || opB < 0 || opB > 1 || m < 0 || n < 0 || k < 0) return invalidValue;
  if (lda < atLeastOne(opA == 0 ? m : k) || ldb < atLeastOne(opB == 0 ? k : n) || ldc < atLeastOne(m)) return invalidValue;
  if (m == 0 || n == 0) return 0;
  if (a == nullptr || b == nullptr || c == nullptr || alpha == nullptr || beta == nullptr) return invalidValue;
  for (int64_t j = 0; j < n; j++) {
    for (int64_t i = 0; i < m; i++) {
      T sum = 0;
      for (int64_t p = 0; p < k; p++) {
        sum = std::fma(opA == 0 ? a[p * lda + i] : a[i * lda + p], opB == 0 ? b[j * ldb + p] : b[p * ldb + j], sum);
      }
      T& out = c[j * ldc + i];
      out = *beta == T(0) ? *alpha * sum : std::fma(*beta, out, *alpha * sum);
    }
  }
  return 0;
}

}  // namespace

extern "C" {

int cublasCreate_v2(Handle** handle) {
  FETTLE_EMULATED_CALL();
  *handle = new Handle;
  return 0;
}

int cublasDestroy_v2(Handle* handle) {
  FETTLE_EMULATED_CALL();
  if (handle == nullptr) return notInitialized;
  delete handle;
  return 0;
}

int cublasSetMathMode(Handle* handle, int mode) {
  FETTLE_EMULATED_CALL();
  if (handle == nullptr) return notInitialized;
  handle->mathMode = mode;
  return 0;
}

int cublasSgemm_v2(Handle* handle, int opA, int opB, int m, int n, int k, const float* alpha, const float* a, int lda,
                   const float* b, int ldb, const float* beta, float* c, int ldc) {
  FETTLE_EMULATED_CALL();
  return product(handle, opA, opB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

int cublasDgemm_v2(Handle* handle, int opA, int opB, int m, int n, int k, const double* alpha, const double* a, int lda,
                   const double* b, int ldb, const double* beta, double* c, int ldc) {
  FETTLE_EMULATED_CALL();
  return product(handle, opA, opB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
}
