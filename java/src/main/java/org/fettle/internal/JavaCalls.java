package org.fettle.internal;

import java.util.concurrent.atomic.AtomicLong;

/** Runs kernels on the Java backend: participants take ranges of units from one cursor. */
final class JavaCalls {
  private JavaCalls() {}

  static void run(KernelCall call) {
    JavaRunner.checkDenormals();
    if (call.units() == 0) {
      return;
    }
    JavaCall seen = new JavaCall(call);
    JavaKernel twin = call.kernel().twin();
    int participants = call.participants();
    if (participants == 1) {
      twin.run(seen, 0, call.units());
      return;
    }
    AtomicLong cursor = new AtomicLong();
    long range = call.rangeUnits();
    new Workers(participants, null)
        .run(
            participants,
            () -> {
              long first = cursor.getAndAdd(range);
              while (first < call.units()) {
                twin.run(seen, first, Math.min(call.units(), first + range));
                first = cursor.getAndAdd(range);
              }
            });
  }
}
