package org.fettle.pruning;

import java.nio.ByteBuffer;
import java.util.Objects;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Tensor;
import org.fettle.internal.Access;
import org.fettle.internal.Engine;
import org.fettle.internal.algebra.Matrix;

/** What the layer-wise solvers read and write: checked first, then held in double on the host. */
final class Layer {
  private final Backend backend;
  private final Engine engine;

  Layer(Backend backend) {
    this.backend = backend;
    engine = Access.engine(backend);
  }

  /** Refuses a tensor that is no matrix of that size; a negative extent fits any. */
  void check(String name, Tensor tensor, long rows, long columns) {
    Objects.requireNonNull(tensor, name);
    values(name, tensor);
    if (tensor.rank() != 2
        || (rows >= 0 && tensor.shape()[0] != rows)
        || (columns >= 0 && tensor.shape()[1] != columns)) {
      throw new IllegalArgumentException(
          name + " is " + tensor + ": expected " + extent(rows) + " x " + extent(columns));
    }
    if (tensor.elements() > Integer.MAX_VALUE - 8) {
      throw new IllegalArgumentException(
          name + " is " + tensor + ": expected fewer than 2^31 elements");
    }
  }

  /** Refuses what a solver cannot write a mask of that many elements to. */
  void checkMask(String name, Tensor mask, long elements) {
    Objects.requireNonNull(mask, name);
    if (mask.dtype() != DType.BIT || mask.elements() != elements) {
      throw new IllegalArgumentException(
          name + " is " + mask + ": expected " + elements + " elements of BIT");
    }
    place(name, mask);
  }

  /** Refuses elements that are no floating-point numbers. */
  void values(String name, Tensor tensor) {
    if (!tensor.dtype().isFloating() && tensor.dtype() != DType.F64) {
      throw new IllegalArgumentException(
          name + " is " + tensor.dtype() + ": expected F32, F64, BF16 or F16");
    }
    place(name, tensor);
  }

  private void place(String name, Tensor tensor) {
    if (!tensor.device().equals(backend.device())) {
      throw new IllegalArgumentException(
          name + " is on " + tensor.device() + ": expected " + backend.device());
    }
    if (engine.isFreed(tensor)) {
      throw new IllegalStateException(name + " has been freed");
    }
  }

  /** Refuses two tensors that share memory, where one is written. */
  static void apart(String name, Tensor tensor, String otherName, Tensor other) {
    if (tensor == other) {
      throw new IllegalArgumentException(name + " and " + otherName + " are the same tensor");
    }
  }

  Matrix matrix(Tensor tensor) {
    return Matrix.of(engine, tensor, (int) tensor.shape()[0], (int) tensor.shape()[1]);
  }

  double[] read(Tensor tensor) {
    return Matrix.read(engine, tensor);
  }

  void write(Tensor tensor, double[] values) {
    Matrix.write(engine, tensor, values);
  }

  void writeMask(Tensor tensor, boolean[] kept) {
    ByteBuffer bytes = ByteBuffer.allocateDirect((int) tensor.bytes());
    for (int i = 0; i < kept.length; i++) {
      if (kept[i]) {
        bytes.put(i / 8, (byte) (bytes.get(i / 8) | 1 << i % 8));
      }
    }
    engine.write(tensor, 0, bytes);
  }

  boolean[] readMask(Tensor tensor) {
    ByteBuffer bytes = ByteBuffer.allocateDirect((int) tensor.bytes());
    engine.read(tensor, 0, bytes);
    boolean[] kept = new boolean[(int) tensor.elements()];
    for (int i = 0; i < kept.length; i++) {
      kept[i] = (bytes.get(i / 8) >> (i % 8) & 1) != 0;
    }
    return kept;
  }

  private static String extent(long extent) {
    return extent < 0 ? "any" : Long.toString(extent);
  }
}
