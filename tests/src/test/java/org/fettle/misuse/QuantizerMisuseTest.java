package org.fettle.misuse;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.DelayedScaling;
import org.fettle.Fp8Format;
import org.fettle.IntegerFormat;
import org.fettle.MicroscalingFormat;
import org.fettle.Minifloat;
import org.fettle.Nvfp4Format;
import org.fettle.Quantized;
import org.fettle.Quantizer;
import org.fettle.ScaleGrid;
import org.fettle.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Formats, quantizers and scales that do not fit; nothing is written. */
class QuantizerMisuseTest {
  private static final String BACKENDS = "org.fettle.testkit.Machine#hostBackends";

  private static Tensor tensor(DType dtype, long... shape) {
    return Tensor.allocate(dtype, shape);
  }

  @Test
  @Misuses({
    "ScaleGrid.new(long, long)",
    "ScaleGrid.group(long)",
    "ScaleGrid.block(long, long)",
    "ScaleGrid.scales(long[])",
    "IntegerFormat.new(int, Scheme, ScaleGrid)",
    "IntegerFormat.int8(ScaleGrid)",
    "IntegerFormat.int4(ScaleGrid)",
    "IntegerFormat.int2(ScaleGrid)",
    "IntegerFormat.scales(long[])",
    "Fp8Format.new(Minifloat, ScaleGrid, double, boolean)",
    "Fp8Format.current(Minifloat)",
    "Fp8Format.blocks(long, long)",
    "Fp8Format.scales(long[])",
    "MicroscalingFormat.new(Minifloat, Rule)",
    "MicroscalingFormat.of(Minifloat)",
    "MicroscalingFormat.scales(long[])",
    "Nvfp4Format.new(boolean)",
    "Nvfp4Format.scales(long[])",
    "QuantizationFormat.scales(long[])",
    "Minifloat.decode(int)",
    "Minifloat.encode(float)"
  })
  void formats() {
    Refusal.ofArgument(() -> new ScaleGrid(-1, 0), "tile rows is -1");
    Refusal.ofArgument(() -> new ScaleGrid(0, -1), "tile columns is -1");
    Refusal.ofArgument(() -> ScaleGrid.group(0), "group size is 0");
    Refusal.ofArgument(() -> ScaleGrid.block(0, 1), "block rows is 0");
    Refusal.ofArgument(() -> ScaleGrid.block(1, -2), "block columns is -2");
    Refusal.ofArgument(
        () -> new IntegerFormat(1, IntegerFormat.Scheme.SYMMETRIC, ScaleGrid.ROW), "bits is 1");
    Refusal.ofArgument(
        () -> new IntegerFormat(9, IntegerFormat.Scheme.ASYMMETRIC, ScaleGrid.ROW), "bits is 9");
    Refusal.ofArgument(
        () -> new IntegerFormat(4, IntegerFormat.Scheme.TRAINING, ScaleGrid.ROW), "bits is 4", "8");
    Refusal.ofNull(() -> new IntegerFormat(8, null, ScaleGrid.ROW));
    Refusal.ofNull(() -> IntegerFormat.int8(null));
    Refusal.ofNull(() -> IntegerFormat.int4(null));
    Refusal.ofNull(() -> IntegerFormat.int2(null));
    for (Minifloat other : new Minifloat[] {Minifloat.E8M0, Minifloat.E2M1, Minifloat.E3M2}) {
      Refusal.ofArgument(() -> Fp8Format.current(other), "element " + other, "E4M3 or E5M2");
    }
    Refusal.ofArgument(
        () -> new Fp8Format(Minifloat.E4M3, ScaleGrid.ROW, Double.NaN, false),
        "amaxEpsilon is NaN");
    Refusal.ofArgument(() -> Fp8Format.blocks(0, 128), "block rows is 0");
    Refusal.ofArgument(() -> MicroscalingFormat.of(Minifloat.E8M0), "element E8M0");
    Refusal.ofNull(() -> MicroscalingFormat.of(null));
    Refusal.ofNull(() -> new MicroscalingFormat(Minifloat.E2M1, null));
    Refusal.ofArgument(() -> Minifloat.E8M0.encode(1f), "E8M0 holds scales");
    long[] negative = {2, -3};
    long[] huge = {Long.MAX_VALUE, 3, 2};
    for (long[] shape : new long[][] {negative, huge}) {
      Refusal.ofArgument(() -> ScaleGrid.ROW.scales(shape), "shape is");
      Refusal.ofArgument(() -> IntegerFormat.int8(ScaleGrid.ROW).scales(shape), "shape is");
      Refusal.ofArgument(() -> Fp8Format.current(Minifloat.E5M2).scales(shape), "shape is");
      Refusal.ofArgument(() -> MicroscalingFormat.of(Minifloat.E2M1).scales(shape), "shape is");
      Refusal.ofArgument(() -> new Nvfp4Format(true).scales(shape), "shape is");
    }
  }

