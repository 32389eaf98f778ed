package org.fettle.internal;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.GradientClip;
import org.fettle.Parameter;
import org.fettle.Plan;
import org.fettle.PlanBuilder;
import org.fettle.Rule;
import org.fettle.Tensor;
import org.fettle.rules.AdamW;
import org.fettle.rules.Lamb;

/**
 * Times steps on a CUDA device by events: {@code DeviceBenchmark RESULT.json [SCALE]}. Every case
 * also times a device copy in the same process, just before and just after; what counts is the
 * bandwidth of the step against the copy's. {@code device-kit/torch_times.py} writes the same for
 * PyTorch, and {@code device-kit/compare.py} sets them side by side.
 *
 * <p>SCALE divides the sizes, to try the program where memory is small.
 */
public final class DeviceBenchmark {
  static final int WARM_UP = 3;
  static final int ROUNDS = 9;
  private static final int STEPS = 5;

  /** One workload: its tensors' sizes, and bytes per element that its step has to move. */
  private record Case(
      String name,
      Rule rule,
      DType dtype,
      boolean clip,
      List<Long> sizes,
      double bytesPerElement) {}

  private DeviceBenchmark() {}

  /** Runs all cases that fit the device's memory; the others are named as left out. */
  public static void main(String[] args) throws Exception {
    long scale = args.length > 1 ? Long.parseLong(args[1]) : 1;
    CudaLibrary.Device device = CudaLibrary.devices().get(0);
    List<String> lines = new ArrayList<>();
    for (Case one : cases(scale)) {
      long elements = one.sizes.stream().mapToLong(Long::longValue).sum();
      // Parameter, gradient and two states; the f32 copy that measures the bandwidth comes on top.
      double needed = elements * (double) one.dtype.bits() / 8 * 4 + 2e9 / scale;
      if (needed > device.memoryBytes() * 0.9) {
        System.out.printf("left out  %-28s needs %.1f GB%n", one.name, needed * 1e-9);
        lines.add(String.format("{\"name\": \"%s\", \"left_out\": \"memory\"}", one.name));
        continue;
      }
      lines.add(measure(one, elements, scale));
    }
    lines.addAll(DeviceKernelBenchmark.measure(scale));
    lines.add(DeviceProductBenchmark.measure(scale));
    Files.writeString(
        Path.of(args[0]),
        "{\"device\": \""
            + device.name()
            + "\", \"cases\": [\n  "
            + String.join(",\n  ", lines)
            + "\n]}\n");
  }

  private static List<Case> cases(long scale) {
    Rule adamw = new AdamW();
    // AdamW reads p, g, m, v and writes p, m, v.
    double f32 = 28;
    double bf16 = 14;
    List<Long> small = Collections.nCopies(3000, 3500L);
    return List.of(
        new Case("adamw.f32.1e8", adamw, DType.F32, false, List.of(100_000_000 / scale), f32),
        new Case("adamw.f32.1e9", adamw, DType.F32, false, List.of(1_000_000_000 / scale), f32),
        new Case("adamw.bf16.1e8", adamw, DType.BF16, false, List.of(100_000_000 / scale), bf16),
        new Case("adamw.bf16.1e9", adamw, DType.BF16, false, List.of(1_000_000_000 / scale), bf16),
        new Case("adamw.f32.3000x3500", adamw, DType.F32, false, small, f32),
        new Case("adamw.f32.transformer", adamw, DType.F32, false, transformer(scale), f32),
        // The clip reads every gradient once more.
        new Case("adamw.f32.1e8.clip", adamw, DType.F32, true, List.of(100_000_000 / scale), 32),
        // LAMB's gather reads p, g, m and v once more.
        new Case("lamb.f32.1e8", new Lamb(), DType.F32, false, List.of(100_000_000 / scale), 44));
  }

  /** The tensors of a decoder of 12 layers of width 768 over 50,257 words: sizes of 768 to 4e7. */
  private static List<Long> transformer(long scale) {
    List<Long> sizes = new ArrayList<>(List.of(50_257L * 768, 1024L * 768, 768L, 768L));
    for (int layer = 0; layer < 12; layer++) {
      sizes.addAll(List.of(768L, 768L, 3 * 768L * 768, 3 * 768L, 768L * 768, 768L, 768L, 768L));
      sizes.addAll(List.of(4 * 768L * 768, 4 * 768L, 4 * 768L * 768, 768L));
    }
    return sizes.stream().map(size -> Math.max(1, size / scale)).toList();
  }

  private static String measure(Case one, long elements, long scale) {
    Backend backend = Backend.named("cuda");
    Engine engine = Engines.named("cuda");
    List<Tensor> memory = new ArrayList<>();
    try {
      List<Parameter> parameters = new ArrayList<>();
      for (long size : one.sizes) {
        parameters.add(
            Parameter.of(tensor(engine, memory, one, size), tensor(engine, memory, one, size)));
      }
      Tensor from = engine.allocate(DType.F32, new long[] {250_000_000 / scale}, 0);
      memory.add(from);
      Tensor to = engine.allocate(DType.F32, new long[] {250_000_000 / scale}, 0);
      memory.add(to);
      PlanBuilder builder = Plan.builder().backend(backend).group(one.rule, parameters);
      if (one.clip) {
        builder.clip(GradientClip.byGlobalNorm(1));
      }
      double[] steps = new double[ROUNDS];
      double[] copies = new double[ROUNDS];
      try (Plan plan = builder.build();
          DeviceClock clock = new DeviceClock()) {
        for (int i = 0; i < WARM_UP; i++) {
          plan.step();
        }
        for (int round = 0; round < ROUNDS; round++) {
          copies[round] = clock.milliseconds(() -> DeviceClock.copy(from, to));
          steps[round] =
              clock.milliseconds(
                      () -> {
                        for (int i = 0; i < STEPS; i++) {
                          plan.step();
                        }
                      })
                  / STEPS;
        }
      }
      double step = DeviceClock.median(steps);
      double stepBandwidth = elements * one.bytesPerElement / step * 1e-6;
      double copyBandwidth = 2.0 * from.bytes() / DeviceClock.median(copies) * 1e-6;
      System.out.printf(
          Locale.ROOT,
          "%-28s %9.4f ms  %7.0f GB/s  %.3f of a copy's %.0f GB/s%n",
          one.name,
          step,
          stepBandwidth,
          stepBandwidth / copyBandwidth,
          copyBandwidth);
      return String.format(
          Locale.ROOT,
          "{\"name\": \"%s\", \"milliseconds\": %.6f, \"least\": %.6f, \"bytes\": %.0f, \"gigabytes_per_second\":"
              + " %.1f, \"copy_gigabytes_per_second\": %.1f, \"of_copy\": %.4f}",
          one.name,
          step,
          Arrays.stream(steps).min().orElseThrow(),
          elements * one.bytesPerElement,
          stepBandwidth,
          copyBandwidth,
          stepBandwidth / copyBandwidth);
    } finally {
      memory.forEach(engine::release);
    }
  }

  private static Tensor tensor(Engine engine, List<Tensor> memory, Case one, long size) {
    Tensor made = engine.allocate(one.dtype, new long[] {size}, memory.size());
    memory.add(made);
    return Tensor.ofAddress(
        made.address(), made.bytes(), made, made.device(), made.dtype(), made.shape());
  }
}
