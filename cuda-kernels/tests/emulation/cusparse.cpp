// As much of libcusparse as Fettle calls, on the host: it answers as cusparse.h says and sums in float, the last term first.
#include <stdint.h>
#include <stdlib.h>

namespace {

constexpr int success = 0, notInitialized = 1, invalidValue = 3, notSupported = 10;

struct Handle {
  int open;
};
struct Sparse {
  int64_t rows, columns, entries;
  const int32_t* pointers;
  const int32_t* indices;
  const float* values;
};
struct Dense {
  int64_t rows, columns, stride;
  float* values;
};

int living = 0;

bool fits(int operation, const Sparse& a, const Dense& b, const Dense& c) {
  const int64_t in = operation == 1 ? a.rows : a.columns;
  const int64_t out = operation == 1 ? a.columns : a.rows;
  return b.rows == in && c.rows == out && b.columns == c.columns;
}

}  // namespace

#define EMULATED extern "C" __attribute__((visibility("default")))

EMULATED int cusparseCreate(void** handle) {
  *handle = new Handle{1};
  living++;
  return success;
}

EMULATED int cusparseDestroy(void* handle) {
  if (handle == nullptr) return notInitialized;
  delete static_cast<Handle*>(handle);
  living--;
  return success;
}

EMULATED int cusparseSetStream(void* handle, void*) { return handle != nullptr ? success : notInitialized; }

EMULATED const char* cusparseGetErrorName(int status) {
  return status == invalidValue ? "CUSPARSE_STATUS_INVALID_VALUE" : "CUSPARSE_STATUS_OTHER";
}

EMULATED int cusparseCreateCsr(void** matrix, int64_t rows, int64_t columns, int64_t entries, void* pointers, void* indices,
                               void* values, int pointerType, int indexType, int base, int valueType) {
  if (rows < 0 || columns < 0 || entries < 0 || pointers == nullptr || (entries > 0 && (indices == nullptr || values == nullptr))) {
    return invalidValue;
  }
  if (pointerType != 2 || indexType != 2 || base != 0 || valueType != 0) return notSupported;
  *matrix = new Sparse{rows, columns, entries, static_cast<int32_t*>(pointers), static_cast<int32_t*>(indices),
                       static_cast<float*>(values)};
  living++;
  return success;
}

EMULATED int cusparseDestroySpMat(const void* matrix) {
  delete static_cast<const Sparse*>(matrix);
  living--;
  return success;
}

EMULATED int cusparseCreateDnMat(void** matrix, int64_t rows, int64_t columns, int64_t stride, void* values, int valueType,
                                 int order) {
  if (rows < 0 || columns < 0 || stride < rows || values == nullptr) return invalidValue;
  if (valueType != 0 || order != 1) return notSupported;
  *matrix = new Dense{rows, columns, stride, static_cast<float*>(values)};
  living++;
  return success;
}

EMULATED int cusparseDestroyDnMat(const void* matrix) {
  delete static_cast<const Dense*>(matrix);
  living--;
  return success;
}

EMULATED int cusparseSpMM_bufferSize(void* handle, int operationA, int operationB, const void*, const void* a, const void* b,
                                     const void*, void* c, int computeType, int algorithm, size_t* bytes) {
  if (handle == nullptr) return notInitialized;
  if (operationA < 0 || operationA > 1 || operationB != 0 || computeType != 0 || algorithm != 0) return notSupported;
  const Sparse& sparse = *static_cast<const Sparse*>(a);
  if (!fits(operationA, sparse, *static_cast<const Dense*>(b), *static_cast<Dense*>(c))) return invalidValue;
  *bytes = 16 + size_t(sparse.entries);
  return success;
}

EMULATED int cusparseSpMM(void* handle, int operationA, int operationB, const void* alpha, const void* a, const void* b,
                          const void* beta, void* c, int computeType, int algorithm, void* buffer) {
  size_t bytes = 0;
  const int status = cusparseSpMM_bufferSize(handle, operationA, operationB, alpha, a, b, beta, c, computeType, algorithm, &bytes);
  if (status != success) return status;
  if (buffer == nullptr) return invalidValue;
  for (size_t i = 0; i < bytes; i++) static_cast<char*>(buffer)[i] = 1;
  const Sparse& sparse = *static_cast<const Sparse*>(a);
  const Dense& left = *static_cast<const Dense*>(b);
  const Dense& result = *static_cast<Dense*>(c);
  const float factor = *static_cast<const float*>(alpha), keep = *static_cast<const float*>(beta);
  for (int64_t k = 0; k < result.columns; k++) {
    for (int64_t i = 0; i < result.rows; i++) result.values[k * result.stride + i] *= keep;
    for (int64_t row = sparse.rows - 1; row >= 0; row--) {
      for (int64_t p = int64_t(sparse.pointers[row + 1]) - 1; p >= sparse.pointers[row]; p--) {
        const int64_t column = sparse.indices[p];
        const int64_t from = operationA == 0 ? column : row, to = operationA == 0 ? row : column;
        result.values[k * result.stride + to] += factor * sparse.values[p] * left.values[k * left.stride + from];
      }
    }
  }
  return success;
}

// What was made and not destroyed.
EMULATED int emulatedCusparseLiving() { return living; }
