package org.fettle.internal;

import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Supplier;
import org.fettle.DType;
import org.fettle.Device;
import org.fettle.Tensor;

/** The CUDA kernels on one device. */
public final class CudaEngine implements Engine {
  private static final int OLDEST_COMPUTE_MAJOR = 8;

  private final int index;
  private final long cuda = CudaLibrary.handle();
  private final Map<Class<?>, Object> attached = new HashMap<>();

  CudaEngine(int index) {
    this.index = index;
  }

  /** Why a device cannot be used, or null if it can. */
  static String missing(int index) {
    if (!CudaLibrary.isOpen()) {
      return CudaLibrary.reason();
    }
    if (index >= CudaLibrary.devices().size()) {
      return "there are " + CudaLibrary.devices().size() + " devices";
    }
    CudaLibrary.Device device = CudaLibrary.devices().get(index);
    return device.computeMajor() >= OLDEST_COMPUTE_MAJOR
        ? null
        : device.name()
            + " has compute capability "
            + device.computeMajor()
            + "."
            + device.computeMinor()
            + ", 8.0 is the least";
  }

  /** Another engine for the device, which does not keep this one reachable. */
  public CudaEngine sameDevice() {
    return new CudaEngine(index);
  }

  /** What is made when it is first asked for and lives as long as the engine. */
  public synchronized <T> T attached(Class<T> type, Supplier<T> make) {
    Object found = attached.get(type);
    if (found == null) {
      found = make.get();
      attached.put(type, found);
    }
    return type.cast(found);
  }

  @Override
  public String name() {
    return index == 0 ? "cuda" : "cuda:" + index;
  }

  @Override
  public Device device() {
    return Device.cuda(index);
  }

  @Override
  public Tensor allocate(DType dtype, long[] shape, int ordinal) {
    long elements = 1;
    for (long extent : shape) {
      elements *= extent;
    }
    long bytes = Math.max(dtype.bytes(elements), 1);
    try (CudaCall call = new CudaCall(0)) {
      call.check(
          Native.cudaAllocate(
              cuda, index, bytes, call.at(CudaCall.OUT), call.reason(), CudaCall.REASON_BYTES),
          "allocating a state of " + bytes + " bytes");
      long address = call.out();
      call.check(
          Native.cudaFill(cuda, index, address, 0, bytes, 0, call.reason(), CudaCall.REASON_BYTES),
          "zeroing a state");
      call.check(
          Native.cudaStreamSynchronize(cuda, index, 0, call.reason(), CudaCall.REASON_BYTES),
          "zeroing a state");
      return Tensor.ofAddress(address, bytes, new Owned(address), device(), dtype, shape);
    }
  }

  /** Device memory that {@link #allocate} made. */
  private static final class Owned implements OwnedMemory {
    private final long address;
    private volatile boolean freed;

    Owned(long address) {
      this.address = address;
    }

    @Override
    public boolean isFreed() {
      return freed;
    }
  }

  @Override
  public void release(Tensor tensor) {
    if (tensor.owner() instanceof Owned owned && !owned.freed) {
      owned.freed = true;
      try (CudaCall call = new CudaCall(0)) {
        call.check(
            Native.cudaRelease(cuda, index, owned.address, call.reason(), CudaCall.REASON_BYTES),
            "freeing a state");
      }
    }
  }

  @Override
  public void read(Tensor from, long offset, ByteBuffer to) {
    copy(Addresses.of(to.slice()), from.address() + offset, to.remaining());
    to.position(to.limit());
  }

  @Override
  public void write(Tensor to, long offset, ByteBuffer from) {
    copy(to.address() + offset, Addresses.of(from.slice()), from.remaining());
    from.position(from.limit());
  }

  @Override
  public void clear(Tensor tensor) {
    try (CudaCall call = new CudaCall(0)) {
      call.check(
          Native.cudaFill(
              cuda,
              index,
              tensor.address(),
              0,
              tensor.bytes(),
              0,
              call.reason(),
              CudaCall.REASON_BYTES),
          "zeroing " + tensor.bytes() + " bytes");
      call.check(
          Native.cudaStreamSynchronize(cuda, index, 0, call.reason(), CudaCall.REASON_BYTES),
          "zeroing " + tensor.bytes() + " bytes");
    }
  }

  @Override
  public void copy(Tensor from, Tensor to) {
    copy(to.address(), from.address(), from.bytes());
  }

  private void copy(long to, long from, long bytes) {
    try (CudaCall call = new CudaCall(0)) {
      call.check(
          Native.cudaCopy(cuda, index, to, from, bytes, 0, call.reason(), CudaCall.REASON_BYTES),
          "copying " + bytes + " bytes");
    }
  }

  @Override
  public BatchRunner open(Batch batch) {
    return new CudaBatch(batch, index);
  }

  /**
   * Runs the kernel on the default stream and waits for it: a plan's stream need not wait for that
   * one, and the caller may free the arrays afterwards.
   */
  @Override
  public void run(KernelCall kernel) {
    if (kernel.units() == 0) {
      return;
    }
    try (CudaCall call = new CudaCall(CpuCalls.BYTES)) {
      CpuCalls.fill(
          call.block().slice(CudaCall.FREE, CpuCalls.BYTES).order(ByteOrder.nativeOrder()), kernel);
      call.check(
          Native.cudaKernelRun(
              cuda, index, call.at(CudaCall.FREE), 0, call.reason(), CudaCall.REASON_BYTES),
          "kernel " + kernel.kernel().id());
      call.check(
          Native.cudaStreamSynchronize(cuda, index, 0, call.reason(), CudaCall.REASON_BYTES),
          "kernel " + kernel.kernel().id());
    } finally {
      Reference.reachabilityFence(kernel);
    }
  }

  @Override
  public Runner open(PlanSpec plan) {
    return new CudaRunner(plan, index);
  }
}
