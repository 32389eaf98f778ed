// cuSOLVER without a GPU: the calls that Fettle makes, on the host's memory. Jacobi's rotations, Householder's reflections,
// Cholesky's columns; vectors have signs of their own. Work space and what the library leaves undefined are overwritten with
// NaN, so that nobody can rely on them.
#include <stdint.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "failures.h"

struct cusolverDnContext {};
using Handle = cusolverDnContext;

namespace {

constexpr int notInitialized = 1;
constexpr int invalidValue = 3;
constexpr int upper = 1;
constexpr int vectorsToo = 1;
constexpr double undefined = std::numeric_limits<double>::quiet_NaN();

int spaceOf(int n) { return 3 * n + 7; }

// The checks that all calls share, and a work space that is used.
int checked(Handle* handle, int m, int n, const double* a, int lda, double* space, int spaceSize, int* information) {
  if (handle == nullptr) return notInitialized;
  if (m < 0 || n < 0 || lda < std::max(1, m) || a == nullptr || information == nullptr) return invalidValue;
  if (space == nullptr || spaceSize < spaceOf(n)) return invalidValue;
  std::fill(space, space + spaceSize, undefined);
  *information = 0;
  return 0;
}

int sized(Handle* handle, int n, int* size) {
  if (handle == nullptr) return notInitialized;
  if (n < 0 || size == nullptr) return invalidValue;
  *size = spaceOf(n);
  return 0;
}

struct Columns {
  double* values;
  int64_t stride;
  double& operator()(int64_t row, int64_t column) const { return values[column * stride + row]; }
};

// One rotation of the columns p and q, of so many rows.
void rotate(const Columns& x, int rows, int p, int q, double cosine, double sine) {
  for (int i = 0; i < rows; i++) {
    const double first = x(i, p), second = x(i, q);
    x(i, p) = cosine * first - sine * second;
    x(i, q) = sine * first + cosine * second;
  }
}

// Makes the columns of x orthogonal by rotations, which it applies to v too.
void orthogonalise(const Columns& x, int rows, int columns, const Columns& v) {
  for (int sweep = 0; sweep < 60; sweep++) {
    bool turned = false;
    for (int p = 0; p < columns; p++) {
      for (int q = p + 1; q < columns; q++) {
        double pp = 0, qq = 0, pq = 0;
        for (int i = 0; i < rows; i++) {
          pp += x(i, p) * x(i, p);
          qq += x(i, q) * x(i, q);
          pq += x(i, p) * x(i, q);
        }
        if (std::abs(pq) <= 1e-16 * std::sqrt(pp * qq) || pq == 0) continue;
        turned = true;
        const double zeta = (qq - pp) / (2 * pq);
        const double tangent = (zeta < 0 ? -1 : 1) / (std::abs(zeta) + std::hypot(1, zeta));
        const double cosine = 1 / std::hypot(1, tangent);
        rotate(x, rows, p, q, cosine, cosine * tangent);
        rotate(v, columns, p, q, cosine, cosine * tangent);
      }
    }
    if (!turned) return;
  }
}

}  // namespace

