package org.fettle.internal;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.GradientClip;
import org.fettle.Parameter;
import org.fettle.Plan;
import org.fettle.PlanBuilder;
import org.fettle.Rule;
import org.fettle.Step;
import org.fettle.Tensor;
import org.fettle.replay.Workbench;
import org.fettle.rules.AdaGradNorm;
import org.fettle.rules.AdamW;
import org.fettle.rules.Lamb;
import org.fettle.rules.Sgd;
import org.fettle.testkit.Machine;
import org.fettle.testkit.RuleVariants;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * What only a device has: streams, graphs, launch shapes, tensors beyond 2^32 bytes. Runs where
 * there is one; elsewhere {@link Machine} says that it was not run.
 *
 * <p>{@code -Dfettle.device.shapes=N}: only the first N launch shapes. {@code
 * -Dfettle.device.large=true}: also a tensor of more than 2^32 bytes (needs 9 GB there).
 */
class CudaDeviceTest {
  private static final int[] SIZES = {5000, 1, 4096, 0, 513, 9_010};

  @TempDir Path folder;

  @BeforeEach
  void needsADevice() {
    assertEquals("java", Machine.backends().get(0).name());
    assumeTrue(CudaLibrary.isOpen(), CudaLibrary::reason);
  }

  /** A plan over the same numbers on any backend. */
  private static final class Model implements AutoCloseable {
    private final Workbench bench;
    private final List<Tensor> values = new ArrayList<>();
    private final List<Tensor> gradients = new ArrayList<>();
    final Plan plan;

    Model(String backend, Rule rule, boolean clip) {
      this(backend, rule, clip, 11);
    }

    Model(String backend, Rule rule, boolean clip, long seed) {
      bench = new Workbench(backend);
      Random random = new Random(seed);
      List<Parameter> parameters = new ArrayList<>();
      for (int i = 0; i < SIZES.length; i++) {
        long[] shape =
            SIZES[i] % 10 == 0 && SIZES[i] > 0
                ? new long[] {10, SIZES[i] / 10}
                : new long[] {SIZES[i]};
        Tensor value = bench.tensor(numbers(random, SIZES[i]), shape);
        Tensor gradient = bench.tensor(numbers(random, SIZES[i]), shape);
        values.add(value);
        gradients.add(gradient);
        parameters.add(Parameter.of(value, gradient).named("tensor " + i));
      }
      PlanBuilder builder = Plan.builder().backend(bench.backend()).group(rule, parameters);
      if (clip) {
        builder.clip(GradientClip.byGlobalNorm(0.5));
      }
      plan = builder.build();
    }

    void renew(long seed) {
      Random random = new Random(seed);
      for (int i = 0; i < SIZES.length; i++) {
        bench.put(gradients.get(i), numbers(random, SIZES[i]));
      }
    }

    float[][] values() {
      return values.stream().map(bench::floats).toArray(float[][]::new);
    }

    private static float[] numbers(Random random, int count) {
      float[] numbers = new float[count];
      for (int i = 0; i < count; i++) {
        numbers[i] = (float) random.nextGaussian();
      }
      return numbers;
    }

    @Override
    public void close() {
      plan.close();
      bench.close();
    }
  }

  private static void assertSame(Model expected, Model actual, String what) {
    float[][] a = expected.values();
    float[][] b = actual.values();
    for (int i = 0; i < a.length; i++) {
      assertArrayEquals(a[i], b[i], what + ", tensor " + i);
    }
  }

  /** A stream or a graph of the device, by the functions of the library itself. */
  private static long made(String what, java.util.function.ToIntFunction<CudaCall> make) {
    try (CudaCall call = new CudaCall(0)) {
      call.check(make.applyAsInt(call), what);
      return call.out();
    }
  }

  private static long stream() {
    return made(
        "stream",
        call ->
            Native.cudaStreamCreate(
                CudaLibrary.handle(),
                0,
                call.at(CudaCall.OUT),
                call.reason(),
                CudaCall.REASON_BYTES));
  }

