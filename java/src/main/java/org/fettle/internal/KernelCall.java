package org.fettle.internal;

import org.fettle.Tensor;

/**
 * What a kernel is given: arrays, integers and numbers, each by its position. Whoever fills it has
 * checked shapes, formats and overlaps.
 */
public final class KernelCall {
  /** Arrays, integers and numbers that a call can have of each. */
  static final int SLOTS = 16;

  private static final long LEAST_PER_PARTICIPANT = 64 * 1024;

  private final Kernel kernel;
  private final Tensor[] arrays = new Tensor[SLOTS];
  private final long[] integers = new long[SLOTS];
  private final double[] numbers = new double[SLOTS];
  private long units;
  private long work;
  private int threads = Runtime.getRuntime().availableProcessors();

  /** A call of that kernel. */
  public KernelCall(Kernel kernel) {
    this.kernel = kernel;
  }

  /** The array of that position; null for none. */
  public KernelCall array(int index, Tensor tensor) {
    arrays[index] = tensor;
    return this;
  }

  /** The arrays from position 0 on. */
  public KernelCall arrays(Tensor... tensors) {
    System.arraycopy(tensors, 0, arrays, 0, tensors.length);
    return this;
  }

  /** The integers from position 0 on. */
  public KernelCall integers(long... values) {
    System.arraycopy(values, 0, integers, 0, values.length);
    return this;
  }

  /** The integer of that position. */
  public KernelCall integer(int index, long value) {
    integers[index] = value;
    return this;
  }

  /** The number of that position. */
  public KernelCall number(int index, double value) {
    numbers[index] = value;
    return this;
  }

  /** The numbers from position 0 on. */
  public KernelCall numbers(double... values) {
    System.arraycopy(values, 0, numbers, 0, values.length);
    return this;
  }

  /**
   * How much there is to do.
   *
   * @param newUnits units of the kernel
   * @param newWork about how many elements they stand for: decides over how many threads they are
   *     spread
   */
  public KernelCall units(long newUnits, long newWork) {
    units = newUnits;
    work = newWork;
    return this;
  }

  /** The most threads that may take part; all processors by default. */
  public KernelCall threads(int most) {
    threads = most;
    return this;
  }

  Kernel kernel() {
    return kernel;
  }

  Tensor array(int index) {
    return arrays[index];
  }

  long integer(int index) {
    return integers[index];
  }

  double number(int index) {
    return numbers[index];
  }

  long units() {
    return units;
  }

  int participants() {
    return (int) Math.max(1, Math.min(Math.min(threads, units), work / LEAST_PER_PARTICIPANT));
  }

  /** Units that a participant takes at a time. */
  long rangeUnits() {
    int participants = participants();
    return Math.max(1, participants == 1 ? units : units / (8L * participants));
  }
}
