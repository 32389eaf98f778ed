package org.fettle.benchmarks;

import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.fettle.CodeBook;
import org.fettle.DType;
import org.fettle.DelayedScaling;
import org.fettle.Gradients;
import org.fettle.IntegerFormat;
import org.fettle.MicroscalingFormat;
import org.fettle.Minifloat;
import org.fettle.Quantized;
import org.fettle.Quantizer;
import org.fettle.ScaleGrid;
import org.fettle.Tensor;
import org.fettle.averages.MovingAverage;
import org.fettle.merge.LinearCombination;
import org.fettle.recipes.EcoWeights;
import org.fettle.recipes.LearnedStep;
import org.fettle.sparsity.Masks;
import org.fettle.sparsity.NmPattern;
import org.fettle.sparsity.Selection;

/** The kernels besides steps that are measured: {@code ./fettle bench --kernels}. */
final class KernelCases {
  /** Elements of the kernels that memory bounds. */
  static final int LARGE = 10_000_000;

  static final int ROWS = 1_000;
  static final int COLUMNS = LARGE / ROWS;
  private static final int PATTERN = 65_521;

  private static final Shape.Stream X = Shape.Stream.read("x", DType.F32);
  private static final Shape.Stream Y = Shape.Stream.written("y", DType.F32);
  private static final Shape.Stream CODES = Shape.Stream.written("codes", DType.U8);
  private static final Shape.Stream MASK = Shape.Stream.written("mask", DType.BIT);
  private static final Shape.Pass READS = Shape.Pass.of(X);
  private static final Shape.Pass COPIES = Shape.Pass.of(X, Y);
  private static final Shape.Pass ENCODES = Shape.Pass.of(X, CODES);
  private static final Shape.Pass DECODES =
      Shape.Pass.of(Shape.Stream.read("codes", DType.U8), Shape.Stream.written("x", DType.F32));

  private KernelCases() {}

  static List<KernelCase> all() {
    List<KernelCase> cases = new ArrayList<>();
    formats(cases);
    steps(cases);
    cases.addAll(TransformCases.all());
    masks(cases);
    cases.addAll(ProductCases.all());
    return cases;
  }