extern "C" {

int cusolverDnCreate(Handle** handle) {
  FETTLE_EMULATED_CALL();
  *handle = new Handle;
  return 0;
}

int cusolverDnDestroy(Handle* handle) {
  FETTLE_EMULATED_CALL();
  if (handle == nullptr) return notInitialized;
  delete handle;
  return 0;
}

int cusolverDnDpotrf_bufferSize(Handle* handle, int, int n, double*, int, int* size) {
  FETTLE_EMULATED_CALL();
  return sized(handle, n, size);
}

int cusolverDnDpotrf(Handle* handle, int fill, int n, double* a, int lda, double* space, int spaceSize, int* information) {
  FETTLE_EMULATED_CALL();
  if (const int status = checked(handle, n, n, a, lda, space, spaceSize, information)) return status;
  if (fill != upper) return invalidValue;
  const Columns u{a, lda};
  for (int j = 0; j < n; j++) {
    for (int i = 0; i <= j; i++) {
      double sum = u(i, j);
      for (int k = 0; k < i; k++) sum -= u(k, i) * u(k, j);
      if (i < j) {
        u(i, j) = sum / u(i, i);
      } else if (sum > 0) {
        u(j, j) = std::sqrt(sum);
      } else {
        *information = j + 1;
        return 0;
      }
    }
  }
  return 0;
}

int cusolverDnDpotrs(Handle* handle, int fill, int n, int columns, const double* a, int lda, double* b, int ldb,
                     int* information) {
  FETTLE_EMULATED_CALL();
  if (handle == nullptr) return notInitialized;
  if (fill != upper || n < 0 || columns < 0 || lda < std::max(1, n) || ldb < std::max(1, n)) return invalidValue;
  const Columns u{const_cast<double*>(a), lda}, x{b, ldb};
  for (int c = 0; c < columns; c++) {
    for (int i = 0; i < n; i++) {
      for (int k = 0; k < i; k++) x(i, c) -= u(k, i) * x(k, c);
      x(i, c) /= u(i, i);
    }
    for (int i = n - 1; i >= 0; i--) {
      for (int k = i + 1; k < n; k++) x(i, c) -= u(i, k) * x(k, c);
      x(i, c) /= u(i, i);
    }
  }
  *information = 0;
  return 0;
}

int cusolverDnDsyevd_bufferSize(Handle* handle, int, int, int n, const double*, int, const double*, int* size) {
  FETTLE_EMULATED_CALL();
  return sized(handle, n, size);
}

int cusolverDnDsyevd(Handle* handle, int mode, int fill, int n, double* a, int lda, double* values, double* space,
                     int spaceSize, int* information) {
  FETTLE_EMULATED_CALL();
  if (const int status = checked(handle, n, n, a, lda, space, spaceSize, information)) return status;
  if (fill != upper || mode != vectorsToo || values == nullptr) return invalidValue;
  const Columns x{a, lda};
  for (int j = 0; j < n; j++) {
    for (int i = j + 1; i < n; i++) x(i, j) = x(j, i);
  }
  // Rotations that make the columns of A V orthogonal make A's eigenvectors of V, up to equal squares of eigenvalues: a
  // shift makes all of them positive.
  double shift = 0;
  for (int i = 0; i < n; i++) {
    double sum = 0;
    for (int j = 0; j < n; j++) sum += std::abs(x(i, j));
    shift = std::max(shift, sum);
  }
  std::vector<double> moved(size_t(n) * n), turned(size_t(n) * n, 0.0);
  const Columns y{moved.data(), n}, v{turned.data(), n};
  for (int j = 0; j < n; j++) {
    for (int i = 0; i < n; i++) y(i, j) = x(i, j) + (i == j ? 2 * shift : 0);
    v(j, j) = 1;
  }
  orthogonalise(y, n, n, v);
  std::vector<double> found(n);
  for (int j = 0; j < n; j++) {
    for (int i = 0; i < n; i++) {
      double row = 0;
      for (int k = 0; k < n; k++) row += x(i, k) * v(k, j);
      found[j] += v(i, j) * row;
    }
  }
  std::vector<int> order(n);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int p, int q) { return found[p] < found[q]; });
  for (int j = 0; j < n; j++) {
    values[j] = found[order[j]];
    for (int i = 0; i < n; i++) x(i, j) = (j % 2 == 0 ? 1 : -1) * v(i, order[j]);
  }
  return 0;
}

int cusolverDnDgeqrf_bufferSize(Handle* handle, int m, int n, double*, int, int* size) {
  FETTLE_EMULATED_CALL();
  return sized(handle, std::max(m, n), size);
}

int cusolverDnDgeqrf(Handle* handle, int m, int n, double* a, int lda, double* factors, double* space, int spaceSize,
                     int* information) {
  FETTLE_EMULATED_CALL();
  if (const int status = checked(handle, m, n, a, lda, space, spaceSize, information)) return status;
  if (factors == nullptr) return invalidValue;
  const Columns x{a, lda};
  for (int j = 0; j < std::min(m, n); j++) {
    double rest = 0;
    for (int i = j + 1; i < m; i++) rest += x(i, j) * x(i, j);
    if (rest == 0) {
      factors[j] = 0;
      continue;
    }
    const double head = x(j, j);
    const double length = -std::copysign(std::sqrt(head * head + rest), head);
    factors[j] = (length - head) / length;
    for (int i = j + 1; i < m; i++) x(i, j) /= head - length;
    x(j, j) = length;
    for (int c = j + 1; c < n; c++) {
      double sum = x(j, c);
      for (int i = j + 1; i < m; i++) sum += x(i, j) * x(i, c);
      x(j, c) -= factors[j] * sum;
      for (int i = j + 1; i < m; i++) x(i, c) -= factors[j] * sum * x(i, j);
    }
  }
  return 0;
}

