package org.fettle.internal;

import java.nio.ByteBuffer;
import org.fettle.DType;
import org.fettle.Device;
import org.fettle.Tensor;

/**
 * The pure-Java backend: readable as the specification, and at work where native access is denied.
 */
public final class JavaEngine implements Engine {
  @Override
  public String name() {
    return "java";
  }

  @Override
  public Device device() {
    return Device.CPU;
  }

  @Override
  public Tensor allocate(DType dtype, long[] shape, int ordinal) {
    if (NativeLibrary.isLoaded()) {
      return NativeMemory.tensor(dtype, shape, ordinal);
    }
    return Tensor.allocate(dtype, shape);
  }

  @Override
  public void release(Tensor tensor) {
    NativeMemory.release(tensor);
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
    return new JavaBatch(batch);
  }

  @Override
  public void run(KernelCall call) {
    JavaCalls.run(call);
  }

  @Override
  public Runner open(PlanSpec plan) {
    return new JavaRunner(plan);
  }
}