  @ParameterizedTest
  @MethodSource(BACKENDS)
  @Misuses({
    "Quantizer.on(Backend)",
    "Quantizer.stochastic(long, long, int)",
    "Quantizer.quantize(QuantizationFormat, Tensor, Quantized)",
    "Quantizer.encode(QuantizationFormat, Tensor, Quantized)",
    "Quantizer.dequantize(QuantizationFormat, Quantized, Tensor)",
    "Quantized.new(Tensor, Tensor, Tensor, Tensor, Tensor)",
    "Quantized.of(Tensor, Tensor)",
    "Quantized.withZeroPoints(Tensor)",
    "Quantized.withTransposed(Tensor)",
    "Quantized.withGlobalScale(Tensor)"
  })
  void grids(Backend backend) {
    Quantizer quantizer = Quantizer.on(backend).stochastic(1, 2, 3);
    Refusal.ofNull(() -> Quantizer.on(null));
    IntegerFormat rows = IntegerFormat.int8(ScaleGrid.ROW);
    Tensor values = tensor(DType.F32, 3, 32);
    Tensor codes = tensor(DType.I8, 3, 32);
    Tensor scales = tensor(DType.F32, 3);
    Quantized q = Quantized.of(codes, scales);
    fill(codes, (byte) 7);
    Refusal.ofNull(() -> Quantized.of(null, scales));
    Refusal.ofNull(() -> Quantized.of(codes, null));
    Refusal.ofNull(() -> quantizer.quantize(null, values, q));
    Refusal.ofNull(() -> quantizer.quantize(rows, values, null));
    Refusal.ofArgument(
        () -> quantizer.quantize(rows, tensor(DType.I32, 3, 32), q), "values is I32", "F32");
    Refusal.ofArgument(
        () -> quantizer.quantize(rows, tensor(DType.F32, 3, 31), q), "codes", "3, 31");
    Refusal.ofArgument(
        () -> quantizer.quantize(rows, values, Quantized.of(tensor(DType.U8, 3, 32), scales)),
        "codes is U8",
        "I8");
    Refusal.ofArgument(
        () -> quantizer.quantize(rows, values, Quantized.of(codes, tensor(DType.F32, 4))),
        "scales",
        "expected 3 elements");
    Refusal.ofArgument(
        () -> quantizer.quantize(rows, values, q.withZeroPoints(tensor(DType.I32, 3))),
        "zero points",
        "expected none");
    IntegerFormat asymmetric = new IntegerFormat(4, IntegerFormat.Scheme.ASYMMETRIC, ScaleGrid.ROW);
    Quantized unsigned = Quantized.of(tensor(DType.U8, 3, 32), scales);
    Refusal.ofNull(() -> quantizer.quantize(asymmetric, values, unsigned));
    Refusal.ofArgument(
        () -> quantizer.quantize(asymmetric, values, unsigned.withZeroPoints(scales)),
        "zero points is F32",
        "I32");
    Refusal.ofArgument(
        () -> quantizer.quantize(rows, values, q.withTransposed(tensor(DType.I8, 3, 32))),
        "transposed codes",
        "[32, 3]");
    Refusal.ofArgument(
        () -> quantizer.quantize(rows, values, q.withGlobalScale(tensor(DType.F32, 1))),
        "global scale",
        "expected none");
    Refusal.ofArgument(
        () -> quantizer.quantize(rows, values, Quantized.of(codes, part(values, 3))),
        "values",
        "scales");
    MicroscalingFormat mx = MicroscalingFormat.of(Minifloat.E4M3);
    Quantized blocks = Quantized.of(tensor(DType.U8, 3, 33), tensor(DType.U8, 3));
    Refusal.ofArgument(
        () -> quantizer.quantize(mx, tensor(DType.F32, 3, 33), blocks), "block of 32");
    Refusal.ofArgument(() -> quantizer.encode(mx, values, blocks), "format", "integers or FP8");
    Refusal.ofArgument(
        () -> quantizer.encode(rows, values, Quantized.of(codes, tensor(DType.F32, 2))), "scales");
    Refusal.ofArgument(
        () -> quantizer.dequantize(rows, q, tensor(DType.F32, 3, 31)), "codes", "3, 31");
    Refusal.ofArgument(
        () -> quantizer.dequantize(rows, q, tensor(DType.I32, 3, 32)), "values is I32");
    Nvfp4Format nvfp4 = new Nvfp4Format(true);
    Quantized four = Quantized.of(tensor(DType.U8, 3, 32), tensor(DType.U8, 6));
    Refusal.ofNull(() -> quantizer.quantize(nvfp4, values, four));
    Refusal.ofArgument(
        () -> quantizer.quantize(nvfp4, values, four.withGlobalScale(tensor(DType.F32, 2))),
        "global scale",
        "expected 1 elements");
    byte[] after = new byte[96];
    codes.buffer().get(0, after);
    byte[] before = new byte[96];
    java.util.Arrays.fill(before, (byte) 7);
    assertArrayEquals(before, after);
  }

