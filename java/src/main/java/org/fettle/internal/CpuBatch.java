package org.fettle.internal;

import java.lang.ref.Reference;

/** A batch on the native kernels: one native call per participant. */
final class CpuBatch implements BatchRunner {
  private static final long LEAST_PER_PARTICIPANT = 64 * 1024;

  private final Batch batch;
  private final int tier;
  private final NativeMemory sums;
  private final BatchTable table;
  private final Workers workers;
  private final int participants;
  private final boolean summing;
  private final Runnable work = this::takeRanges;

  CpuBatch(Batch batch, int tier) {
    this.batch = batch;
    this.tier = tier;
    table = new BatchTable(batch);
    NativeMemory scratch = null;
    boolean complete = false;
    try {
      long planes = table.field(BatchLayout.PLANES);
      summing = planes > 0;
      if (summing) {
        long count = Math.multiplyExact(planes, table.field(BatchLayout.SUM_COUNT));
        scratch = NativeMemory.allocate(Math.multiplyExact(count, Double.BYTES), 1);
        table.field(BatchLayout.SUMS, scratch.address());
      }
      participants = batch.participants(LEAST_PER_PARTICIPANT);
      workers = new Workers(participants, null);
      long units = table.field(BatchLayout.UNIT_COUNT);
      long parts = participants == 1 ? 1 : 8L * participants;
      table.field(BatchLayout.RANGE_UNITS, Math.max(1, units / parts));
      complete = true;
    } finally {
      sums = scratch;
      if (!complete) {
        close();
      }
    }
  }

  @Override
  public void factor(int item, int index, double value) {
    table.factor(item, index, value);
  }

  @Override
  public void run() {
    table.field(BatchLayout.CURSOR, 0);
    try {
      if (participants == 1) {
        takeRanges();
      } else {
        workers.run(participants, work);
      }
      if (summing) {
        BatchTable.check(Native.batchFinish(table.address()));
      }
    } finally {
      Reference.reachabilityFence(batch);
      Reference.reachabilityFence(this);
    }
  }

  private void takeRanges() {
    BatchTable.check(Native.cpuBatchRun(table.address(), tier));
  }

  @Override
  public double sum(int item, int index) {
    return table.sum(item, index);
  }

  @Override
  public void close() {
    table.close();
    if (sums != null) {
      sums.close();
    }
  }
}
