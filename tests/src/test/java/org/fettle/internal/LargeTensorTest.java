package org.fettle.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Device;
import org.fettle.Parameter;
import org.fettle.Plan;
import org.fettle.Step;
import org.fettle.Tensor;
import org.fettle.TestAccess;
import org.fettle.rules.Sgd;
import org.fettle.testkit.Machine;
import org.junit.jupiter.api.Test;

/**
 * A tensor of more than 2^31 elements: every one of them is looked at after a step of SGD in bf16.
 * Needs 9 GiB of memory besides the heap; {@code -Dfettle.large=true} asks for it.
 */
class LargeTensorTest {
  private static final long ELEMENTS = (1L << 31) + 4099;
  private static final int WINDOW = 1 << 24;
  private static final short ONE = 0x3F80;
  private static final short MINUS_HALF = (short) 0xBF00;

  /** Where the gradient is 1; elsewhere it is 0, and the parameter stays 0. */
  private static final long[] PLACES = {
    0, 1, (1L << 30) - 1, 1L << 30, (1L << 31) - 1, 1L << 31, (1L << 31) + 4096, ELEMENTS - 1
  };

  @Test
  void everyElementBehindTheIntegersIsReached() {
    assumeTrue(
        Boolean.getBoolean("fettle.large"),
        "NOT RUN: more than 2^31 elements; -Dfettle.large=true asks for it");
    for (Backend backend : Machine.hostBackends()) {
      Engine engine = TestAccess.engine(backend);
      try (NativeMemory values = NativeMemory.allocate(2 * ELEMENTS, 0);
          NativeMemory gradients = NativeMemory.allocate(2 * ELEMENTS, 1)) {
        Tensor value = view(values);
        Tensor gradient = view(gradients);
        ByteBuffer one = ByteBuffer.allocateDirect(2).order(ByteOrder.nativeOrder());
        for (long place : PLACES) {
          engine.write(gradient, 2 * place, one.clear().putShort(ONE).flip());
        }
        try (Plan plan =
            Plan.builder()
                .backend(backend)
                .group(new Sgd().withLr(0.5), Parameter.of(value, gradient))
                .threads(2)
                .build()) {
          plan.step(new Step());
        }
        check(backend, engine, value);
      }
      Machine.say("large tensors", ELEMENTS + " elements on " + backend.name());
    }
  }

  // The owner is a stranger to the plan, which refuses what another plan allocated.
  private static Tensor view(NativeMemory memory) {
    return Tensor.ofAddress(
        memory.address(), 2 * ELEMENTS, List.of(memory), Device.CPU, DType.BF16, ELEMENTS);
  }

  private static void check(Backend backend, Engine engine, Tensor value) {
    ByteBuffer window = ByteBuffer.allocateDirect(WINDOW).order(ByteOrder.nativeOrder());
    ByteBuffer zeros = ByteBuffer.allocateDirect(WINDOW);
    int next = 0;
    for (long at = 0; at < ELEMENTS; at += WINDOW / 2) {
      int n = (int) Math.min(WINDOW / 2, ELEMENTS - at);
      window.clear().limit(2 * n);
      engine.read(value, 2 * at, window);
      window.clear();
      while (next < PLACES.length && PLACES[next] < at + n) {
        int index = (int) (2 * (PLACES[next] - at));
        assertEquals(MINUS_HALF, window.getShort(index), backend + ", element " + PLACES[next]);
        window.putShort(index, (short) 0);
        next++;
      }
      long first = at;
      int wrong = window.slice(0, 2 * n).mismatch(zeros.slice(0, 2 * n));
      assertEquals(-1, wrong, () -> backend + ", from element " + first + " on: changed a byte");
    }
    assertEquals(PLACES.length, next);
  }
}