  private static void fill(Tensor tensor, byte value) {
    for (int i = 0; i < tensor.bytes(); i++) {
      tensor.buffer().put(i, value);
    }
  }

  /** The first elements of a tensor, in its memory. */
  private static Tensor part(Tensor tensor, int elements) {
    return Tensor.of(tensor.buffer(), tensor.dtype(), elements);
  }

  @ParameterizedTest
  @MethodSource(BACKENDS)
  @Misuses({
    "Quantizer.cast(Minifloat, boolean, Tensor, Tensor)",
    "Quantizer.decode(Minifloat, Tensor, Tensor)",
    "Quantizer.pack(int, PackingOrder, Tensor, Tensor, int)",
    "Quantizer.pack(int, PackingOrder, Tensor, Tensor)",
    "Quantizer.unpack(int, PackingOrder, Tensor, Tensor)",
    "Quantizer.packedBytes(int, long)",
    "Quantizer.absoluteMax(Tensor, Tensor)",
    "Quantizer.histogram(Tensor, float, float, Tensor)"
  })
  void codes(Backend backend) {
    Quantizer quantizer = Quantizer.on(backend);
    Tensor values = tensor(DType.F32, 10);
    Tensor codes = tensor(DType.U8, 10);
    Refusal.ofNull(() -> quantizer.cast(null, true, values, codes));
    Refusal.ofArgument(() -> quantizer.cast(Minifloat.E8M0, true, values, codes), "E8M0");
    Refusal.ofArgument(
        () -> quantizer.cast(Minifloat.E4M3, true, values, tensor(DType.U8, 9)), "codes", "10");
    Refusal.ofArgument(
        () -> quantizer.cast(Minifloat.E4M3, true, codes, codes), "values is U8", "F32");
    Refusal.ofNull(() -> quantizer.decode(null, codes, values));
    Refusal.ofArgument(
        () -> quantizer.decode(Minifloat.E4M3, codes, tensor(DType.F32, 11)), "values", "10");
    Quantizer.PackingOrder low = Quantizer.PackingOrder.LOW_FIRST;
    Refusal.ofArgument(() -> quantizer.pack(3, low, codes, codes), "bits is 3", "1, 2, 4 or 6");
    Refusal.ofArgument(
        () -> quantizer.pack(6, Quantizer.PackingOrder.HIGH_FIRST, codes, codes, 0),
        "order HIGH_FIRST",
        "LOW_FIRST");
    Refusal.ofNull(() -> quantizer.pack(4, null, codes, tensor(DType.U8, 5)));
    Refusal.ofArgument(
        () -> quantizer.pack(4, low, codes, tensor(DType.U8, 4)), "packed", "expected 5 elements");
    Refusal.ofArgument(
        () -> quantizer.pack(4, low, values, tensor(DType.U8, 5)), "codes is F32", "I8 or U8");
    Refusal.ofArgument(
        () -> quantizer.unpack(2, low, tensor(DType.U8, 2), codes),
        "packed",
        "expected 3 elements");
    Refusal.ofArgument(() -> quantizer.unpack(5, low, codes, codes), "bits is 5");
    Refusal.ofArgument(() -> Quantizer.packedBytes(0, 8), "bits is 0");
    Refusal.ofArgument(() -> Quantizer.packedBytes(4, -1), "elements is -1");
    Refusal.ofArgument(() -> quantizer.absoluteMax(values, tensor(DType.F32, 2)), "result", "1");
    Refusal.ofArgument(() -> quantizer.absoluteMax(codes, values), "values is U8");
    Tensor counts = tensor(DType.I64, 4);
    Refusal.ofArgument(() -> quantizer.histogram(values, 1, 1, counts), "high is 1.0");
    Refusal.ofArgument(
        () -> quantizer.histogram(values, Float.NEGATIVE_INFINITY, 1, counts), "low is -Infinity");
    Refusal.ofArgument(() -> quantizer.histogram(values, Float.NaN, 1, counts), "low is NaN");
    Refusal.ofArgument(
        () -> quantizer.histogram(values, -3e38f, 3e38f, counts), "high is 3.0", "finite");
    Refusal.ofArgument(
        () -> quantizer.histogram(values, 0, 1, tensor(DType.I64, 65537)), "intervals is 65537");
    Refusal.ofArgument(
        () -> quantizer.histogram(values, 0, 1, tensor(DType.I32, 4)), "counts is I32", "I64");
  }

