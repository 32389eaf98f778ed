package org.fettle.internal;

import java.nio.ByteBuffer;
import java.util.List;

/**
 * A batch's tables in native memory, as {@code native/include/fettle/primitives.h} describes them.
 */
final class BatchTable implements AutoCloseable {
  private final NativeMemory memory;
  private final ByteBuffer table;

  /** Lays a batch out, without its scratch. */
  BatchTable(Batch batch) {
    List<Batch.Item> items = batch.items();
    int labelsAt =
        Math.addExact(BatchLayout.BYTES, Math.multiplyExact(items.size(), BatchLayout.ITEM_BYTES));
    long labels = 0;
    for (Batch.Item item : items) {
      labels += item.labels() == null ? 0 : item.labels().count();
    }
    int bytes = Math.toIntExact(Math.addExact(labelsAt, Math.multiplyExact(labels, Long.BYTES)));
    memory = NativeMemory.allocate(bytes, 0);
    boolean complete = false;
    try {
      table = Addresses.buffer(memory.address(), bytes);
      table.putLong(BatchLayout.SIZE_FIELD, BatchLayout.BYTES);
      table.putLong(BatchLayout.ITEMS, memory.address() + BatchLayout.BYTES);
      table.putLong(BatchLayout.ITEM_COUNT, items.size());
      int label = labelsAt;
      for (int i = 0; i < items.size(); i++) {
        label = putItem(itemAt(i), items.get(i), label);
      }
      check(Native.batchLayout(memory.address()));
      complete = true;
    } finally {
      if (!complete) {
        memory.close();
      }
    }
  }

  private int putItem(int at, Batch.Item item, int labelsAt) {
    for (int k = 0; k < item.arrays().size(); k++) {
      Operand operand = item.arrays().get(k);
      int array = at + BatchLayout.ITEM_ARRAY + k * PlanLayout.OPERAND_BYTES;
      table.putLong(array + PlanLayout.OPERAND_DATA, operand.tensor().address());
      table.putLong(array + PlanLayout.OPERAND_DTYPE, operand.code());
      if (operand.companion() != null) {
        table.putLong(array + PlanLayout.OPERAND_SCALES, operand.companion().address());
        table.putLong(array + PlanLayout.OPERAND_BLOCK_SIZE, operand.blockSize());
      }
    }
    table.putLong(at + BatchLayout.ITEM_PRIMITIVE, item.primitive().number());
    table.putLong(at + BatchLayout.ITEM_ELEMENTS, item.elements());
    table.putLong(at + BatchLayout.ITEM_ROW, item.row());
    table.putLong(at + BatchLayout.ITEM_PIXELS, item.pixels());
    if (item.labels() == null) {
      return labelsAt;
    }
    table.putLong(at + BatchLayout.ITEM_LABELS, address() + labelsAt);
    for (int i = 0; i < item.labels().count(); i++) {
      table.putLong(labelsAt + i * Long.BYTES, item.labels().at(i));
    }
    return labelsAt + item.labels().count() * Long.BYTES;
  }

  static int itemAt(int item) {
    return BatchLayout.BYTES + item * BatchLayout.ITEM_BYTES;
  }

  static void check(int status) {
    if (status != 0) {
      throw new IllegalStateException("the batch failed: " + Native.statusText(status));
    }
  }

  void factor(int item, int index, double value) {
    table.putDouble(itemAt(item) + BatchLayout.ITEM_FACTORS + index * Double.BYTES, value);
  }

  double sum(int item, int index) {
    return table.getDouble(itemAt(item) + BatchLayout.ITEM_SUMS + index * Double.BYTES);
  }

  /** A field of the batch itself. */
  long field(int offset) {
    return table.getLong(offset);
  }

  void field(int offset, long value) {
    table.putLong(offset, value);
  }

  /** Where the fettle_batch is. */
  long address() {
    return memory.address();
  }

  @Override
  public void close() {
    memory.close();
  }
}
