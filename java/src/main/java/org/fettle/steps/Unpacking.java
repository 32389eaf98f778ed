package org.fettle.steps;

import java.util.List;
import org.fettle.DType;
import org.fettle.Tensor;
import org.fettle.internal.Batch;
import org.fettle.internal.BatchRunner;
import org.fettle.internal.Operand;
import org.fettle.internal.Primitive;

/**
 * Room in F32 for states that a kernel cannot work on as they are stored, shared by tensors that
 * take turns. What is stored as elements needs none.
 */
final class Unpacking {
  private final StepObject step;
  private final long largest;
  private Tensor room;

  /**
   * No room yet.
   *
   * @param largest elements of the largest state
   */
  Unpacking(StepObject step, long largest) {
    this.step = step;
    this.largest = largest;
  }

  /** A state as a tensor, between {@link #open} and {@link #close}. */
  final class Unpacked {
    final Tensor tensor;
    private final BatchRunner reading;
    private final BatchRunner writing;

    private Unpacked(Operand stored, boolean elements, long... shape) {
      if (elements) {
        tensor = stored.tensor();
        reading = null;
        writing = null;
        return;
      }
      if (room == null) {
        room = step.allocate(largest);
      }
      tensor = Shapes.part(room, 0, shape);
      Operand floats = Operand.of(tensor);
      reading = step.open(List.of(Batch.Item.of(Primitive.SCALE, stored, floats)));
      writing = step.open(List.of(Batch.Item.of(Primitive.SCALE, floats, stored)));
      StepObject.factors(reading, 1, 1);
      StepObject.factors(writing, 1, 1);
    }

    /** The state as it stands. */
    Tensor open() {
      if (reading != null) {
        reading.run();
      }
      return tensor;
    }

    /** Keeps what was made of it. */
    void close() {
      if (writing != null) {
        writing.run();
      }
    }
  }

  /** For what reads any floating format: only blocks and compensations need room. */
  Unpacked of(Operand stored, long... shape) {
    return new Unpacked(stored, stored.companion() == null, shape);
  }

  /** For what reads F32 only. */
  Unpacked f32(Operand stored, long... shape) {
    boolean plain = stored.companion() == null && stored.tensor().dtype() == DType.F32;
    return new Unpacked(stored, plain, shape);
  }
}
