package org.fettle.internal;

import java.nio.ByteBuffer;
import org.fettle.DType;
import org.fettle.Device;
import org.fettle.Tensor;

/** The native kernels of one CPU tier. */
public final class CpuEngine implements Engine {
  /** x86-64-v3, as {@code enum fettle_cpu_tier} has it. */
  static final int V3 = 2;

  /** x86-64-v4. */
  static final int V4 = 4;

  private final int tier;

  CpuEngine(int tier) {
    this.tier = tier;
  }

  static int tier(String name) {
    return name.equals("cpu-v4") ? V4 : V3;
  }

  static int bestTier() {
    return (NativeLibrary.tiers() & V4) != 0 ? V4 : V3;
  }

  @Override
  public String name() {
    return tier == V4 ? "cpu-v4" : "cpu-v3";
  }

  @Override
  public Device device() {
    return Device.CPU;
  }

  @Override
  public Tensor allocate(DType dtype, long[] shape, int ordinal) {
    return NativeMemory.tensor(dtype, shape, ordinal);
  }

  @Override
  public void release(Tensor tensor) {
    NativeMemory.release(tensor);
  }

  @Override
  public Tensor borrow(DType dtype, long elements) {
    NativeMemory memory = CpuCalls.MEMORY.borrow(dtype.bytes(elements));
    return Tensor.ofAddress(
        memory.address(), memory.bytes(), memory, Device.CPU, dtype, new long[] {elements});
  }

  @Override
  public void giveBack(Tensor tensor) {
    if (tensor != null) {
      CpuCalls.MEMORY.giveBack((NativeMemory) tensor.owner());
    }
  }

  @Override
  public void read(Tensor from, long offset, ByteBuffer to) {
    HostCopies.read(from, offset, to);
  }

  @Override
  public void write(Tensor to, long offset, ByteBuffer from) {
    HostCopies.write(to, offset, from);
  }

  @Override
  public BatchRunner open(Batch batch) {
    return new CpuBatch(batch, tier);
  }

  @Override
  public void run(KernelCall call) {
    CpuCalls.run(call, tier);
  }

  @Override
  public Runner open(PlanSpec plan) {
    return new CpuRunner(plan, tier);
  }
}
