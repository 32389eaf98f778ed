package org.fettle.benchmarks;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.ForkJoinTask;
import java.util.concurrent.atomic.AtomicLong;
import org.fettle.Plan;
import org.fettle.internal.Native;
import org.fettle.internal.NativeLibrary;

/**
 * The memory ceiling of a workload: the same arrays, the same bytes, next to no arithmetic. Several
 * threads share the elements out as a plan does, from one cursor.
 */
final class Ceiling implements Contestant {
  private static final int V4 = 4;
  private static final long GRAIN = 4096;

  private final String name;
  private final long ahead;
  private final Workload workload;
  private final int threads;
  private final int tier = (NativeLibrary.tiers() & V4) != 0 ? 4 : 3;
  private final List<Table> tables = new ArrayList<>();
  private final AtomicLong cursor = new AtomicLong();
  private double seen;

  /**
   * Makes a ceiling.
   *
   * @param ahead bytes by which every array is prefetched; 0 for the ceiling that ratios refer to
   */
  Ceiling(Workload workload, Arrays arrays, Plan plan, int threads, long ahead) {
    Passes.load();
    this.name = ahead == 0 ? "ceiling" : "ceiling, prefetched";
    this.ahead = ahead;
    this.workload = workload;
    this.threads = threads;
    for (Shape.Pass pass : Shape.of(workload).passes()) {
      tables.add(new Table(pass, workload, arrays, plan));
    }
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public boolean changesParameters() {
    return false;
  }

  @Override
  public void step() {
    for (Table table : tables) {
      if (threads == 1) {
        seen += table.run(0, table.end());
      } else {
        spread(table);
      }
    }
  }

  private void spread(Table table) {
    cursor.set(0);
    Runnable work = () -> takeRanges(table);
    List<ForkJoinTask<?>> helpers = new ArrayList<>();
    for (int i = 1; i < threads; i++) {
      helpers.add(ForkJoinPool.commonPool().submit(work));
    }
    takeRanges(table);
    helpers.forEach(ForkJoinTask::join);
  }

  private void takeRanges(Table table) {
    long end = table.end();
    long share = end / (8L * threads);
    long size =
        workload.tensors() > 1 ? Math.max(1, share) : Math.max(GRAIN, share / GRAIN * GRAIN);
    while (true) {
      long first = cursor.getAndAdd(size);
      if (first >= end) {
        return;
      }
      table.run(first, Math.min(end, first + size));
    }
  }

  @Override
  public void close() {
    tables.forEach(Table::close);
    if (seen == 0.5) {
      System.err.println("so that nobody thinks the reads were not needed");
    }
  }

  /** The addresses of one pass. */
  private final class Table {
    private final int pass;
    private final long bytes;
    private final long address;

    Table(Shape.Pass shape, Workload workload, Arrays arrays, Plan plan) {
      pass = Passes.number(shape);
      List<Shape.Stream> streams = shape.ordered();
      bytes = (long) workload.tensors() * streams.size() * Long.BYTES;
      address = Native.allocate(bytes, 0);
      java.nio.LongBuffer table =
          new Arrays.At(address)
              .capacity(bytes)
              .asByteBuffer()
              .order(java.nio.ByteOrder.nativeOrder())
              .asLongBuffer();
      for (int i = 0; i < workload.tensors(); i++) {
        for (Shape.Stream stream : streams) {
          table.put(Shape.address(stream, arrays, plan, i));
        }
      }
    }

    long end() {
      return workload.tensors() > 1 ? workload.tensors() : workload.elements();
    }

    double run(long first, long last) {
      return workload.tensors() > 1
          ? Passes.run(pass, tier, address, first, last, 0, workload.elements(), ahead, 0)
          : Passes.run(pass, tier, address, 0, 1, first, last, ahead, 0);
    }

    void close() {
      Native.release(address, bytes, 0);
    }
  }
}
