package org.fettle.internal;

import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.util.List;
import org.fettle.Tensor;

/** A batch on the native kernels: one native call per participant. */
final class CpuBatch implements BatchRunner {
  private static final long LEAST_PER_PARTICIPANT = 64 * 1024;

  private final Batch batch;
  private final int tier;
  private final NativeMemory memory;
  private final NativeMemory sums;
  private final ByteBuffer table;
  private final Workers workers;
  private final int participants;
  private final boolean summing;
  private final Runnable work = this::takeRanges;

  CpuBatch(Batch batch, int tier) {
    this.batch = batch;
    this.tier = tier;
    List<Batch.Item> items = batch.items();
    int labelsAt =
        Math.addExact(BatchLayout.BYTES, Math.multiplyExact(items.size(), BatchLayout.ITEM_BYTES));
    long labels = 0;
    for (Batch.Item item : items) {
      labels += item.labels() == null ? 0 : item.labels().count();
    }
    int bytes = Math.toIntExact(Math.addExact(labelsAt, Math.multiplyExact(labels, Long.BYTES)));
    memory = NativeMemory.allocate(bytes, 0);
    NativeMemory scratch = null;
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
      long planes = table.getLong(BatchLayout.PLANES);
      summing = planes > 0;
      if (summing) {
        long count = Math.multiplyExact(planes, table.getLong(BatchLayout.SUM_COUNT));
        scratch = NativeMemory.allocate(Math.multiplyExact(count, Double.BYTES), 1);
        table.putLong(BatchLayout.SUMS, scratch.address());
      }
      participants = batch.participants(LEAST_PER_PARTICIPANT);
      workers = new Workers(participants, null);
      long units = table.getLong(BatchLayout.UNIT_COUNT);
      long parts = participants == 1 ? 1 : 8L * participants;
      table.putLong(BatchLayout.RANGE_UNITS, Math.max(1, units / parts));
      complete = true;
    } finally {
      sums = scratch;
      if (!complete) {
        close();
      }
    }
  }

  private int putItem(int at, Batch.Item item, int labelsAt) {
    for (int k = 0; k < item.arrays().size(); k++) {
      Tensor tensor = item.arrays().get(k);
      int array = at + BatchLayout.ITEM_ARRAY + k * PlanLayout.OPERAND_BYTES;
      table.putLong(array + PlanLayout.OPERAND_DATA, tensor.address());
      table.putLong(array + PlanLayout.OPERAND_DTYPE, tensor.dtype().code());
    }
    table.putLong(at + BatchLayout.ITEM_PRIMITIVE, item.primitive().number());
    table.putLong(at + BatchLayout.ITEM_ELEMENTS, item.elements());
    table.putLong(at + BatchLayout.ITEM_ROW, item.row());
    table.putLong(at + BatchLayout.ITEM_PIXELS, item.pixels());
    if (item.labels() == null) {
      return labelsAt;
    }
    table.putLong(at + BatchLayout.ITEM_LABELS, memory.address() + labelsAt);
    for (int i = 0; i < item.labels().count(); i++) {
      table.putLong(labelsAt + i * Long.BYTES, item.labels().at(i));
    }
    return labelsAt + item.labels().count() * Long.BYTES;
  }

  private static int itemAt(int item) {
    return BatchLayout.BYTES + item * BatchLayout.ITEM_BYTES;
  }

  private static void check(int status) {
    if (status != 0) {
      throw new IllegalStateException("the batch failed: " + Native.statusText(status));
    }
  }

  @Override
  public void factor(int item, int index, double value) {
    table.putDouble(itemAt(item) + BatchLayout.ITEM_FACTORS + index * Double.BYTES, value);
  }

  @Override
  public void run() {
    table.putLong(BatchLayout.CURSOR, 0);
    try {
      if (participants == 1) {
        takeRanges();
      } else {
        workers.run(participants, work);
      }
      if (summing) {
        check(Native.batchFinish(memory.address()));
      }
    } finally {
      Reference.reachabilityFence(batch);
      Reference.reachabilityFence(this);
    }
  }

  private void takeRanges() {
    check(Native.cpuBatchRun(memory.address(), tier));
  }

  @Override
  public double sum(int item, int index) {
    return table.getDouble(itemAt(item) + BatchLayout.ITEM_SUMS + index * Double.BYTES);
  }

  @Override
  public void close() {
    memory.close();
    if (sums != null) {
      sums.close();
    }
  }
}
