package org.fettle.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Parameter;
import org.fettle.Plan;
import org.fettle.Rules;
import org.fettle.Tensor;
import org.fettle.TestAccess;
import org.fettle.testkit.Machine;
import org.fettle.testkit.RuleVariants;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Whichever allocation fails, the caller is told and nothing stays allocated. */
class AllocationFailureTest {
  private static final int MOST = 100;
  private static final int ELEMENTS = 3 * 100;

  @AfterEach
  void allowAll() {
    NativeMemory.limitAllocations(-1);
  }

  @Test
  void aPlanThatRunsOutOfMemoryLeavesNothing() {
    ByteBuffer memory = ByteBuffer.allocateDirect(8 * ELEMENTS).order(ByteOrder.nativeOrder());
    Tensor value = Tensor.of(memory.slice(0, 4 * ELEMENTS), DType.F32, 3, 100);
    Tensor gradient = Tensor.of(memory.slice(4 * ELEMENTS, 4 * ELEMENTS), DType.F32, 3, 100);
    int failures = 0;
    for (Backend backend : cpuBackends()) {
      for (String id : Rules.ids()) {
        long before = NativeMemory.liveBytes();
        int allowed = 0;
        for (; ; allowed++) {
          assertTrue(allowed < MOST, "no plan with " + MOST + " allocations");
          NativeMemory.limitAllocations(allowed);
          try (Plan plan =
              Plan.builder()
                  .backend(backend)
                  .group(RuleVariants.withId(id), Parameter.of(value, gradient))
                  .build()) {
            assertEquals(1, plan.tensors());
            break;
          } catch (OutOfMemoryError e) {
            assertTrue(e.getMessage().startsWith("no native memory for"), e.getMessage());
            assertEquals(before, NativeMemory.liveBytes(), id + " after " + allowed);
            failures++;
          }
        }
        NativeMemory.limitAllocations(-1);
        assertTrue(allowed > 0, "nothing was allocated");
        assertEquals(before, NativeMemory.liveBytes(), id);
      }
    }
    Machine.say("allocation", failures + " failures, each without a trace");
  }

  @Test
  void aBatchThatRunsOutOfMemoryLeavesNothing() {
    ByteBuffer memory = ByteBuffer.allocateDirect(400).order(ByteOrder.nativeOrder());
    Tensor array = Tensor.of(memory, DType.F32, 100);
    List<Batch.Item> items =
        List.of(
            Batch.Item.of(
                Primitive.SQUARE_SUM, List.of(array), 1, 1, new Batch.Labels(new long[0])));
    for (Backend backend : cpuBackends()) {
      long before = NativeMemory.liveBytes();
      for (int allowed = 0; allowed < 2; allowed++) {
        NativeMemory.limitAllocations(allowed);
        assertThrows(
            OutOfMemoryError.class,
            () -> TestAccess.engine(backend).open(new Batch(items)).close());
        assertEquals(before, NativeMemory.liveBytes());
      }
    }
  }

  // Those that take their memory from NativeMemory.
  private static List<Backend> cpuBackends() {
    return Machine.hostBackends().stream().filter(b -> b.name().startsWith("cpu")).toList();
  }
}