  private static void formats(List<KernelCase> cases) {
    cases.add(
        large(
            "quantize.int8",
            List.of(ENCODES),
            (backend, arrays) -> {
              Tensor x = floats(arrays, "x", ROWS, COLUMNS);
              Tensor scale = Tensor.allocate(DType.F32, 1);
              putFloat(scale, 0.02f);
              Quantized q = Quantized.of(Tensor.allocate(DType.I8, ROWS, COLUMNS), scale);
              Quantizer quantizer = Quantizer.on(backend);
              return () -> quantizer.encode(IntegerFormat.int8(ScaleGrid.TENSOR), x, q);
            }));
    cases.add(quantizing("quantize.int8.rows", IntegerFormat.int8(ScaleGrid.ROW), ENCODES));
    cases.add(
        quantizing(
            "quantize.mxfp4",
            MicroscalingFormat.of(Minifloat.E2M1),
            Shape.Pass.of(X, CODES, scales(1.0 / 32))));
    cases.add(
        large(
            "dequantize.int8",
            List.of(DECODES),
            (backend, arrays) -> {
              Tensor y = floats(arrays, "x", ROWS, COLUMNS);
              Quantized q =
                  Quantized.of(
                      Tensor.allocate(DType.I8, ROWS, COLUMNS), Tensor.allocate(DType.F32, ROWS));
              Quantizer quantizer = Quantizer.on(backend);
              quantizer.quantize(IntegerFormat.int8(ScaleGrid.ROW), y, q);
              return () -> quantizer.dequantize(IntegerFormat.int8(ScaleGrid.ROW), q, y);
            }));
    cases.add(
        large(
            "cast.e4m3",
            List.of(ENCODES),
            (backend, arrays) -> {
              Tensor x = floats(arrays, "x", LARGE);
              Tensor codes = Tensor.allocate(DType.U8, LARGE);
              Quantizer quantizer = Quantizer.on(backend);
              return () -> quantizer.cast(Minifloat.E4M3, true, x, codes);
            }));
    cases.add(
        large(
            "cast.e4m3.transpose",
            List.of(Shape.Pass.of(X, CODES, Shape.Stream.written("transposed", DType.U8))),
            (backend, arrays) -> {
              Tensor x = floats(arrays, "x", ROWS, COLUMNS);
              Tensor codes = Tensor.allocate(DType.U8, ROWS, COLUMNS);
              Tensor transposed = Tensor.allocate(DType.U8, COLUMNS, ROWS);
              Tensor multipliers = Tensor.allocate(DType.F32, 1);
              putFloat(multipliers, 1);
              DelayedScaling scaling =
                  DelayedScaling.on(
                      backend, Minifloat.E4M3, Tensor.allocate(DType.F32, 16, 1), multipliers);
              return () -> scaling.cast(0, x, codes, transposed);
            }));
    for (boolean encodes : new boolean[] {true, false}) {
      cases.add(
          large(
              encodes ? "encode.dynamic8" : "decode.dynamic8",
              List.of(
                  encodes
                      ? Shape.Pass.of(X, CODES, scales(4.0 / 256))
                      : Shape.Pass.of(
                          Shape.Stream.read("codes", DType.U8),
                          Shape.Stream.written("x", DType.F32),
                          scales(4.0 / 256))),
              (backend, arrays) -> {
                Tensor x = floats(arrays, "x", LARGE);
                Tensor codes = Tensor.allocate(DType.U8, LARGE);
                Tensor scales = Tensor.allocate(DType.F32, (LARGE + 255) / 256);
                CodeBook book = CodeBook.dynamicSigned();
                CodeBook.Style style = CodeBook.Style.BITSANDBYTES;
                book.encode(backend, x, codes, scales, 256, style);
                return encodes
                    ? () -> book.encode(backend, x, codes, scales, 256, style)
                    : () -> book.decode(backend, codes, scales, x, 256);
              }));
    }
    cases.add(
        large(
            "fake-quantize.lsq",
            List.of(COPIES),
            (backend, arrays) -> {
              Tensor x = floats(arrays, "x", LARGE);
              Tensor y = Tensor.allocate(DType.F32, LARGE);
              Tensor step = Tensor.allocate(DType.F32, 1);
              putFloat(step, 0.05f);
              LearnedStep lsq = LearnedStep.ofBits(8, true);
              return () -> lsq.forward(backend, x, step, y);
            }));
  }

  private static KernelCase quantizing(
      String name, org.fettle.QuantizationFormat format, Shape.Pass pass) {
    // MX blocks need rows of whole blocks.
    int columns = 9_984;
    return KernelCase.moving(
        name,
        "1e7",
        (double) ROWS * columns,
        List.of(pass),
        (backend, arrays) -> {
          Tensor x = floats(arrays, "x", ROWS, columns);
          Quantized q =
              Quantized.of(
                  Tensor.allocate(format.codes(), ROWS, columns),
                  Tensor.allocate(format.scales(), format.scales(ROWS, columns)));
          Quantizer quantizer = Quantizer.on(backend);
          return () -> quantizer.quantize(format, x, q);
        });
  }

