package org.fettle.internal;

import java.lang.ref.Reference;

/**
 * A batch on a CUDA device, on the default stream: a launch per primitive, and then a wait, so that
 * the sums are there.
 */
final class CudaBatch implements BatchRunner {
  private final Batch batch;
  private final long cuda = CudaLibrary.handle();
  private final BatchTable table;
  private final CudaCall call;
  private final long handle;

  CudaBatch(Batch batch, int device) {
    this.batch = batch;
    table = new BatchTable(batch);
    CudaCall made = null;
    boolean opened = false;
    try {
      made = new CudaCall(0);
      made.check(
          Native.cudaBatchOpen(
              cuda,
              device,
              table.address(),
              made.at(CudaCall.OUT),
              made.reason(),
              CudaCall.REASON_BYTES),
          "opening a batch");
      handle = made.out();
      opened = true;
    } finally {
      if (!opened) {
        if (made != null) {
          made.close();
        }
        table.close();
      }
    }
    call = made;
  }

  @Override
  public void factor(int item, int index, double value) {
    table.factor(item, index, value);
  }

  @Override
  public void run() {
    try {
      call.check(
          Native.cudaBatchRun(
              cuda, handle, table.address(), 0, call.reason(), CudaCall.REASON_BYTES),
          "a batch of primitives");
    } finally {
      Reference.reachabilityFence(batch);
      Reference.reachabilityFence(this);
    }
  }

  @Override
  public double sum(int item, int index) {
    return table.sum(item, index);
  }

  @Override
  public void close() {
    try {
      call.check(
          Native.cudaBatchClose(cuda, handle, call.reason(), CudaCall.REASON_BYTES),
          "closing a batch");
    } finally {
      call.close();
      table.close();
    }
  }
}
