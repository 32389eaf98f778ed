package org.fettle.internal;

import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.bytedeco.javacpp.Loader;
import org.fettle.Tensor;

/**
 * NVIDIA's cuSPARSE on a device, opened when it is first asked for and kept, as the CUDA library
 * is. The library is what the system's loader finds as libcusparse.so.12, or what the CUDA preset
 * brings along; the product itself is called by Fettle's CUDA library, because the preset leaves it
 * out.
 */
public final class CudaSparse {
  // struct fettle_cuda_csr_product: eleven 64-bit fields.
  private static final int PRODUCT_BYTES = 11 * Long.BYTES;

  private static final Map<Integer, CudaSparse> OPENED = new ConcurrentHashMap<>();

  private final int device;
  private final long handle;

  private CudaSparse(int device, long handle) {
    this.device = device;
    this.handle = handle;
  }

  /**
   * That of an engine's device.
   *
   * @throws IllegalArgumentException for another engine than one of CUDA
   * @throws IllegalStateException if the library is missing; the message says what to add
   */
  public static CudaSparse of(Engine engine) {
    if (!(engine instanceof CudaEngine)) {
      throw new IllegalArgumentException(
          "library is CUSPARSE on backend " + engine.name() + ": expected backend cuda");
    }
    return OPENED.computeIfAbsent(engine.device().index(), CudaSparse::open);
  }

  private static CudaSparse open(int device) {
    String preset = Preset.MISSING;
    try (CudaCall call = new CudaCall(0)) {
      call.check(
          Native.cudaSparseOpen(
              CudaLibrary.handle(),
              device,
              call.at(CudaCall.OUT),
              call.reason(),
              CudaCall.REASON_BYTES),
          "products by cuSPARSE need libcusparse.so.12 of a CUDA 13 toolkit where the loader finds"
              + " it (LD_LIBRARY_PATH), or org.bytedeco:cuda with its jars linux-x86_64 and"
              + " linux-x86_64-redist-cusparse on the class path"
              + (preset == null ? "" : " (the preset: " + preset + ")"));
      return new CudaSparse(device, call.out());
    }
  }

  /**
   * What the preset found, asked once: a second attempt to load would no longer say why. What it
   * has loaded, the library's own loader finds by its name.
   */
  private static final class Preset {
    static final String MISSING = missing();

    private Preset() {}

    private static String missing() {
      try {
        Loader.load(org.bytedeco.cuda.global.cusparse.class);
        return null;
      } catch (LinkageError e) {
        return e.toString();
      }
    }
  }

  /**
   * {@code y = x W^T}, or {@code y = x W} where it is transposed, W in compressed rows; waits.
   * Whoever calls has checked shapes and formats.
   */
  public synchronized void multiply(
      long rows,
      long columns,
      boolean transposed,
      Tensor rowPointers,
      Tensor columnIndices,
      Tensor values,
      Tensor x,
      Tensor y) {
    try (CudaCall call = new CudaCall(PRODUCT_BYTES)) {
      ByteBuffer product =
          call.block().slice(CudaCall.FREE, PRODUCT_BYTES).order(ByteOrder.nativeOrder());
      product.putLong(PRODUCT_BYTES).putLong(rows).putLong(columns);
      product.putLong(values.elements()).putLong(x.shape()[0]).putLong(transposed ? 1 : 0);
      for (Tensor array : new Tensor[] {rowPointers, columnIndices, values, x, y}) {
        product.putLong(array.address());
      }
      call.check(
          Native.cudaCsrMultiply(
              CudaLibrary.handle(),
              handle,
              call.at(CudaCall.FREE),
              0,
              call.reason(),
              CudaCall.REASON_BYTES),
          "product by cuSPARSE");
      call.check(
          Native.cudaStreamSynchronize(
              CudaLibrary.handle(), device, 0, call.reason(), CudaCall.REASON_BYTES),
          "product by cuSPARSE");
    } finally {
      Reference.reachabilityFence(rowPointers);
      Reference.reachabilityFence(columnIndices);
      Reference.reachabilityFence(values);
      Reference.reachabilityFence(x);
      Reference.reachabilityFence(y);
    }
  }
}
