package org.fettle.internal;

import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import org.fettle.Tensor;

/** Runs kernels on the native backend: one native call per participant. */
final class CpuCalls {
  // fettle_call, in fields of eight bytes; the library compares the size.
  private static final int KERNEL = 8;
  private static final int UNITS = 16;
  private static final int RANGE_UNITS = 24;
  private static final int ARRAY = 40;
  private static final int SLOTS_BYTES = KernelCall.SLOTS * Long.BYTES;
  private static final int DTYPE = ARRAY + SLOTS_BYTES;
  private static final int ELEMENTS = DTYPE + SLOTS_BYTES;
  private static final int INTEGER = ELEMENTS + SLOTS_BYTES;
  private static final int NUMBER = INTEGER + SLOTS_BYTES;

  /** Bytes of a {@code fettle_call}. */
  static final int BYTES = NUMBER + SLOTS_BYTES;

  static final KeptMemory MEMORY = new KeptMemory();

  private CpuCalls() {}

  static void run(KernelCall call, int tier) {
    if (call.units() == 0) {
      return;
    }
    NativeMemory memory = MEMORY.borrow(BYTES);
    try {
      fill(Addresses.buffer(memory.address(), BYTES), call);
      Runnable work = () -> check(call, Native.cpuCall(memory.address(), tier));
      int participants = call.participants();
      if (participants == 1) {
        work.run();
      } else {
        new Workers(participants, null).run(participants, work);
      }
    } finally {
      // Workers answer when nobody is inside any more.
      MEMORY.giveBack(memory);
      Reference.reachabilityFence(call);
    }
  }

  /** Lays a call out as the kernels read it. */
  static void fill(ByteBuffer table, KernelCall call) {
    for (int at = 0; at < BYTES; at += Long.BYTES) {
      table.putLong(at, 0);
    }
    table.putLong(0, BYTES);
    table.putLong(KERNEL, call.kernel().number());
    table.putLong(UNITS, call.units());
    table.putLong(RANGE_UNITS, call.rangeUnits());
    for (int i = 0; i < KernelCall.SLOTS; i++) {
      Tensor tensor = call.array(i);
      if (tensor != null) {
        table.putLong(ARRAY + i * Long.BYTES, tensor.address());
        table.putLong(DTYPE + i * Long.BYTES, tensor.dtype().code());
        table.putLong(ELEMENTS + i * Long.BYTES, tensor.elements());
      }
      table.putLong(INTEGER + i * Long.BYTES, call.integer(i));
      table.putDouble(NUMBER + i * Long.BYTES, call.number(i));
    }
  }

  private static void check(KernelCall call, int status) {
    if (status != 0) {
      throw new IllegalStateException(
          "kernel " + call.kernel().id() + " failed: " + Native.statusText(status));
    }
  }
}
