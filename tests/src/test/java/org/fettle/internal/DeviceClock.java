package org.fettle.internal;

import java.util.Arrays;
import org.fettle.Tensor;

/** Milliseconds that pass on the first CUDA device while something is enqueued and done. */
final class DeviceClock implements AutoCloseable {
  private static final long CUDA = CudaLibrary.handle();

  private final CudaCall call = new CudaCall(Float.BYTES);
  private final long first = event();
  private final long second = event();

  private long event() {
    call.check(
        Native.cudaEventCreate(
            CUDA, 0, call.at(CudaCall.OUT), call.reason(), CudaCall.REASON_BYTES),
        "an event");
    return call.out();
  }

  double milliseconds(Runnable work) {
    record(first);
    work.run();
    record(second);
    call.check(
        Native.cudaEventElapsed(
            CUDA, 0, first, second, call.at(CudaCall.FREE), call.reason(), CudaCall.REASON_BYTES),
        "an event's time");
    return call.block().getFloat(CudaCall.FREE);
  }

  private void record(long event) {
    call.check(
        Native.cudaEventRecord(CUDA, 0, event, 0, call.reason(), CudaCall.REASON_BYTES),
        "an event");
  }

  @Override
  public void close() {
    for (long event : new long[] {first, second}) {
      call.check(
          Native.cudaEventDestroy(CUDA, 0, event, call.reason(), CudaCall.REASON_BYTES),
          "an event");
    }
    call.close();
  }

  static double median(double[] values) {
    double[] sorted = values.clone();
    Arrays.sort(sorted);
    return sorted[sorted.length / 2];
  }

  static void copy(Tensor from, Tensor to) {
    try (CudaCall call = new CudaCall(0)) {
      call.check(
          Native.cudaCopy(
              CUDA,
              0,
              to.address(),
              from.address(),
              from.bytes(),
              0,
              call.reason(),
              CudaCall.REASON_BYTES),
          "copying on the device");
    }
  }
}
