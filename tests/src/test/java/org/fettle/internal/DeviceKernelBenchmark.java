package org.fettle.internal;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Fp8Format;
import org.fettle.IntegerFormat;
import org.fettle.IntegerProduct;
import org.fettle.Minifloat;
import org.fettle.Quantized;
import org.fettle.Quantizer;
import org.fettle.ScaleGrid;
import org.fettle.Tensor;
import org.fettle.sparsity.NmPattern;
import org.fettle.sparsity.Selection;
import org.fettle.sparsity.Semi24;

/**
 * Times what is no step: formats, selection, masks and the integer product. Called by {@link
 * DeviceBenchmark}.
 */
final class DeviceKernelBenchmark {
  /** Some work over tensors that it makes; bytes that it has to move, or else its operations. */
  private record Case(
      String name, double bytes, double operations, Function<Memory, Runnable> work) {}

  /** Tensors on the device, of values that are different from each other. */
  private static final class Memory implements AutoCloseable {
    private final Engine engine = Engines.named("cuda");
    private final List<Tensor> all = new ArrayList<>();

    Tensor tensor(DType dtype, long... shape) {
      Tensor made = engine.allocate(dtype, shape, all.size());
      all.add(made);
      return Tensor.ofAddress(
          made.address(), made.bytes(), made, made.device(), dtype, made.shape());
    }

    /**
     * F32, uniform in [-1, 1) by a multiplicative hash; bytes of it where the type is I8, numbers
     * below 2 where it is BF16.
     */
    Tensor filled(DType dtype, long... shape) {
      Tensor tensor = tensor(dtype, shape);
      java.nio.ByteBuffer part =
          java.nio.ByteBuffer.allocateDirect(16 << 20).order(java.nio.ByteOrder.nativeOrder());
      int word = 1;
      for (long at = 0; at < tensor.bytes(); at += part.capacity()) {
        part.clear().limit((int) Math.min(part.capacity(), tensor.bytes() - at));
        while (part.remaining() >= Integer.BYTES) {
          word = word * 1664525 + 1013904223;
          if (dtype == DType.F32) {
            part.putFloat(word * 0x1p-31f);
          } else {
            part.putInt((word ^ word >>> 15) & (dtype == DType.BF16 ? 0xBFFFBFFF : -1));
          }
        }
        part.flip();
        engine.write(tensor, at, part);
      }
      return tensor;
    }

    @Override
    public void close() {
      all.forEach(engine::release);
    }
  }

  private DeviceKernelBenchmark() {}

  /** A line of JSON per case; prints them too. */
  static List<String> measure(long scale) {
    List<String> lines = new ArrayList<>();
    for (Case one : cases(scale)) {
      try (Memory memory = new Memory();
          DeviceClock clock = new DeviceClock()) {
        Runnable work = one.work.apply(memory);
        for (int i = 0; i < DeviceBenchmark.WARM_UP; i++) {
          work.run();
        }
        double[] times = new double[DeviceBenchmark.ROUNDS];
        for (int round = 0; round < times.length; round++) {
          times[round] = clock.milliseconds(work);
        }
        double time = DeviceClock.median(times);
        String rate =
            one.bytes > 0
                ? String.format(Locale.ROOT, "%7.0f GB/s", one.bytes / time * 1e-6)
                : String.format(Locale.ROOT, "%7.1f T operations/s", one.operations / time * 1e-9);
        System.out.printf(Locale.ROOT, "%-28s %9.4f ms  %s%n", one.name, time, rate);
        lines.add(
            String.format(
                Locale.ROOT,
                "{\"name\": \"%s\", \"milliseconds\": %.6f, \"least\": %.6f, \"bytes\": %.0f,"
                    + " \"operations\": %.0f}",
                one.name,
                time,
                Arrays.stream(times).min().orElseThrow(),
                one.bytes,
                one.operations));
      }
    }
    return lines;
  }

  private static List<Case> cases(long scale) {
    Backend backend = Backend.named("cuda");
    Quantizer quantizer = Quantizer.on(backend);
    long rows = Math.max(64, 8192 / scale);
    double n = (double) rows * rows;
    double half = rows * 0.5;
    return List.of(
        new Case(
            "int8.row.quantize",
            5 * n,
            0,
            memory -> {
              IntegerFormat format = IntegerFormat.int8(ScaleGrid.ROW);
              Tensor x = memory.filled(DType.F32, rows, rows);
              Quantized into =
                  Quantized.of(
                      memory.tensor(format.codes(), rows, rows),
                      memory.tensor(DType.F32, format.scales(rows, rows)));
              return () -> quantizer.quantize(format, x, into);
            }),
        new Case(
            "fp8.cast.transpose",
            6 * n,
            0,
            memory -> {
              Fp8Format format = Fp8Format.current(Minifloat.E4M3);
              Tensor x = memory.filled(DType.F32, rows, rows);
              Tensor scales = memory.filled(DType.F32, 1);
              Quantized with =
                  Quantized.of(memory.tensor(DType.U8, rows, rows), scales)
                      .withTransposed(memory.tensor(DType.U8, rows, rows));
              // Once, so that there is a scale; what is timed is the cast with a scale that is
              // known.
              quantizer.quantize(format, x, with);
              return () -> quantizer.encode(format, x, with);
            }),
        new Case(
            "s8.gemm",
            0,
            2 * half * half * half,
            memory -> {
              Tensor left = memory.filled(DType.I8, rows / 2, rows / 2);
              Tensor right = memory.filled(DType.I8, rows / 2, rows / 2);
              Tensor result = memory.tensor(DType.I32, rows / 2, rows / 2);
              IntegerProduct product = IntegerProduct.on(backend);
              return () -> product.multiply(left, right, IntegerProduct.Epilogue.NONE, result);
            }),
        // Counted as the dense product that it replaces.
        new Case(
            "gemm.2of4.bf16",
            0,
            2 * half * half * half,
            memory -> {
              long side = rows / 2;
              Tensor weight = memory.filled(DType.BF16, side, side);
              Tensor mask = memory.tensor(DType.BIT, side, side);
              new NmPattern(2, 4).mask(backend, weight, mask);
              Tensor values = memory.tensor(DType.BF16, side, side / 2);
              Tensor codes = memory.tensor(DType.U8, side, side / 8);
              Semi24 format = Semi24.on(backend);
              format.compress(weight, mask, values, codes, Semi24.Layout.CUTLASS);
              Tensor x = memory.filled(DType.BF16, side, side);
              Tensor y = memory.tensor(DType.BF16, side, side);
              return () -> format.multiply(values, codes, Semi24.Layout.CUTLASS, x, y);
            }),
        new Case(
            "kth.magnitude",
            4 * n,
            0,
            memory -> {
              Tensor x = memory.filled(DType.F32, rows * rows);
              Selection selection = Selection.on(backend);
              return () -> selection.find(rows * rows / 2, List.of(x));
            }),
        new Case(
            "mask.2of4",
            4 * n + n / 8,
            0,
            memory -> {
              Tensor x = memory.filled(DType.F32, rows, rows);
              Tensor mask = memory.tensor(DType.BIT, rows, rows);
              return () -> new NmPattern(2, 4).mask(backend, x, mask);
            }));
  }
}