  private static void synchronize(long stream) {
    made(
        "synchronize",
        call ->
            Native.cudaStreamSynchronize(
                CudaLibrary.handle(), 0, stream, call.reason(), CudaCall.REASON_BYTES));
  }

  private static void destroy(long stream) {
    made(
        "destroy",
        call ->
            Native.cudaStreamDestroy(
                CudaLibrary.handle(), 0, stream, call.reason(), CudaCall.REASON_BYTES));
  }

  @Test
  void aCapturedStepReplaysWithNewLearningRates() {
    for (Rule rule : List.of(new AdamW(), new Lamb())) {
      try (Model expected = new Model("java", rule, true);
          Model actual = new Model("cuda", rule, true)) {
        long stream = stream();
        actual.plan.setStream(stream);
        actual.plan.stage(new Step());
        made(
            "capture",
            call ->
                Native.cudaCaptureBegin(
                    CudaLibrary.handle(), 0, stream, call.reason(), CudaCall.REASON_BYTES));
        actual.plan.stepStaged();
        long graph =
            made(
                "graph",
                call ->
                    Native.cudaCaptureEnd(
                        CudaLibrary.handle(),
                        0,
                        stream,
                        call.at(CudaCall.OUT),
                        call.reason(),
                        CudaCall.REASON_BYTES));
        for (int step = 0; step < 4; step++) {
          expected.renew(step);
          actual.renew(step);
          Step arguments = new Step().lr(0.1 / (step + 1)).lossScale(step == 2 ? 4 : 1);
          expected.plan.step(arguments);
          actual.plan.stage(arguments);
          made(
              "replay",
              call ->
                  Native.cudaGraphLaunch(
                      CudaLibrary.handle(),
                      0,
                      graph,
                      stream,
                      call.reason(),
                      CudaCall.REASON_BYTES));
          synchronize(stream);
          assertSame(expected, actual, rule.id() + ", replay " + step);
          assertEquals(expected.plan.stepCount(0), actual.plan.stepCount(0));
        }
        made(
            "destroy",
            call ->
                Native.cudaGraphDestroy(
                    CudaLibrary.handle(), 0, graph, call.reason(), CudaCall.REASON_BYTES));
        actual.plan.setStream(0);
        destroy(stream);
      }
    }
  }

  @Test
  void twoStreamsDoNotDisturbEachOther() {
    try (Model a = new Model("java", new AdamW(), false, 1);
        Model b = new Model("java", new Lamb(), true, 2);
        Model onOne = new Model("cuda", new AdamW(), false, 1);
        Model onTwo = new Model("cuda", new Lamb(), true, 2)) {
      long one = stream();
      long two = stream();
      onOne.plan.setStream(one);
      onTwo.plan.setStream(two);
      for (int step = 0; step < 20; step++) {
        a.plan.step();
        b.plan.step();
        onOne.plan.step();
        onTwo.plan.step();
      }
      synchronize(one);
      synchronize(two);
      assertSame(a, onOne, "first stream");
      assertSame(b, onTwo, "second stream");
      onOne.plan.setStream(0);
      onTwo.plan.setStream(0);
      destroy(one);
      destroy(two);
    }
  }

  @Test
  void noResultDependsOnTheLaunchShape() {
    int[][] all = {{32, 1}, {64, 7}, {96, 3}, {128, 13}, {160, 2}, {256, 1}, {256, 500}};
    int[][] shapes = Arrays.copyOf(all, Integer.getInteger("fettle.device.shapes", all.length));
    for (Rule rule : RuleVariants.all()) {
      Step step = new Step();
      rule.inputs().forEach(name -> step.input(name, 0.5));
      try (Model expected = new Model("java", rule, true)) {
        expected.plan.step(step);
        expected.plan.step(step);
        for (int[] shape : shapes) {
          System.setProperty("fettle.cuda.threads", Integer.toString(shape[0]));
          System.setProperty("fettle.cuda.blocks", Integer.toString(shape[1]));
          try (Model actual = new Model("cuda", rule, true)) {
            actual.plan.step(step);
            actual.plan.step(step);
            assertSame(expected, actual, rule.id() + ", " + shape[0] + " x " + shape[1]);
          } finally {
            System.clearProperty("fettle.cuda.threads");
            System.clearProperty("fettle.cuda.blocks");
          }
        }
      }
    }
  }

