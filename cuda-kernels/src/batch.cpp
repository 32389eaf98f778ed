// A batch of primitives on a device, as the host holds it: one launch per primitive, whatever the number of items.
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "core/blocks.h"
#include "core/compensated.h"
#include "device_memory.h"
#include "launcher.h"
#include "primitives.cuh"

namespace fettle {

namespace {

using FETTLE_TIER::BatchTables;
using FETTLE_TIER::ItemSums;
using FETTLE_TIER::Line;
using FETTLE_TIER::PrimitiveKernel;
using FETTLE_TIER::PrimitiveKind;
using FETTLE_TIER::Span;

constexpr int mostPrimitives = 256;

struct PrimitiveLaunch {
  PrimitiveKernel kernel;
  Span lines;
  int64_t units;
  Shape shape;
};

// Where each table lies in the one allocation; the results stand last, so that they come back in one copy.
struct Layout {
  int64_t items, lines, itemSums, labels, imageBytes, sums, rowValues, results, bytes;
};

}  // namespace

}  // namespace fettle

struct fettle_cuda_batch {
  int device;
  int64_t itemCount;
  fettle_item* items;  // the host's copy, with the device's label addresses
  double* results;     // the host's
  char* arena;
  fettle::Layout layout;
  fettle::BatchTables tables;
  int64_t planes;
  int launchCount;
  fettle::PrimitiveLaunch launches[fettle::mostPrimitives];
  fettle::Shape finishShape;
};

