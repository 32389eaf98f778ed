package org.fettle.samebits;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.fettle.Arithmetic;
import org.fettle.Backend;
import org.fettle.CodeBook;
import org.fettle.DType;
import org.fettle.Parameter;
import org.fettle.Plan;
import org.fettle.Rule;
import org.fettle.StateFormat;
import org.fettle.Step;
import org.fettle.Tensor;
import org.fettle.replay.Workbench;
import org.fettle.rules.AdamW;
import org.fettle.rules.KahanAdamW;
import org.fettle.testkit.Inputs;
import org.fettle.testkit.Machine;
import org.fettle.testkit.RuleVariants;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Low-bit states: equal bits on every backend, for every rule, format, size and thread count. */
class LowBitStatesTest {
  private static final List<StateFormat> FORMATS =
      List.of(
          StateFormat.linear8().withThreshold(0),
          StateFormat.dynamic8().withThreshold(0),
          StateFormat.dynamic8().withThreshold(0).withBlockSize(2048),
          StateFormat.torchao8().withThreshold(0).withBlockSize(1),
          StateFormat.torchao4().withThreshold(0).withBlockSize(2),
          StateFormat.torchao4().withThreshold(0),
          StateFormat.fp8().withThreshold(0).withBlockSize(4));

  @TempDir private Path folder;

  private static float[] noise(int n, long seed, boolean special) {
    ByteBuffer bytes = ByteBuffer.allocate(4 * n).order(ByteOrder.nativeOrder());
    Inputs.Kind kind = special ? Inputs.Kind.MIXED : Inputs.Kind.HEAVY;
    Inputs.fill(kind, DType.F32, seed, bytes, 0, n);
    float[] values = new float[n];
    bytes.asFloatBuffer().get(values);
    return values;
  }

  /** Some steps, and all that they wrote; NaN as one. */
  private static List<int[]> run(
      String backend, Rule rule, StateFormat format, int threads, boolean special, long... shape) {
    int n = (int) Arrays.stream(shape).reduce(1, (a, b) -> a * b);
    List<int[]> written = new ArrayList<>();
    try (Workbench bench = new Workbench(backend)) {
      Tensor value = bench.tensor(noise(n, 1, special), shape);
      Tensor gradient = bench.tensor(DType.F32, shape);
      try (Plan plan =
          Plan.builder()
              .group(rule, Parameter.of(value, gradient))
              .states(format)
              .threads(threads)
              .backend(bench.backend())
              .build()) {
        Step step = new Step();
        rule.inputs().forEach(input -> step.input(input, 0.75));
        for (int t = 0; t < 3; t++) {
          bench.put(gradient, noise(n, 5 + t, special && t == 1));
          plan.step(step);
        }
        written.add(bits(bench.floats(value)));
        for (int k = 0; k < rule.states().size(); k++) {
          String name = rule.states().get(k);
          Tensor state = plan.state(0, name);
          if (state.dtype() == DType.U8) {
            byte[] codes = bench.bytes(state);
            int[] wide = new int[codes.length];
            for (int i = 0; i < wide.length; i++) {
              wide[i] = codes[i];
            }
            written.add(wide);
            written.add(bits(bench.floats(plan.scales(0, name))));
          } else {
            written.add(bits(bench.floats(state)));
          }
        }
      }
    }
    return written;
  }

  private static int[] bits(float[] values) {
    int[] bits = new int[values.length];
    for (int i = 0; i < bits.length; i++) {
      bits[i] = Float.floatToIntBits(values[i]);
    }
    return bits;
  }

  private static void compare(Rule rule, StateFormat format, boolean special, long... shape) {
    List<int[]> expected = run("java", rule, format, 1, special, shape);
    for (Backend backend : Machine.backends()) {
      for (int threads = 1; threads <= 3; threads++) {
        List<int[]> actual = run(backend.name(), rule, format, threads, special, shape);
        for (int k = 0; k < expected.size(); k++) {
          String what = backend + " " + rule + " " + format + " " + Arrays.toString(shape);
          assertArrayEquals(expected.get(k), actual.get(k), what + " array " + k);
        }
      }
    }
  }

  @Test
  void sizes() {
    for (StateFormat format : FORMATS) {
      for (long n : new long[] {0, 1, 7, 511, 512, 513, 4095, 4096, 4097, 10000, 100_000}) {
        compare(new AdamW(), format, false, n);
        compare(new AdamW(), format, true, n);
      }
    }
  }

  @Test
  void everyRule() {
    for (Rule rule : RuleVariants.all()) {
      if (!rule.states().isEmpty()) {
        for (StateFormat format : List.of(FORMATS.get(1), FORMATS.get(4), FORMATS.get(0))) {
          compare(rule, format, false, 9, 518);
        }
      }
    }
  }

