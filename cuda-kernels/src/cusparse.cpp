// Products by NVIDIA's cuSPARSE, for who prefers its speed to Fettle's order of sums. The library is opened when it is asked for:
// its JavaCPP preset leaves out the product and its matrices (cusparseSpMM, cusparseCreateCsr, ...), and a toolkit
// without it must not keep Fettle's own kernels from loading.
#include "answer.h"
#include "device_memory.h"

#include <dlfcn.h>
#include <stdlib.h>

namespace fettle {
namespace {

constexpr const char* libraryName = "libcusparse.so.12";

// Of cusparse.h and library_types.h; part of their ABI.
constexpr int success = 0;
constexpr int operationPlain = 0;
constexpr int operationTranspose = 1;
constexpr int indices32 = 2;
constexpr int baseZero = 0;
constexpr int float32 = 0;
constexpr int orderByColumns = 1;
constexpr int algorithmDefault = 0;

// What is used of the library.
struct Functions {
  int (*create)(void** handle);
  int (*destroy)(void* handle);
  int (*setStream)(void* handle, cudaStream_t stream);
  const char* (*errorName)(int status);
  int (*createCsr)(void** matrix, int64_t rows, int64_t columns, int64_t entries, void* pointers, void* indices, void* values,
                   int pointerType, int indexType, int base, int valueType);
  int (*destroySparse)(const void* matrix);
  int (*createDense)(void** matrix, int64_t rows, int64_t columns, int64_t stride, void* values, int valueType, int order);
  int (*destroyDense)(const void* matrix);
  int (*bufferSize)(void* handle, int operationA, int operationB, const void* alpha, const void* a, const void* b,
                    const void* beta, void* c, int computeType, int algorithm, size_t* bytes);
  int (*multiply)(void* handle, int operationA, int operationB, const void* alpha, const void* a, const void* b,
                  const void* beta, void* c, int computeType, int algorithm, void* buffer);
};

template <class Function>
bool find(void* library, const char* name, Function* function, Reason reason) {
  *function = reinterpret_cast<Function>(dlsym(library, name));
  if (*function != nullptr) return true;
  explain(reason.text, reason.bytes, "cuSPARSE (%s) lacks the function %s", libraryName, name);
  return false;
}

bool findAll(void* library, Functions& all, Reason reason) {
  return find(library, "cusparseCreate", &all.create, reason) && find(library, "cusparseDestroy", &all.destroy, reason) &&
         find(library, "cusparseSetStream", &all.setStream, reason) &&
         find(library, "cusparseGetErrorName", &all.errorName, reason) &&
         find(library, "cusparseCreateCsr", &all.createCsr, reason) &&
         find(library, "cusparseDestroySpMat", &all.destroySparse, reason) &&
         find(library, "cusparseCreateDnMat", &all.createDense, reason) &&
         find(library, "cusparseDestroyDnMat", &all.destroyDense, reason) &&
         find(library, "cusparseSpMM_bufferSize", &all.bufferSize, reason) &&
         find(library, "cusparseSpMM", &all.multiply, reason);
}

}  // namespace
}  // namespace fettle

struct fettle_cuda_sparse {
  int device;
  void* library;
  fettle::Functions functions;
  void* handle;
  void* buffer;  // grows as products need it
  size_t bufferBytes;
};

namespace fettle {
namespace {

// A product's three matrices as cuSPARSE names them; gives back what it made.
class Operands {
 public:
  explicit Operands(const Functions& all) : functions(all) {}
  ~Operands() {
    if (sparse != nullptr) (void)functions.destroySparse(sparse);
    if (left != nullptr) (void)functions.destroyDense(left);
    if (result != nullptr) (void)functions.destroyDense(result);
  }
  Operands(const Operands&) = delete;
  Operands& operator=(const Operands&) = delete;

