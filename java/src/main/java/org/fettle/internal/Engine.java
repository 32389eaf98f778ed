package org.fettle.internal;

import java.nio.ByteBuffer;
import org.fettle.DType;
import org.fettle.Device;
import org.fettle.Tensor;

/** What a backend must be able to do. Implemented once per backend. */
public sealed interface Engine permits JavaEngine, CpuEngine, CudaEngine {
  /** Bytes that {@link #clear} and {@link #copy} move at once. */
  int COPY_BYTES = 1 << 16;

  /** The backend's name. */
  String name();

  /** Where its tensors are. */
  Device device();

  /**
   * Makes a zeroed tensor for a state. Consecutive ordinals lie at different offsets in their
   * pages.
   *
   * @throws OutOfMemoryError if there is no memory
   */
  Tensor allocate(DType dtype, long[] shape, int ordinal);

  /** Frees what {@link #allocate} made. */
  void release(Tensor tensor);

  /**
   * Memory for the time of a call, which holds anything.
   *
   * @throws OutOfMemoryError if there is none
   */
  default Tensor borrow(DType dtype, long elements) {
    return allocate(dtype, new long[] {elements}, 0);
  }

  /** Takes back what {@link #borrow} gave; null is nothing. */
  default void giveBack(Tensor tensor) {
    if (tensor != null) {
      release(tensor);
    }
  }

  /** Whether a tensor is one that {@link #allocate} made, and so goes when its plan is closed. */
  default boolean owns(Tensor tensor) {
    return tensor.owner() instanceof OwnedMemory;
  }

  /** Whether a tensor is one that {@link #allocate} made and {@link #release} has freed. */
  default boolean isFreed(Tensor tensor) {
    return tensor.owner() instanceof OwnedMemory memory && memory.isFreed();
  }

  /** Copies bytes of a tensor to the buffer, as many as remain in it. */
  void read(Tensor from, long offset, ByteBuffer to);

  /** Copies the buffer's remaining bytes into a tensor. */
  void write(Tensor to, long offset, ByteBuffer from);

  /** Sets all bytes of a tensor to 0. */
  default void clear(Tensor tensor) {
    ByteBuffer zeros = ByteBuffer.allocateDirect((int) Math.min(tensor.bytes(), COPY_BYTES));
    for (long offset = 0; offset < tensor.bytes(); offset += zeros.capacity()) {
      zeros.clear().limit((int) Math.min(zeros.capacity(), tensor.bytes() - offset));
      write(tensor, offset, zeros);
    }
  }

  /** Copies the bytes of a tensor into another one that has as many. */
  default void copy(Tensor from, Tensor to) {
    ByteBuffer bytes = ByteBuffer.allocateDirect((int) Math.min(from.bytes(), COPY_BYTES));
    for (long offset = 0; offset < from.bytes(); offset += bytes.capacity()) {
      bytes.clear().limit((int) Math.min(bytes.capacity(), from.bytes() - offset));
      read(from, offset, bytes);
      write(to, offset, bytes.flip());
    }
  }

  /** Lays out a validated batch of primitives. */
  BatchRunner open(Batch batch);

  /** Carries out a validated call of a kernel. */
  void run(KernelCall call);

  /** Lays out a validated plan. */
  Runner open(PlanSpec plan);
}