  @Test
  void kahanKeepsWhatTheParameterCannotHold() {
    int n = 4000;
    float[] start = noise(n, 1, false);
    SplittableRandom random = new SplittableRandom(3);
    for (int i = 0; i < n; i++) {
      start[i] = Arithmetic.toBf16((float) random.nextDouble(0.5, 2));
    }
    try (Workbench bench = new Workbench("java")) {
      Tensor low = bench.tensor(start, n);
      Tensor full = bench.tensor(start, n);
      Tensor gradient = bench.tensor(DType.F32, n);
      KahanAdamW rule = new KahanAdamW().withLr(1e-4);
      AdamW exact = new AdamW(1e-4, 0.9, 0.99, 1e-6, 1e-2, false);
      try (Plan plan =
              Plan.builder()
                  .group(rule, Parameter.of(low, gradient))
                  .backend(bench.backend())
                  .build();
          Plan other =
              Plan.builder()
                  .group(exact, Parameter.of(full, gradient))
                  .backend(bench.backend())
                  .build()) {
        for (int t = 0; t < 50; t++) {
          float[] g = new float[n];
          for (int i = 0; i < n; i++) {
            g[i] = (float) random.nextDouble(-1, 2);
          }
          bench.put(gradient, g);
          plan.step();
          other.step();
        }
        float[] p = bench.floats(low);
        float[] k = bench.floats(plan.state(0, "kahan"));
        float[] wanted = bench.floats(full);
        for (int i = 0; i < n; i++) {
          assertEquals(p[i], Arithmetic.toBf16(p[i]));
          // One step is 1e-4, a spacing of bf16 up to 8e-3.
          assertEquals(wanted[i], p[i] + k[i], 3e-4, "element " + i);
        }
      }
    }
  }

  @Test
  void codeBooks() {
    int n = 4097;
    for (CodeBook book : List.of(CodeBook.dynamicSigned(), CodeBook.nf4(), CodeBook.fp4())) {
      for (CodeBook.Style style : CodeBook.Style.values()) {
        for (int block : new int[] {1, 64, 100, 8192}) {
          List<byte[]> codes = new ArrayList<>();
          List<int[]> back = new ArrayList<>();
          for (Backend backend : Machine.backends()) {
            try (Workbench bench = new Workbench(backend.name())) {
              Tensor x = bench.tensor(noise(n, block, block == 64), n);
              Tensor out = bench.tensor(DType.U8, n);
              Tensor scales = bench.tensor(DType.F32, (n + block - 1) / block);
              book.encode(backend, x, out, scales, block, style);
              codes.add(bench.bytes(out));
              book.decode(backend, out, scales, x, block);
              back.add(bits(bench.floats(x)));
            }
          }
          for (int k = 1; k < codes.size(); k++) {
            assertArrayEquals(codes.get(0), codes.get(k));
            assertArrayEquals(back.get(0), back.get(k));
          }
        }
      }
    }
  }

  @Test
  void stateFiles() throws IOException {
    int n = 5120;
    Path file = folder.resolve("states");
    List<Backend> backends = Machine.backends();
    for (StateFormat format : FORMATS) {
      List<int[]> ends = new ArrayList<>();
      for (Backend second : backends) {
        try (Workbench bench = new Workbench(second.name());
            Workbench firstBench = new Workbench(backends.get(0).name())) {
          float[] start = noise(n, 1, false);
          Tensor value = bench.tensor(start, n);
          Tensor first = firstBench.tensor(start, n);
          Tensor firstGradient = firstBench.tensor(noise(n, 2, false), n);
          Tensor gradient = bench.tensor(noise(n, 3, false), n);
          try (Plan before =
                  Plan.builder()
                      .group(new AdamW(), Parameter.of(first, firstGradient))
                      .states(format)
                      .backend(firstBench.backend())
                      .build();
              Plan after =
                  Plan.builder()
                      .group(new AdamW(), Parameter.of(value, gradient))
                      .states(format)
                      .backend(second)
                      .build();
              Plan plain =
                  Plan.builder()
                      .group(new AdamW(), Parameter.of(value, gradient))
                      .backend(second)
                      .build()) {
            before.step();
            before.save(file);
            bench.put(value, firstBench.floats(first));
            after.load(file);
            after.step();
            ends.add(bits(bench.floats(value)));
            assertTrue(format.blockSize() < 16 || after.stateBytes() < plain.stateBytes() / 3);
            String message =
                assertThrows(IllegalArgumentException.class, () -> plain.load(file)).getMessage();
            assertTrue(message.contains("state m"), message);
            byte[] bytes = Files.readAllBytes(file);
            // The last byte belongs to the last scale.
            bytes[bytes.length - 1] ^= 1;
            Path damaged = folder.resolve("damaged");
            Files.write(damaged, bytes);
            message =
                assertThrows(IllegalArgumentException.class, () -> after.load(damaged))
                    .getMessage();
            assertTrue(message.contains("0.v.scales"), message);
          }
        }
      }
      for (int[] end : ends) {
        assertArrayEquals(ends.get(0), end, format.toString());
      }
    }
  }
}