  // A batch by rows is a matrix by columns, one column per row of the batch.
  int make(const fettle_cuda_csr_product& of) {
    const int64_t in = of.transposed != 0 ? of.rows : of.columns;
    const int64_t out = of.transposed != 0 ? of.columns : of.rows;
    int status = functions.createCsr(&sparse, of.rows, of.columns, of.entries, of.row_pointers, of.column_indices, of.values,
                                     indices32, indices32, baseZero, float32);
    if (status == success) status = functions.createDense(&left, in, of.batch, in, of.x, float32, orderByColumns);
    if (status == success) status = functions.createDense(&result, out, of.batch, out, of.y, float32, orderByColumns);
    return status;
  }

  void* sparse = nullptr;
  void* left = nullptr;
  void* result = nullptr;

 private:
  const Functions& functions;
};

int32_t answerSparse(const fettle_cuda_sparse& sparse, int status, const char* call, Reason reason) {
  if (status == success) return FETTLE_OK;
  explain(reason.text, reason.bytes, "%s: %s", call, sparse.functions.errorName(status));
  return FETTLE_CUDA_ERROR;
}

int32_t checkProduct(const fettle_cuda_sparse& sparse, const fettle_cuda_csr_product* of, Reason reason) {
  if (of == nullptr || of->size != int64_t(sizeof *of)) {
    return FETTLE_REFUSE(reason, "the product is null or of another size");
  }
  if (of->rows < 0 || of->columns < 0 || of->entries < 0 || of->batch < 0) {
    return FETTLE_REFUSE(reason, "rows, columns, entries or batch is negative");
  }
  const int64_t in = of->transposed != 0 ? of->rows : of->columns;
  const int64_t out = of->transposed != 0 ? of->columns : of->rows;
  const struct {
    const char* name;
    const void* at;
    bool used;
  } arrays[] = {{"row pointers", of->row_pointers, true},
                {"column indices", of->column_indices, of->entries > 0},
                {"values", of->values, of->entries > 0},
                {"x", of->x, in > 0 && of->batch > 0},
                {"y", of->y, out > 0 && of->batch > 0}};
  for (const auto& array : arrays) {
    if (!array.used) continue;
    if (array.at == nullptr || reinterpret_cast<uintptr_t>(array.at) % 4 != 0 || !reachable(array.at, sparse.device)) {
      return FETTLE_REFUSE(reason, "%s at %p is not aligned memory of device %d", array.name, array.at, sparse.device);
    }
  }
  return FETTLE_OK;
}

cudaError_t grow(fettle_cuda_sparse& sparse, size_t bytes) {
  if (bytes <= sparse.bufferBytes) return cudaSuccess;
  cudaError_t error = cudaFree(sparse.buffer);
  sparse.buffer = nullptr;
  sparse.bufferBytes = 0;
  if (error == cudaSuccess) error = cudaMalloc(&sparse.buffer, bytes);
  if (error == cudaSuccess) sparse.bufferBytes = bytes;
  return error;
}

int32_t multiply(fettle_cuda_sparse& sparse, const fettle_cuda_csr_product& of, cudaStream_t stream, Reason reason) {
  const Functions& functions = sparse.functions;
  Operands operands(functions);
  int status = operands.make(of);
  if (status != success) return answerSparse(sparse, status, "cuSPARSE's matrices", reason);
  status = functions.setStream(sparse.handle, stream);
  if (status != success) return answerSparse(sparse, status, "cusparseSetStream", reason);
  const float one = 1.0f, zero = 0.0f;
  const int operation = of.transposed != 0 ? operationTranspose : operationPlain;
  size_t bytes = 0;
  status = functions.bufferSize(sparse.handle, operation, operationPlain, &one, operands.sparse, operands.left, &zero,
                                operands.result, float32, algorithmDefault, &bytes);
  if (status != success) return answerSparse(sparse, status, "cusparseSpMM_bufferSize", reason);
  const cudaError_t error = grow(sparse, bytes);
  if (error != cudaSuccess) return answer(error, "cuSPARSE's scratch", reason);
  status = functions.multiply(sparse.handle, operation, operationPlain, &one, operands.sparse, operands.left, &zero,
                              operands.result, float32, algorithmDefault, sparse.buffer);
  return answerSparse(sparse, status, "cusparseSpMM", reason);
}

}  // namespace
}  // namespace fettle