  private static void steps(List<KernelCase> cases) {
    cases.add(
        large(
            "eco.sgdm.fp8",
            List.of(
                Shape.Pass.of(
                    Shape.Stream.inPlace("momentum", DType.F32),
                    Shape.Stream.read("gradient", DType.F32),
                    Shape.Stream.inPlace("codes", DType.U8))),
            (backend, arrays) -> {
              Tensor weight = floats(arrays, "x", ROWS, COLUMNS);
              EcoWeights.Options options =
                  new EcoWeights.Options(
                      EcoWeights.Optimizer.SGDM, 0.9, 0.999, 1e-8, 0, true, false, 1, 0);
              EcoWeights weights = new EcoWeights(backend, weight, EcoWeights.Format.FP8, options);
              return () -> weights.step(weight, 1e-3, null);
            }));
    cases.add(
        large(
            "average.move",
            List.of(Shape.Pass.of(Shape.Stream.inPlace("average", DType.F32), X)),
            (backend, arrays) -> {
              Tensor weight = floats(arrays, "x", LARGE);
              Tensor average = Tensor.allocate(DType.F32, LARGE);
              return () -> MovingAverage.move(backend, 0.999, weight, average);
            }));
    cases.add(
        large(
            "merge.mean4",
            List.of(
                Shape.Pass.of(
                    X,
                    Shape.Stream.read("x1", DType.F32),
                    Shape.Stream.read("x2", DType.F32),
                    Shape.Stream.read("x3", DType.F32),
                    Y)),
            (backend, arrays) -> {
              List<Tensor> models = new ArrayList<>();
              for (int i = 0; i < 4; i++) {
                models.add(floats(arrays, "x" + i, LARGE));
              }
              Tensor out = Tensor.allocate(DType.F32, LARGE);
              return () -> LinearCombination.mean(backend, models, out);
            }));
    cases.add(
        large(
            "norm.global",
            List.of(READS),
            (backend, arrays) -> {
              Tensor x = floats(arrays, "x", LARGE);
              Gradients gradients = Gradients.on(backend);
              return () -> gradients.norm(Gradients.Norm.TWO, List.of(x));
            }));
  }

  private static void masks(List<KernelCase> cases) {
    cases.add(
        large(
            "select.half",
            List.of(READS, Shape.Pass.of(X, MASK)),
            (backend, arrays) -> {
              Tensor x = floats(arrays, "x", LARGE);
              Tensor mask = Tensor.allocate(DType.BIT, LARGE);
              Selection selection = Selection.on(backend);
              return () -> selection.keepLargest(LARGE / 2, x, mask);
            }));
    cases.add(
        large(
            "mask.2:4",
            List.of(Shape.Pass.of(X, MASK)),
            (backend, arrays) -> {
              Tensor x = floats(arrays, "x", ROWS, COLUMNS);
              Tensor mask = Tensor.allocate(DType.BIT, ROWS, COLUMNS);
              NmPattern pattern = new NmPattern(2, 4);
              return () -> pattern.mask(backend, x, mask);
            }));
    cases.add(
        large(
            "mask.apply",
            List.of(Shape.Pass.of(X, Y, Shape.Stream.read("mask", DType.BIT))),
            (backend, arrays) -> {
              Tensor x = floats(arrays, "x", LARGE);
              Tensor mask = Tensor.allocate(DType.BIT, LARGE);
              Selection.on(backend).keepLargest(LARGE / 10, x, mask);
              Masks masks = Masks.on(backend);
              Tensor y = Tensor.allocate(DType.F32, LARGE);
              return () -> masks.apply(mask, x, y);
            }));
  }

  static KernelCase large(String name, List<Shape.Pass> passes, KernelCase.Make make) {
    return KernelCase.moving(name, "1e7", LARGE, passes, make);
  }

  private static Shape.Stream scales(double bytes) {
    return new Shape.Stream("scales", bytes, Shape.Use.WRITTEN);
  }

  static Tensor floats(Map<String, Tensor> arrays, String name, long... shape) {
    Tensor tensor = Tensor.allocate(DType.F32, shape);
    var buffer = tensor.buffer().order(ByteOrder.nativeOrder()).asFloatBuffer();
    Random random = new Random(name.hashCode());
    float[] pattern = new float[PATTERN];
    for (int i = 0; i < PATTERN; i++) {
      pattern[i] = (float) random.nextGaussian();
    }
    while (buffer.hasRemaining()) {
      buffer.put(pattern, 0, Math.min(PATTERN, buffer.remaining()));
    }
    arrays.put(name, tensor);
    return tensor;
  }

  static Tensor bytes(Map<String, Tensor> arrays, String name, long... shape) {
    Tensor tensor = Tensor.allocate(DType.I8, shape);
    byte[] values = new byte[(int) tensor.bytes()];
    new Random(1).nextBytes(values);
    tensor.buffer().put(0, values);
    arrays.put(name, tensor);
    return tensor;
  }

  private static void putFloat(Tensor tensor, float value) {
    tensor.buffer().order(ByteOrder.nativeOrder()).putFloat(0, value);
  }
}