namespace fettle {

namespace {

using FETTLE_TIER::primitiveCount;
using FETTLE_TIER::primitiveKernel;

int64_t labelsOf(const fettle_item& item) {
  return item.labels != nullptr && item.row > 0 ? item.elements / item.row : 0;
}

int arraysOf(const fettle_item& item) {
  int count = 0;
  while (count < FETTLE_MAX_ARRAYS && item.array[count].data != nullptr) count++;
  return count;
}

bool isStored(const fettle_item& item) {
  for (int k = 0; k < arraysOf(item); k++) {
    if (FETTLE_TIER::isBlocked(item.array[k]) || FETTLE_TIER::isCompensated(item.array[k])) return true;
  }
  return false;
}

// What stands beside an array of codes, or of bf16 with a compensation. The layout has looked at block sizes.
int32_t checkCompanion(const fettle_operand& array, long long item, int k, int device, Reason reason) {
  const uintptr_t size = FETTLE_TIER::isBlocked(array) ? 4 : 2;
  if (array.scales == nullptr || !reachable(array.scales, device) ||
      reinterpret_cast<uintptr_t>(array.scales) % size != 0) {
    return FETTLE_REFUSE(reason, "item %lld: what stands beside array %d at %p is not aligned memory of device %d",
                         item, k, array.scales, device);
  }
  return FETTLE_OK;
}

int32_t checkItem(const fettle_item& item, int64_t index, int device, Reason reason) {
  const long long number = index;
  if (item.primitive < 0 || item.primitive >= primitiveCount()) {
    return FETTLE_REFUSE(reason, "item %lld: primitive %lld is not in the registry", number,
                         static_cast<long long>(item.primitive));
  }
  const PrimitiveKernel kernel = primitiveKernel(int(item.primitive));
  if (item.elements < 0 || item.units < 0 ||
      (kernel.kind != PrimitiveKind::Elements && item.units > 0 && item.row <= 0) ||
      (kernel.kind == PrimitiveKind::Pixels && item.units > 0 && item.pixels <= 0) ||
      (kernel.labelled && item.labels == nullptr && item.units > 0)) {
    return FETTLE_REFUSE(reason, "item %lld: its extents do not fit, or it lacks labels", number);
  }
  if (item.elements == 0) return FETTLE_OK;
  if (arraysOf(item) == 0) return FETTLE_REFUSE(reason, "item %lld: no arrays", number);
  for (int k = 0; k < arraysOf(item); k++) {
    const fettle_operand& array = item.array[k];
    const bool blocked = FETTLE_TIER::isBlocked(array);
    const bool beside = kernel.runStored != nullptr && (blocked || FETTLE_TIER::isCompensated(array));
    if (beside) {
      const int32_t status = checkCompanion(array, number, k, device, reason);
      if (status != FETTLE_OK) return status;
    } else if (array.dtype != FETTLE_F32 && array.dtype != FETTLE_BF16 && array.dtype != FETTLE_F16) {
      return FETTLE_REFUSE(reason, "item %lld: array %d has dtype %lld, expected f32, bf16 or f16", number, k,
                           static_cast<long long>(array.dtype));
    }
    const uintptr_t size = array.dtype == FETTLE_F32 ? 4 : blocked ? 1 : 2;
    if (!reachable(array.data, device) || reinterpret_cast<uintptr_t>(array.data) % size != 0) {
      return FETTLE_REFUSE(reason, "item %lld: array %d at %p is not aligned memory of device %d", number, k,
                           array.data, device);
    }
  }
  return FETTLE_OK;
}

int32_t checkBatch(const fettle_batch* batch, int device, Reason reason) {
  if (batch == nullptr || batch->size != int64_t(sizeof *batch)) {
    return FETTLE_REFUSE(reason, "batch is null or of another size");
  }
  if (batch->item_count < 0 || (batch->item_count > 0 && batch->items == nullptr) || batch->planes < 0 ||
      batch->planes > FETTLE_MAX_SUMS || batch->unit_count < 0 || batch->sum_count < 0) {
    return FETTLE_REFUSE(reason, "the batch is not laid out");
  }
  for (int64_t i = 0; i < batch->item_count; i++) {
    const int32_t status = checkItem(batch->items[i], i, device, reason);
    if (status != FETTLE_OK) return status;
  }
  return FETTLE_OK;
}

Layout layoutOf(const fettle_batch& batch) {
  Layout layout;
  int64_t at = 0;
  int64_t labels = 0;
  for (int64_t i = 0; i < batch.item_count; i++) labels += labelsOf(batch.items[i]);
  layout.items = place(at, batch.item_count * int64_t(sizeof(fettle_item)));
  layout.lines = place(at, batch.item_count * int64_t(sizeof(Line)));
  layout.itemSums = place(at, batch.item_count * int64_t(sizeof(ItemSums)));
  layout.labels = place(at, labels * int64_t(sizeof(int64_t)));
  layout.imageBytes = at;
  layout.sums = place(at, batch.planes * batch.sum_count * int64_t(sizeof(double)));
  layout.rowValues = place(at, batch.planes > 0 ? batch.unit_count * int64_t(sizeof(double)) : 0);
  layout.results = place(at, batch.item_count * FETTLE_MAX_SUMS * int64_t(sizeof(double)));
  layout.bytes = at > 0 ? at : 1;
  return layout;
}

// Threads of a block: rows that are one chunk need a single warp.
Shape shapeOf(const PrimitiveKernel& kernel, int64_t units, int64_t longestRow, int multiprocessors) {
  constexpr unsigned most = FETTLE_TIER::mostThreads;
  constexpr unsigned warp = FETTLE_TIER::warpThreads;
  constexpr int64_t shortRow = 1024;
  const unsigned threads = kernel.kind == PrimitiveKind::Rows && longestRow <= shortRow ? warp : most;
  const int64_t perBlock = kernel.kind == PrimitiveKind::Elements ? threads / warp : 1;
  return {blocksFor(units, perBlock, multiprocessors * int(most / threads)), threads};
}

// The items of one primitive stand together, those with arrays by blocks for themselves; what has no work is left out.
void fillLines(fettle_cuda_batch& handle, const fettle_batch& batch, Line* lines, ItemSums* sums, int multiprocessors) {
  int64_t at = 0;
  for (int number = 0; number < 2 * primitiveCount(); number++) {
    const int primitive = number / 2;
    const bool stored = number % 2 != 0;
    const PrimitiveKernel kernel = primitiveKernel(primitive);
    const int64_t first = at;
    int64_t units = 0;
    int64_t longestRow = 0;
    for (int64_t i = 0; i < batch.item_count; i++) {
      const fettle_item& item = batch.items[i];
      if (item.primitive != primitive || isStored(item) != stored) continue;
      const bool byRows = kernel.kind == PrimitiveKind::Rows;
      sums[i] = {byRows ? item.first_unit : item.first_sum, item.units, kernel.planes, kernel.maximum ? 1 : 0,
                 byRows ? 1 : 0};
      if (item.units == 0) continue;
      lines[at++] = {units, i};
      units += item.units;
      if (item.row > longestRow) longestRow = item.row;
    }
    if (units == 0) continue;
    PrimitiveLaunch& launch = handle.launches[handle.launchCount++];
    launch = {kernel, {first, at}, units, shapeOf(kernel, units, longestRow, multiprocessors)};
    if (stored) launch.kernel.run = kernel.runStored;
  }
}

// Fills an image of the tables and sends it.
cudaError_t build(fettle_cuda_batch& handle, const fettle_batch& batch, char* image, int multiprocessors) {
  const Layout& layout = handle.layout;
  int64_t* labels = reinterpret_cast<int64_t*>(image + layout.labels);
  const int64_t* deviceLabels = reinterpret_cast<const int64_t*>(handle.arena + layout.labels);
  for (int64_t i = 0; i < batch.item_count; i++) {
    const int64_t count = labelsOf(batch.items[i]);
    handle.items[i] = batch.items[i];
    handle.items[i].labels = count > 0 ? deviceLabels : nullptr;
    if (count > 0) memcpy(labels, batch.items[i].labels, size_t(count) * sizeof(int64_t));
    labels += count;
    deviceLabels += count;
  }
  fillLines(handle, batch, reinterpret_cast<Line*>(image + layout.lines),
            reinterpret_cast<ItemSums*>(image + layout.itemSums), multiprocessors);
  handle.tables = {reinterpret_cast<const fettle_item*>(handle.arena + layout.items),
                   reinterpret_cast<const Line*>(handle.arena + layout.lines),
                   reinterpret_cast<double*>(handle.arena + layout.sums),
                   batch.sum_count,
                   reinterpret_cast<double*>(handle.arena + layout.rowValues),
                   reinterpret_cast<double*>(handle.arena + layout.results)};
  handle.finishShape = {blocksFor(batch.item_count, 1, multiprocessors), FETTLE_TIER::mostThreads};
  if (layout.imageBytes == 0) return cudaSuccess;
  return copyTables(handle.arena, image, layout.imageBytes);
}

void release(fettle_cuda_batch* handle) {
  if (handle->arena != nullptr) (void)cudaFree(handle->arena);
  free(handle->items);
  free(handle->results);
  free(handle);
}

int32_t open(fettle_cuda_batch& handle, const fettle_batch& batch, Reason reason) {
  handle.itemCount = batch.item_count;
  handle.planes = batch.planes;
  handle.layout = layoutOf(batch);
  const size_t items = size_t(batch.item_count) + 1;
  handle.items = static_cast<fettle_item*>(calloc(items, sizeof(fettle_item)));
  handle.results = static_cast<double*>(calloc(items * FETTLE_MAX_SUMS, sizeof(double)));
  char* const image = static_cast<char*>(calloc(1, size_t(handle.layout.imageBytes) + 1));
  int32_t status = FETTLE_OUT_OF_MEMORY;
  int multiprocessors = 1;
  if (handle.items == nullptr || handle.results == nullptr || image == nullptr) {
    explain(reason.text, reason.bytes, "no host memory for the batch's tables");
  } else {
    status = answer(cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, handle.device),
                    "cudaDeviceGetAttribute", reason);
  }
  if (status == FETTLE_OK) {
    void* arena = nullptr;
    status = answer(cudaMalloc(&arena, size_t(handle.layout.bytes)), "cudaMalloc of the batch's tables", reason);
    handle.arena = static_cast<char*>(arena);
  }
  if (status == FETTLE_OK) {
    status = answer(build(handle, batch, image, multiprocessors), "copying the batch's tables", reason);
  }
  free(image);
  return status;
}

cudaError_t copy(void* to, const void* from, int64_t bytes, cudaStream_t stream) {
  return bytes == 0 ? cudaSuccess : cudaMemcpyAsync(to, from, size_t(bytes), cudaMemcpyDefault, stream);
}

int32_t run(fettle_cuda_batch& handle, fettle_batch& batch, cudaStream_t stream, Reason reason) {
  const int64_t count = handle.itemCount;
  for (int64_t i = 0; i < count; i++) {
    memcpy(handle.items[i].factors, batch.items[i].factors, sizeof batch.items[i].factors);
  }
  cudaError_t error =
      copy(handle.arena + handle.layout.items, handle.items, count * int64_t(sizeof(fettle_item)), stream);
  if (error != cudaSuccess) return answer(error, "copying the batch's factors", reason);
  Launcher launcher(stream);
  for (int i = 0; i < handle.launchCount; i++) {
    const PrimitiveLaunch& launch = handle.launches[i];
    launcher.launch("a primitive's kernel", launch.kernel.run, launch.shape, handle.tables, launch.lines, launch.units);
  }
  if (handle.planes > 0) {
    launcher.launch("kernel finishBatch", FETTLE_TIER::finishBatch, handle.finishShape, handle.tables,
                    reinterpret_cast<const ItemSums*>(handle.arena + handle.layout.itemSums), count);
  }
  if (launcher.error != cudaSuccess) return answer(launcher.error, launcher.failed, reason);
  if (handle.planes > 0) {
    error = copy(handle.results, handle.tables.results, count * FETTLE_MAX_SUMS * int64_t(sizeof(double)), stream);
    if (error != cudaSuccess) return answer(error, "copying the batch's sums", reason);
  }
  error = cudaStreamSynchronize(stream);
  if (error != cudaSuccess) return answer(error, "a batch of primitives", reason);
  for (int64_t i = 0; i < count; i++) {
    const int planes = primitiveKernel(int(handle.items[i].primitive)).planes;
    for (int k = 0; k < FETTLE_MAX_SUMS; k++) {
      batch.items[i].sums[k] = k < planes ? handle.results[i * FETTLE_MAX_SUMS + k] : 0.0;
    }
  }
  return FETTLE_OK;
}

}  // namespace

}  // namespace fettle

