package org.fettle;

import java.util.List;
import org.fettle.internal.Batch;
import org.fettle.internal.BatchRunner;
import org.fettle.internal.Engine;
import org.fettle.internal.Primitive;

/**
 * Values as F32: the tensor itself where it is F32, else a copy in scratch, which costs a pass of 2
 * + 4 bytes per element.
 */
final class Widened implements AutoCloseable {
  private final Engine engine;
  private final Tensor values;
  private final Tensor wide;

  private Widened(Backend backend, Tensor values) {
    engine = backend.engine();
    this.values = values;
    wide = values.dtype() == DType.F32 ? values : engine.allocate(DType.F32, values.shape(), 0);
  }

  /** Values that are read. */
  static Widened read(Backend backend, Tensor values) {
    Widened widened = new Widened(backend, values);
    try {
      if (widened.wide != values) {
        widened.copy(values, widened.wide);
      }
    } catch (RuntimeException | Error e) {
      widened.close();
      throw e;
    }
    return widened;
  }

  /** Values that will be written: to {@link #tensor}, and then by {@link #store}. */
  static Widened write(Backend backend, Tensor values) {
    return new Widened(backend, values);
  }

  /** The values as F32. */
  Tensor tensor() {
    return wide;
  }

  /** Brings what was written to where it belongs, rounded to nearest. */
  void store() {
    if (wide != values) {
      copy(wide, values);
    }
  }

  private void copy(Tensor from, Tensor to) {
    // Times 1: the formats meet in the primitive's tiles.
    try (BatchRunner runner =
        engine.open(new Batch(List.of(Batch.Item.of(Primitive.SCALE, from, to))))) {
      runner.factor(0, 0, 1);
      runner.run();
    }
  }

  @Override
  public void close() {
    if (wide != values) {
      engine.release(wide);
    }
  }
}