using fettle::DeviceScope;
using fettle::Reason;

extern "C" {

int32_t fettle_cuda_sparse_open(int32_t device, fettle_cuda_sparse** handle, char* reason, int64_t reason_bytes) {
  const Reason why = {reason, reason_bytes};
  if (handle == nullptr) return FETTLE_REFUSE(why, "handle is null");
  *handle = nullptr;
  const DeviceScope scope(device);
  if (scope.error != cudaSuccess) return fettle::answer(scope.error, "cudaSetDevice", why);
  void* const library = dlopen(fettle::libraryName, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* const text = dlerror();
    fettle::explain(reason, reason_bytes, "no cuSPARSE: %s", text != nullptr ? text : "unknown loader error");
    return FETTLE_UNAVAILABLE;
  }
  fettle_cuda_sparse* const opened = static_cast<fettle_cuda_sparse*>(calloc(1, sizeof(fettle_cuda_sparse)));
  if (opened == nullptr) {
    (void)dlclose(library);
    fettle::explain(reason, reason_bytes, "out of memory");
    return FETTLE_OUT_OF_MEMORY;
  }
  opened->device = int(device);
  opened->library = library;
  int32_t status = fettle::findAll(library, opened->functions, why) ? FETTLE_OK : FETTLE_UNAVAILABLE;
  if (status == FETTLE_OK) {
    status = fettle::answerSparse(*opened, opened->functions.create(&opened->handle), "cusparseCreate", why);
  }
  if (status != FETTLE_OK) {
    free(opened);
    (void)dlclose(library);
    return status;
  }
  *handle = opened;
  return FETTLE_OK;
}

int32_t fettle_cuda_sparse_close(fettle_cuda_sparse* handle, char* reason, int64_t reason_bytes) {
  if (handle == nullptr) return FETTLE_OK;
  const Reason why = {reason, reason_bytes};
  const DeviceScope scope(handle->device);
  if (scope.error != cudaSuccess) return fettle::answer(scope.error, "cudaSetDevice", why);
  // cudaFree waits for the device.
  const cudaError_t error = cudaFree(handle->buffer);
  const int32_t destroyed = fettle::answerSparse(*handle, handle->functions.destroy(handle->handle), "cusparseDestroy", why);
  const int32_t freed = fettle::answer(error, "cudaFree", why);
  (void)dlclose(handle->library);
  free(handle);
  return destroyed != FETTLE_OK ? destroyed : freed;
}

int32_t fettle_cuda_csr_multiply(fettle_cuda_sparse* handle, const fettle_cuda_csr_product* product, void* stream, char* reason,
                                 int64_t reason_bytes) {
  const Reason why = {reason, reason_bytes};
  if (handle == nullptr) return FETTLE_REFUSE(why, "handle is null");
  const DeviceScope scope(handle->device);
  if (scope.error != cudaSuccess) return fettle::answer(scope.error, "cudaSetDevice", why);
  const int32_t status = fettle::checkProduct(*handle, product, why);
  if (status != FETTLE_OK) return status;
  const int64_t out = product->transposed != 0 ? product->columns : product->rows;
  if (out == 0 || product->batch == 0) return FETTLE_OK;
  // No result depends on what stood in y: a product without entries is zeros, and a factor of 0 keeps no NaN.
  const cudaStream_t on = static_cast<cudaStream_t>(stream);
  const cudaError_t error = cudaMemsetAsync(product->y, 0, size_t(out * product->batch) * sizeof(float), on);
  if (error != cudaSuccess) return fettle::answer(error, "cudaMemsetAsync", why);
  if (product->entries == 0) return FETTLE_OK;
  return fettle::multiply(*handle, *product, on, why);
}
}
