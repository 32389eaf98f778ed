package org.fettle;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.fettle.internal.Engine;
import org.fettle.internal.Engines;
import org.fettle.replay.Workbench;
import org.fettle.rules.AdamW;
import org.fettle.rules.Lamb;
import org.fettle.rules.Sgd;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class StateFileTest {
  private static final long[] FIRST = {37, 129};
  private static final long[] SECOND = {5000};

  @TempDir private Path folder;

  private static List<String> backends() {
    return Backend.all().stream()
        .filter(Backend.Availability::isAvailable)
        .map(Backend.Availability::name)
        .toList();
  }

  /** Two groups: a rule with scalars, and a bf16 parameter whose rounding is random. */
  private static final class Run implements AutoCloseable {
    final Workbench bench;
    final Tensor first;
    final Tensor firstGradient;
    final Tensor second;
    final Tensor secondGradient;
    Plan plan;

    Run(String backend) {
      bench = new Workbench(backend);
      first = bench.tensor(noise(37 * 129, 1), FIRST);
      firstGradient = bench.tensor(DType.F32, FIRST);
      second = bench.tensor(DType.BF16, SECOND);
      secondGradient = bench.tensor(DType.F32, SECOND);
      plan(UnaryOperator.identity(), new Lamb(), new AdamW(), "first");
    }

    Run plan(UnaryOperator<PlanBuilder> change, Rule rule1, Rule rule2, String name) {
      if (plan != null) {
        plan.close();
      }
      PlanBuilder builder =
          Plan.builder()
              .group(rule1, Parameter.of(first, firstGradient).named(name))
              .group(rule2, Parameter.of(second, secondGradient))
              .states(DType.BF16, Rounding.STOCHASTIC)
              .rounding(Rounding.STOCHASTIC)
              .seed(0xFFFF_FFFF_FFFF_FFFEL)
              .backend(bench.backend());
      plan = change.apply(builder).build();
      return this;
    }

    void steps(int from, int to) {
      for (int i = from; i < to; i++) {
        bench.put(firstGradient, noise(37 * 129, 100 + i));
        bench.put(secondGradient, noise(5000, 200 + i));
        // The second group takes part in every second step only.
        plan.step(new Step().skip(1, i % 2 == 1));
      }
    }

    List<Object> everything() {
      List<Object> all = new ArrayList<>(List.of(ints(bench.floats(first)), codes(second)));
      for (int i = 0; i < 2; i++) {
        for (String state : plan.rule(i).states()) {
          Tensor tensor = plan.state(i, state);
          all.add(tensor.dtype() == DType.F32 ? ints(bench.floats(tensor)) : codes(tensor));
        }
        all.add(plan.stepCount(i));
        for (String scalar : plan.rule(i).scalars()) {
          all.add(plan.scalar(i, scalar));
        }
      }
      return all;
    }

    private List<Short> codes(Tensor tensor) {
      List<Short> codes = new ArrayList<>();
      for (short code : bench.codes(tensor)) {
        codes.add(code);
      }
      return codes;
    }

    private static List<Integer> ints(float[] values) {
      return Arrays.stream(range(values.length))
          .mapToObj(i -> Float.floatToRawIntBits(values[i]))
          .toList();
    }

    private static int[] range(int length) {
      return java.util.stream.IntStream.range(0, length).toArray();
    }

    @Override
    public void close() {
      plan.close();
      bench.close();
    }
  }

  private static float[] noise(int length, long seed) {
    Random random = new Random(seed);
    float[] values = new float[length];
    for (int i = 0; i < length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  /** All orders in which three runs of two steps may use the backends. */
  private static Stream<List<String>> resumed() {
    List<String> names = backends();
    Stream.Builder<List<String>> orders = Stream.builder();
    for (int i = 0; i < names.size(); i++) {
      List<String> order = new ArrayList<>();
      for (int k = 0; k < 3; k++) {
        order.add(names.get((i + k) % names.size()));
      }
      orders.add(order);
    }
    return orders.build();
  }

  @ParameterizedTest
  @MethodSource("resumed")
  void aRunResumedOnOtherBackendsGivesTheSameBits(List<String> order) throws IOException {
    Path file = folder.resolve("state.safetensors");
    List<Object> uninterrupted;
    try (Run run = new Run("java")) {
      run.steps(0, 6);
      uninterrupted = run.everything();
    }
    List<Object> resumed = null;
    float[] first = null;
    short[] second = null;
    for (int part = 0; part < 3; part++) {
      try (Run run = new Run(order.get(part))) {
        if (part > 0) {
          run.bench.put(run.first, first);
          run.bench.put(run.second, second);
          run.plan.load(file);
        }
        run.steps(2 * part, 2 * part + 2);
        run.plan.save(file);
        first = run.bench.floats(run.first);
        second = run.bench.codes(run.second);
        resumed = run.everything();
      }
    }
    assertEquals(uninterrupted, resumed);
    try (Stream<Path> left = Files.list(folder)) {
      assertEquals(List.of(file), left.toList());
    }
  }

  @Test
  void anotherFileIsReplacedAndTheFileIsTheSameOnEveryBackend() throws IOException {
    byte[] expected = null;
    for (String backend : backends()) {
      Path file = Files.writeString(folder.resolve("state.safetensors"), "old");
      try (Run run = new Run(backend)) {
        run.steps(0, 2);
        run.plan.save(file);
      }
      byte[] bytes = Files.readAllBytes(file);
      if (expected != null) {
        assertArrayEquals(expected, bytes);
      }
      expected = bytes;
    }
  }

  @Test
  void everyDamagedByteIsFound() throws IOException {
    Path file = folder.resolve("state.safetensors");
    byte[] whole = saved(file);
    int header = header(whole);
    try (Run run = new Run("java")) {
      run.steps(0, 1);
      List<Object> before = run.everything();
      for (int at = 0; at < whole.length; at += at < header ? 1 : 997) {
        byte[] damaged = whole.clone();
        damaged[at] ^= (byte) (1 << at % 8);
        Files.write(file, damaged);
        assertThrows(IllegalArgumentException.class, () -> run.plan.load(file), "byte " + at);
      }
      for (int length = 0; length < whole.length; length += 1009) {
        Files.write(file, Arrays.copyOf(whole, length));
        assertThrows(IllegalArgumentException.class, () -> run.plan.load(file));
      }
      assertEquals(before, run.everything(), "a bad file changed something");
    }
  }

  private byte[] saved(Path file) throws IOException {
    try (Run run = new Run("java")) {
      run.steps(0, 3);
      run.plan.save(file);
    }
    return Files.readAllBytes(file);
  }

  private static int header(byte[] file) {
    return 8 + (file[0] & 255) + ((file[1] & 255) << 8);
  }

  private static String message(Plan plan, Path file) {
    return assertThrows(IllegalArgumentException.class, () -> plan.load(file)).getMessage();
  }

  @Test
  void aFileOfAnotherPlanIsRefused() throws IOException {
    Path file = folder.resolve("state.safetensors");
    saved(file);
    try (Run run = new Run("java")) {
      run.plan(UnaryOperator.identity(), new AdamW(), new AdamW(), "first");
      assertTrue(
          message(run.plan, file).endsWith("has tensor 0 (first) with rule lamb: expected adamw"),
          message(run.plan, file));
      run.plan(UnaryOperator.identity(), new Lamb(), new AdamW(), "other");
      assertTrue(message(run.plan, file).contains("with name first: expected other"));
      run.plan(UnaryOperator.identity(), new Lamb(), new AdamW(), null);
      assertTrue(message(run.plan, file).contains("with name first: expected null"));
      run.plan(builder -> builder.seed(1), new Lamb(), new AdamW(), "first");
      assertTrue(message(run.plan, file).contains("has seed 18446744073709551614: expected 1"));
      run.plan(
          builder -> builder.states(DType.F32, Rounding.NEAREST), new Lamb(), new AdamW(), "first");
      assertTrue(
          message(run.plan, file)
              .contains("tensor 0 (first) with state m stored as BF16: expected F32"));
      Tensor third = run.bench.tensor(DType.F32, 3);
      run.plan(
          builder -> builder.group(new Sgd(), Parameter.of(third, null)),
          new Lamb(),
          new AdamW(),
          "first");
      assertTrue(message(run.plan, file).contains("has tensors: 2: expected 3"));
    }
    Tensor value = Tensor.allocate(DType.F32, 129, 37);
    Tensor other = Tensor.allocate(DType.BF16, SECOND);
    try (Plan plan =
        Plan.builder()
            .group(new Lamb(), Parameter.of(value, null).named("first"))
            .group(new AdamW(), Parameter.of(other, null))
            .states(DType.BF16, Rounding.NEAREST)
            .seed(-2)
            .build()) {
      assertTrue(message(plan, file).contains("with shape [37,129]: expected [129,37]"));
      assertEquals(0, plan.stepCount(0));
    }
  }

  @Test
  void aNewerOrForeignFileIsRefused() throws IOException {
    Path file = folder.resolve("state.safetensors");
    String text = new String(saved(file), StandardCharsets.ISO_8859_1);
    try (Run run = new Run("java")) {
      write(file, text.replace("\"version\":\"1\"", "\"version\":\"2\""));
      assertTrue(message(run.plan, file).contains("has version 2: expected at most 1"));
      write(file, text.replace("\"version\":\"1\"", "\"version\":\"0\""));
      assertTrue(message(run.plan, file).contains("has version 0: expected a number from 1 on"));
      write(file, text.replace("\"fettle-state\"", "\"fettle-stale\""));
      assertTrue(message(run.plan, file).contains("has format fettle-stale"));
      // An array under another name, though nothing of the description changed.
      write(file, text.replace("\"first.m\":", "\"first.q\":"));
      assertTrue(message(run.plan, file).contains("has no array first.m"));
      Files.delete(file);
      assertThrows(NoSuchFileException.class, () -> run.plan.load(file));
      run.steps(0, 1);
    }
  }

  private static void write(Path file, String text) throws IOException {
    Files.write(file, text.getBytes(StandardCharsets.ISO_8859_1));
  }

  @Test
  void savingFailsWithoutATrace() throws IOException {
    Path file = folder.resolve("nowhere").resolve("state.safetensors");
    Tensor one = Tensor.allocate(DType.F32, 1);
    Tensor two = Tensor.allocate(DType.F32, 1);
    try (Plan plan = Plan.builder().group(new AdamW(), Parameter.of(one, null)).build()) {
      assertThrows(NoSuchFileException.class, () -> plan.save(file));
    }
    Path good = folder.resolve("state.safetensors");
    Plan plan =
        Plan.builder()
            .group(new AdamW(), Parameter.of(one, null), Parameter.of(two, null).named("0"))
            .build();
    assertTrue(
        assertThrows(IllegalArgumentException.class, () -> plan.save(good))
            .getMessage()
            .startsWith("two tensors are called 0"));
    assertFalse(Files.exists(good));
    plan.close();
    assertThrows(IllegalStateException.class, () -> plan.save(good));
    assertThrows(IllegalStateException.class, () -> plan.load(good));
  }

  @Test
  void countersAndScalarsCanBeSet() {
    Tensor value = Tensor.allocate(DType.F32, 4);
    try (Plan plan = Plan.builder().group(new Lamb(), Parameter.of(value, null)).build()) {
      plan.setStepCount(0, 1L << 40);
      plan.setScalar(0, "trust_ratio", 0.25);
      assertEquals(1L << 40, plan.stepCount(0));
      assertEquals(0.25, plan.scalar(0, "trust_ratio"));
      assertThrows(IllegalArgumentException.class, () -> plan.setStepCount(0, -1));
      assertThrows(IllegalArgumentException.class, () -> plan.setStepCount(1, 1));
      assertThrows(IllegalArgumentException.class, () -> plan.setScalar(0, "ratio", 1));
    }
  }

  /** The parameter is never touched, so its address may be anything. */
  @Test
  void statesBehindTwoGibibytesAreThere() throws IOException {
    long elements = (1L << 30) + 1000;
    Assumptions.assumeTrue(
        Boolean.getBoolean("fettle.large"),
        "not run: a state of 2 GiB, which takes disk and half a minute; -Dfettle.large=true runs it");
    Path file = folder.resolve("state.safetensors");
    short[] end = new short[1000];
    Arrays.fill(end, (short) 0x4049);
    Engine engine = Engines.named("java");
    ByteBuffer bytes = ByteBuffer.allocateDirect(2000).order(ByteOrder.nativeOrder());
    bytes.asShortBuffer().put(end);
    for (int run = 0; run < 2; run++) {
      Tensor value = Tensor.ofAddress(4096, 2 * elements, null, Device.CPU, DType.BF16, elements);
      try (Plan plan =
          Plan.builder()
              .group(new Sgd().withMomentum(0.9), Parameter.of(value, null))
              .states(DType.BF16, Rounding.NEAREST)
              .backend(Backend.named("java"))
              .build()) {
        Tensor state = plan.state(0, "momentum");
        if (run == 0) {
          engine.write(state, 1L << 31, bytes);
          plan.save(file);
        } else {
          plan.load(file);
          ByteBuffer back = ByteBuffer.allocateDirect(2002).order(ByteOrder.nativeOrder());
          engine.read(state, (1L << 31) - 2, back);
          back.flip().order(ByteOrder.nativeOrder());
          assertEquals(0, back.getShort());
          short[] found = new short[1000];
          back.asShortBuffer().get(found);
          assertArrayEquals(end, found);
        }
      }
    }
  }
}