  @ParameterizedTest
  @MethodSource(BACKENDS)
  @Misuses({
    "DelayedScaling.on(Backend, Minifloat, Tensor, Tensor)",
    "DelayedScaling.algorithm(Algorithm)",
    "DelayedScaling.margin(int)",
    "DelayedScaling.cast(int, Tensor, Tensor, Tensor)",
    "DelayedScaling.update(Tensor)"
  })
  void delayedScaling(Backend backend) {
    Tensor history = tensor(DType.F32, 4, 2);
    Tensor multipliers = tensor(DType.F32, 2);
    Minifloat e4m3 = Minifloat.E4M3;
    Refusal.ofNull(() -> DelayedScaling.on(null, e4m3, history, multipliers));
    Refusal.ofArgument(
        () -> DelayedScaling.on(backend, Minifloat.E2M1, history, multipliers), "element E2M1");
    Refusal.ofArgument(
        () -> DelayedScaling.on(backend, e4m3, multipliers, multipliers), "history", "multipliers");
    Refusal.ofArgument(
        () -> DelayedScaling.on(backend, e4m3, tensor(DType.F32, 0, 2), multipliers),
        "history length is 0");
    Refusal.ofArgument(
        () -> DelayedScaling.on(backend, e4m3, history, tensor(DType.F32, 3)),
        "multipliers",
        "[2]");
    DelayedScaling scaling = DelayedScaling.on(backend, e4m3, history, multipliers);
    Refusal.ofNull(() -> scaling.algorithm(null));
    Refusal.ofArgument(() -> scaling.margin(101), "margin is 101");
    Tensor values = tensor(DType.F32, 2, 3);
    Tensor codes = tensor(DType.U8, 2, 3);
    Refusal.ofArgument(() -> scaling.cast(2, values, codes, null), "tensor is 2", "0..1");
    Refusal.ofArgument(() -> scaling.cast(-1, values, codes, null), "tensor is -1");
    Refusal.ofArgument(
        () -> scaling.cast(0, values, tensor(DType.U8, 3, 2), null), "codes", "[2, 3]");
    Refusal.ofArgument(
        () -> scaling.cast(0, values, codes, tensor(DType.U8, 2, 3)), "transposed codes", "[3, 2]");
    Refusal.ofArgument(() -> scaling.cast(0, values, codes, codes), "transposed codes");
    Refusal.ofArgument(() -> scaling.cast(0, codes, codes, null), "values is U8");
    Refusal.ofArgument(() -> scaling.update(values), "measured", "expected 2 elements");
  }
}