  @Test
  void whatIsKeptPerRowIsReadSavedAndLoaded() throws Exception {
    Rule rule =
        RuleVariants.all().stream().filter(r -> r.rowState() != null).findFirst().orElseThrow();
    assertEquals(AdaGradNorm.class, rule.getClass());
    Path file = folder.resolve("state.safetensors");
    try (Model expected = new Model("java", rule, false);
        Model actual = new Model("cuda", rule, false)) {
      expected.plan.step();
      actual.plan.step();
      assertEquals(expected.plan.rowState(0, 3), actual.plan.rowState(0, 3));
      actual.plan.save(file);
      try (Model resumed = new Model("cuda", rule, false)) {
        resumed.plan.step(new Step().lr(0));
        resumed.plan.load(file);
        for (int row = 0; row < 10; row++) {
          assertEquals(expected.plan.rowState(5, row), resumed.plan.rowState(5, row));
        }
      }
    }
  }

  @Test
  void aTensorOfMoreThan32BitsOfBytesIsStepped() {
    assumeTrue(Boolean.getBoolean("fettle.device.large"), "-Dfettle.device.large=true is not set");
    long elements = (1L << 31) + 4099;
    Engine engine = Engines.named("cuda");
    Tensor value = engine.allocate(DType.BF16, new long[] {elements}, 0);
    Tensor gradient = engine.allocate(DType.BF16, new long[] {elements}, 1);
    try (Workbench small = new Workbench("java")) {
      // 0x3F3F and 0x3E3E: every element the same, so one element on the CPU says what all must be.
      fill(value, 0x3F);
      fill(gradient, 0x3E);
      Tensor one = small.tensor(DType.BF16, 1);
      Tensor slope = small.tensor(DType.BF16, 1);
      small.put(one, new short[] {0x3F3F});
      small.put(slope, new short[] {0x3E3E});
      Sgd rule = new Sgd().withLr(0.5);
      try (Plan expected =
              Plan.builder()
                  .backend(small.backend())
                  .group(rule, Parameter.of(one, slope))
                  .build();
          Plan actual =
              Plan.builder()
                  .backend(Backend.named("cuda"))
                  .group(rule, Parameter.of(view(value), view(gradient)))
                  .build()) {
        expected.step();
        actual.step();
        assertEquals(1, actual.stepCount(0));
      }
      short right = small.codes(one)[0];
      ByteBuffer part = ByteBuffer.allocateDirect(64 << 20).order(ByteOrder.nativeOrder());
      for (long at = 0; at < value.bytes(); at += part.capacity()) {
        part.clear().limit((int) Math.min(part.capacity(), value.bytes() - at));
        engine.read(value, at, part);
        part.flip();
        while (part.remaining() >= 2) {
          int position = part.position();
          short code = part.getShort();
          if (code != right) {
            assertEquals(right, code, "byte " + (at + position));
          }
        }
      }
    } finally {
      engine.release(value);
      engine.release(gradient);
    }
  }

  private static Tensor view(Tensor memory) {
    return Tensor.ofAddress(
        memory.address(), memory.bytes(), memory, memory.device(), memory.dtype(), memory.shape());
  }

  private static void fill(Tensor tensor, int value) {
    made(
        "fill",
        call ->
            Native.cudaFill(
                CudaLibrary.handle(),
                0,
                tensor.address(),
                value,
                tensor.bytes(),
                0,
                call.reason(),
                CudaCall.REASON_BYTES));
  }
}
