package org.fettle.internal;

import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.ForkJoinTask;
import org.fettle.Tensor;

/**
 * A validated batch of primitives, as {@code native/include/fettle/primitives.h} describes it.
 *
 * @param items what is done to which tensors
 */
public record Batch(List<Item> items) {
  /** The right class of every row; a copy, so that nobody changes it after the check. */
  public static final class Labels {
    private final long[] values;

    /** Copies the values. */
    public Labels(long[] values) {
      this.values = values.clone();
    }

    int count() {
      return values.length;
    }

    long at(int row) {
      return values[row];
    }
  }

  /**
   * A primitive with its arrays, all of one shape: inputs, then outputs, then the saved copy.
   *
   * @param primitive what is done
   * @param arrays to what; an output may be the very array of an input
   * @param row elements of a row; for pixels: channels of an image; else ignored
   * @param pixels pixels of an image; else ignored
   * @param labels one per row, each in [0, row); null where the primitive has none
   */
  public record Item(
      Primitive primitive, List<Operand> arrays, long row, long pixels, Labels labels) {
    /** An elementwise primitive. */
    public static Item of(Primitive primitive, Tensor... arrays) {
      return of(primitive, Arrays.stream(arrays).map(Operand::of).toArray(Operand[]::new));
    }

    /** An elementwise primitive. */
    public static Item of(Primitive primitive, Operand... arrays) {
      return new Item(primitive, List.of(arrays), 0, 0, null);
    }

    /** A primitive over rows or pixels. */
    public static Item of(
        Primitive primitive, List<Tensor> arrays, long row, long pixels, Labels labels) {
      return new Item(primitive, arrays.stream().map(Operand::of).toList(), row, pixels, labels);
    }

    /** Elements of a tile, at least so many: whole blocks of every array that is written. */
    int tile(int least) {
      int elements = least;
      for (int k = 0; k < primitive.outputs(); k++) {
        elements = Math.max(elements, arrays.get(primitive.inputs() + k).blockSize());
      }
      return elements;
    }

    /** Elements of each array. */
    public long elements() {
      return arrays.get(0).elements();
    }

    /** Units of work: chunks, rows or runs of pixels. */
    long units() {
      if (elements() == 0) {
        return 0;
      }
      return switch (primitive.kind()) {
        case ELEMENTS -> quotientUp(elements(), PlanSpec.CHUNK);
        case ROWS -> elements() / row;
        case PIXELS -> elements() / row / pixels * quotientUp(pixels, JavaBatch.TILE);
      };
    }

    /** Partial sums that a unit leaves behind in each plane. */
    long sumsPerUnit() {
      return primitive.kind() == Primitive.Kind.ROWS
          ? quotientUp(row, PlanSpec.CHUNK)
          : primitive.sums() > 0 ? 1 : 0;
    }

    private static long quotientUp(long a, long b) {
      return a / b + (a % b != 0 ? 1 : 0);
    }
  }

  /**
   * The most threads that are worth it, the caller's included: within the parallelism of the pool
   * that it runs in.
   */
  int participants(long leastElements) {
    long elements = 0;
    for (Item item : items) {
      elements += item.elements();
    }
    int most =
        ForkJoinTask.inForkJoinPool()
            ? ForkJoinTask.getPool().getParallelism()
            : Math.min(
                Runtime.getRuntime().availableProcessors(),
                ForkJoinPool.getCommonPoolParallelism() + 1);
    return (int) Math.max(1, Math.min(most, elements / leastElements));
  }
}