using fettle::DeviceScope;
using fettle::Reason;

extern "C" {

int32_t fettle_cuda_batch_open(int32_t device, const fettle_batch* batch, fettle_cuda_batch** handle, char* reason,
                               int64_t reason_bytes) {
  const Reason why = {reason, reason_bytes};
  if (handle == nullptr) return FETTLE_REFUSE(why, "handle is null");
  *handle = nullptr;
  static_assert(sizeof(fettle_item) % 8 == 0, "the items stand in one table");
  if (2 * fettle::FETTLE_TIER::primitiveCount() > fettle::mostPrimitives) {
    return FETTLE_REFUSE(why, "more primitives than a batch has launches");
  }
  const DeviceScope scope(device);
  if (scope.error != cudaSuccess) return fettle::answer(scope.error, "cudaSetDevice", why);
  int32_t status = fettle::checkBatch(batch, int(device), why);
  if (status != FETTLE_OK) return status;
  fettle_cuda_batch* opened = static_cast<fettle_cuda_batch*>(calloc(1, sizeof(fettle_cuda_batch)));
  if (opened == nullptr) {
    fettle::explain(reason, reason_bytes, "no host memory for the batch");
    return FETTLE_OUT_OF_MEMORY;
  }
  opened->device = int(device);
  status = fettle::open(*opened, *batch, why);
  if (status != FETTLE_OK) {
    fettle::release(opened);
    return status;
  }
  *handle = opened;
  return FETTLE_OK;
}

int32_t fettle_cuda_batch_run(fettle_cuda_batch* handle, fettle_batch* batch, void* stream, char* reason,
                              int64_t reason_bytes) {
  const Reason why = {reason, reason_bytes};
  if (handle == nullptr || batch == nullptr || batch->size != int64_t(sizeof *batch) ||
      batch->item_count != handle->itemCount) {
    return FETTLE_REFUSE(why, "handle or batch is null, or the batch is not the one that was opened");
  }
  const DeviceScope scope(handle->device);
  if (scope.error != cudaSuccess) return fettle::answer(scope.error, "cudaSetDevice", why);
  return fettle::run(*handle, *batch, static_cast<cudaStream_t>(stream), why);
}

int32_t fettle_cuda_batch_close(fettle_cuda_batch* handle, char* reason, int64_t reason_bytes) {
  if (handle == nullptr) return FETTLE_OK;
  const Reason why = {reason, reason_bytes};
  const DeviceScope scope(handle->device);
  const int32_t status = scope.error != cudaSuccess
                             ? fettle::answer(scope.error, "cudaSetDevice", why)
                             : fettle::answer(cudaDeviceSynchronize(), "cudaDeviceSynchronize", why);
  fettle::release(handle);
  return status;
}
}