int cusolverDnDorgqr_bufferSize(Handle* handle, int m, int n, int, const double*, int, const double*, int* size) {
  FETTLE_EMULATED_CALL();
  return sized(handle, std::max(m, n), size);
}

int cusolverDnDorgqr(Handle* handle, int m, int n, int k, double* a, int lda, const double* factors, double* space,
                     int spaceSize, int* information) {
  FETTLE_EMULATED_CALL();
  if (const int status = checked(handle, m, n, a, lda, space, spaceSize, information)) return status;
  if (factors == nullptr || k > n || n > m) return invalidValue;
  const Columns x{a, lda};
  std::vector<double> made(size_t(m) * n, 0.0);
  const Columns q{made.data(), m};
  for (int j = 0; j < n; j++) q(j, j) = 1;
  for (int j = k - 1; j >= 0; j--) {
    for (int c = 0; c < n; c++) {
      double sum = q(j, c);
      for (int i = j + 1; i < m; i++) sum += x(i, j) * q(i, c);
      q(j, c) -= factors[j] * sum;
      for (int i = j + 1; i < m; i++) q(i, c) -= factors[j] * sum * x(i, j);
    }
  }
  for (int c = 0; c < n; c++) {
    for (int i = 0; i < m; i++) x(i, c) = q(i, c);
  }
  return 0;
}

int cusolverDnDgesvd_bufferSize(Handle* handle, int m, int n, int* size) {
  FETTLE_EMULATED_CALL();
  return m < n ? invalidValue : sized(handle, m, size);
}

int cusolverDnDgesvd(Handle* handle, signed char left, signed char right, int m, int n, double* a, int lda, double* values,
                     double* u, int ldu, double* vt, int ldvt, double* space, int spaceSize, double*, int* information) {
  FETTLE_EMULATED_CALL();
  if (const int status = checked(handle, m, n, a, lda, space, spaceSize, information)) return status;
  if (left != 'S' || right != 'S' || m < n || ldu < std::max(1, m) || ldvt < std::max(1, n)) return invalidValue;
  if (values == nullptr || u == nullptr || vt == nullptr) return invalidValue;
  std::vector<double> turned(size_t(n) * n, 0.0);
  const Columns x{a, lda}, v{turned.data(), n}, outLeft{u, ldu}, outRight{vt, ldvt};
  for (int j = 0; j < n; j++) v(j, j) = 1;
  orthogonalise(x, m, n, v);
  std::vector<double> found(n);
  for (int j = 0; j < n; j++) {
    for (int i = 0; i < m; i++) found[j] += x(i, j) * x(i, j);
    found[j] = std::sqrt(found[j]);
  }
  std::vector<int> order(n);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int p, int q) { return found[p] > found[q]; });
  for (int j = 0; j < n; j++) {
    const double sign = j % 2 == 0 ? -1 : 1;
    values[j] = found[order[j]];
    for (int i = 0; i < n; i++) outRight(j, i) = sign * v(i, order[j]);
    for (int i = 0; i < m; i++) outLeft(i, j) = values[j] == 0 ? 0 : sign * x(i, order[j]) / values[j];
    // A value of rounding error leaves a direction that is none: any one that is orthogonal to those before will do.
    for (int axis = 0; values[j] <= 1e-14 * values[0] && axis < m; axis++) {
      double length = 0;
      for (int i = 0; i < m; i++) outLeft(i, j) = i == axis;
      for (int pass = 0; pass < 2; pass++) {
        for (int k = 0; k < j; k++) {
          double inner = 0;
          for (int i = 0; i < m; i++) inner += outLeft(i, k) * outLeft(i, j);
          for (int i = 0; i < m; i++) outLeft(i, j) -= inner * outLeft(i, k);
        }
      }
      for (int i = 0; i < m; i++) length += outLeft(i, j) * outLeft(i, j);
      if (length < 0.5 / m) continue;
      for (int i = 0; i < m; i++) outLeft(i, j) /= std::sqrt(length);
      break;
    }
  }
  for (int j = 0; j < n; j++) {
    for (int i = 0; i < m; i++) x(i, j) = undefined;
  }
  return 0;
}
}
