package org.fettle.internal;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.DoubleBuffer;
import java.util.Arrays;

/**
 * One double per row of a tensor, kept by a rule between steps: in native memory where there is
 * any, else in a direct buffer.
 */
public final class RowDoubles implements AutoCloseable {
  private final NativeMemory memory;
  private final DoubleBuffer values;
  private final long address;

  private RowDoubles(NativeMemory memory, DoubleBuffer values, long address) {
    this.memory = memory;
    this.values = values;
    this.address = address;
  }

  /** Makes rows doubles of one value. */
  public static RowDoubles filled(long rows, double value) {
    int bytes = Math.toIntExact(Math.multiplyExact(rows, Double.BYTES));
    RowDoubles made;
    if (NativeLibrary.isLoaded()) {
      NativeMemory memory = NativeMemory.allocate(bytes, 0);
      ByteBuffer buffer = Addresses.buffer(memory.address(), bytes);
      made = new RowDoubles(memory, buffer.asDoubleBuffer(), memory.address());
    } else {
      ByteBuffer buffer = ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder());
      made = new RowDoubles(null, buffer.asDoubleBuffer(), 0);
    }
    double[] values = new double[(int) rows];
    Arrays.fill(values, value);
    made.values.put(0, values);
    return made;
  }

  /** The value of a row. */
  public double get(long row) {
    return values.get((int) row);
  }

  /** Replaces the value of a row. */
  public void put(long row, double value) {
    values.put((int) row, value);
  }

  long address() {
    return address;
  }

  @Override
  public void close() {
    if (memory != null) {
      memory.close();
    }
  }
}
