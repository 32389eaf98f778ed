package org.fettle.recipes;

import org.fettle.DType;
import org.fettle.Tensor;
import org.fettle.internal.Engine;
import org.fettle.internal.Kernel;
import org.fettle.internal.KernelCall;
import org.fettle.internal.Scratch;
import org.fettle.internal.Trees;

/** Calls of kernels over rows of elements, with their sums in the fixed order. */
final class RowCall {
  private static final long CHUNK = 4096;
  private static final int PARTIAL_SUMS = 15;

  private final Engine engine;
  private final long rows;
  private final long columns;
  private final boolean perRow;

  private RowCall(Engine engine, long rows, long columns, boolean perRow) {
    this.engine = engine;
    this.rows = rows;
    this.columns = columns;
    this.perRow = perRow;
  }

  /** The whole tensor as one row. */
  static RowCall whole(Engine engine, Tensor x) {
    return new RowCall(engine, 1, x.elements(), false);
  }

  /** Rows along the first axis, each with values of its own. */
  static RowCall rows(Engine engine, Tensor x) {
    long rows = x.shape()[0];
    return new RowCall(engine, rows, rows == 0 ? 0 : x.elements() / rows, true);
  }

  /** Rows of a given number. */
  static RowCall rows(Engine engine, Tensor x, long rows) {
    return new RowCall(engine, rows, rows == 0 ? 0 : x.elements() / rows, true);
  }

  /** Rows where there are as many values as rows, the whole tensor where there is one value. */
  static RowCall of(Engine engine, Tensor x, String name, Tensor values) {
    if (values.elements() == 1) {
      return whole(engine, x);
    }
    if (x.rank() == 0 || values.elements() != x.shape()[0]) {
      throw new IllegalArgumentException(
          name + " is " + values + ": expected 1 element, or one per row of " + x);
    }
    return rows(engine, x);
  }

  long rows() {
    return rows;
  }

  long columns() {
    return columns;
  }

  /** Chunks of 4,096 that cover a number of elements. */
  static long chunks(long elements) {
    return elements / CHUNK + (elements % CHUNK == 0 ? 0 : 1);
  }

  /** Runs a kernel without sums. */
  void run(Kernel kernel, double[] numbers, Tensor... arrays) {
    engine.run(call(kernel, numbers, arrays));
  }

  /** Runs a kernel and answers its sums: those of row 0, then those of row 1. */
  double[] sums(Kernel kernel, int sums, double[] numbers, Tensor... arrays) {
    long chunks = chunks(columns);
    double[] result = new double[Math.toIntExact(rows * sums)];
    try (Scratch scratch = new Scratch(engine)) {
      Tensor partial = scratch.tensor(DType.F64, rows * chunks * sums);
      engine.run(call(kernel, numbers, arrays).array(PARTIAL_SUMS, partial));
      double[] values = scratch.doubles(partial);
      int perRow = Math.toIntExact(chunks * sums);
      for (int i = 0; i < result.length; i++) {
        int row = i / sums;
        result[i] = Trees.sum(values, row * perRow + i % sums, sums, Math.toIntExact(chunks));
      }
    }
    return result;
  }

  private KernelCall call(Kernel kernel, double[] numbers, Tensor... arrays) {
    return new KernelCall(kernel)
        .arrays(arrays)
        .integers(columns, Math.max(1, chunks(columns)), perRow ? 1 : 0)
        .numbers(numbers)
        .units(rows * chunks(columns), rows * columns);
  }

  /** A tensor with these values, rounded to float. */
  static Tensor floats(Scratch scratch, double... values) {
    Tensor tensor = scratch.tensor(DType.F32, values.length);
    float[] rounded = new float[values.length];
    for (int i = 0; i < values.length; i++) {
      rounded[i] = (float) values[i];
    }
    Scratch.write(scratch.engine(), tensor, rounded);
    return tensor;
  }
}
