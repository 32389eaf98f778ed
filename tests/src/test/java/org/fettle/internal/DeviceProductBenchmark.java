package org.fettle.internal;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Parameter;
import org.fettle.Tensor;
import org.fettle.steps.Muon;
import org.fettle.steps.MuonOptions;

/** Times steps that multiply matrices, where NVIDIA's libraries are there; for DeviceBenchmark. */
final class DeviceProductBenchmark {
  private static final String NAME = "muon.f32.4096";

  private DeviceProductBenchmark() {}

  /** Muon on a square matrix, in f32 throughout; PyTorch's own forms the direction in bf16. */
  static String measure(long scale) {
    long width = Math.max(64, 4096 / scale);
    Engine engine = Engines.named("cuda");
    List<Tensor> memory = new ArrayList<>();
    try {
      for (int i = 0; i < 2; i++) {
        memory.add(engine.allocate(DType.F32, new long[] {width, width}, i));
      }
      Parameter parameter = Parameter.of(view(memory.get(0)), view(memory.get(1)));
      double[] steps = new double[DeviceBenchmark.ROUNDS];
      try (Muon muon = new Muon(Backend.named("cuda"), new MuonOptions(), List.of(parameter));
          DeviceClock clock = new DeviceClock()) {
        for (int i = 0; i < DeviceBenchmark.WARM_UP; i++) {
          muon.step();
        }
        for (int round = 0; round < steps.length; round++) {
          steps[round] = clock.milliseconds(muon::step);
        }
      }
      double step = DeviceClock.median(steps);
      System.out.printf(Locale.ROOT, "%-28s %9.4f ms%n", NAME, step);
      return String.format(
          Locale.ROOT,
          "{\"name\": \"%s\", \"milliseconds\": %.6f, \"least\": %.6f}",
          NAME,
          step,
          Arrays.stream(steps).min().orElseThrow());
    } catch (IllegalStateException e) {
      System.out.printf("left out  %-28s %s%n", NAME, e.getMessage());
      return "{\"name\": \"" + NAME + "\", \"left_out\": \"no cuBLAS, see the log\"}";
    } finally {
      memory.forEach(engine::release);
    }
  }

  /** The same memory as a caller's own. */
  private static Tensor view(Tensor made) {
    return Tensor.ofAddress(
        made.address(), made.bytes(), made, made.device(), made.dtype(), made.shape());
  }
}
