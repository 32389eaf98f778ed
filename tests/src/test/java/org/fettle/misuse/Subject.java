package org.fettle.misuse;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.ByteBuffer;
import java.util.List;
import java.util.zip.CRC32C;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Parameter;
import org.fettle.Plan;
import org.fettle.PlanBuilder;
import org.fettle.Rule;
import org.fettle.Step;
import org.fettle.Tensor;
import org.fettle.TestAccess;
import org.fettle.testkit.Arena;
import org.fettle.testkit.Inputs;

/**
 * A parameter with everything that belongs to one, in a block whose bytes can be summed: what is
 * refused must leave every bit of it alone.
 */
final class Subject implements AutoCloseable {
  static final int ELEMENTS = 5000;
  private static final int STRIDE = 1 << 15;

  final Backend backend;
  final Arena arena;
  final Tensor value;
  final Tensor gradient;
  final Tensor mask;
  final Tensor copy;
  final Tensor average;

  Subject(Backend backend) {
    this.backend = backend;
    arena = new Arena(backend, 6 * STRIDE);
    for (int i = 0; i < 6; i++) {
      Inputs.fill(Inputs.Kind.NORMAL, DType.F32, i, arena.image(), i * STRIDE, STRIDE / 4);
    }
    arena.upload(arena.bytes());
    value = tensor(0, DType.F32);
    gradient = tensor(1, DType.F32);
    mask = tensor(2, DType.BIT);
    copy = tensor(3, DType.BF16);
    average = tensor(4, DType.F32);
  }

  /** A tensor of the block's part {@code part}, 0 to 5. */
  Tensor tensor(int part, DType dtype) {
    return arena.view(false, part * STRIDE, dtype, ELEMENTS);
  }

  /** A tensor of another number of elements. */
  Tensor tensor(int part, DType dtype, long... shape) {
    return arena.view(false, part * STRIDE, dtype, shape);
  }

  /** A tensor that starts some bytes further on. */
  Tensor shifted(int part, int bytes, DType dtype, long... shape) {
    return arena.view(false, part * STRIDE + bytes, dtype, shape);
  }

  Parameter parameter() {
    return new Parameter("weights", value, gradient, mask, copy, List.of(average));
  }

  PlanBuilder builder(Rule rule) {
    return Plan.builder().backend(backend).group(rule, parameter());
  }

  /** The sum of the block. */
  long sum() {
    arena.download(arena.bytes());
    CRC32C crc = new CRC32C();
    crc.update(arena.image().duplicate());
    return crc.getValue();
  }

  /** The sum of a plan's states, counters and scalars. */
  long sum(Plan plan) {
    CRC32C crc = new CRC32C();
    for (int i = 0; i < plan.tensors(); i++) {
      for (String name : plan.rule(i).states()) {
        Tensor state = plan.state(i, name);
        ByteBuffer bytes = ByteBuffer.allocateDirect((int) state.bytes());
        TestAccess.engine(plan.backend()).read(state, 0, bytes);
        crc.update(bytes.flip());
      }
      ByteBuffer numbers = ByteBuffer.allocate(8 + 8 * plan.rule(i).scalars().size());
      numbers.putLong(plan.stepCount(i));
      for (String name : plan.rule(i).scalars()) {
        numbers.putDouble(plan.scalar(i, name));
      }
      crc.update(numbers.flip());
    }
    return crc.getValue();
  }

  /** Runs what must be refused, and looks whether anything was written. */
  void unchanged(Runnable refused) {
    long before = sum();
    refused.run();
    assertEquals(before, sum(), "memory was written");
  }

  /** The same, with a plan's states. The plan must still be able to step afterwards. */
  void unchanged(Plan plan, Runnable refused) {
    long before = sum();
    long states = sum(plan);
    refused.run();
    assertEquals(before, sum(), "memory was written");
    assertEquals(states, sum(plan), "states or counters were changed");
    long step = plan.stepCount(0);
    plan.step(new Step());
    assertEquals(step + 1, plan.stepCount(0));
  }

  @Override
  public void close() {
    arena.close();
  }
}
