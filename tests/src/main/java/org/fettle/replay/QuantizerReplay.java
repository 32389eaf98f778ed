package org.fettle.replay;

import java.util.Locale;
import java.util.Set;
import org.fettle.DType;
import org.fettle.DelayedScaling;
import org.fettle.Fp8Format;
import org.fettle.Hyper;
import org.fettle.IntegerFormat;
import org.fettle.MicroscalingFormat;
import org.fettle.Minifloat;
import org.fettle.Nvfp4Format;
import org.fettle.QuantizationFormat;
import org.fettle.Quantized;
import org.fettle.Quantizer;
import org.fettle.Quantizer.PackingOrder;
import org.fettle.ScaleGrid;
import org.fettle.Tensor;

/** Formats with and without scales, and the recipes of FP8. */
final class QuantizerReplay implements MethodReplay {
  @Override
  public Set<String> methods() {
    return Set.of(
        "minifloat-e4m3fn",
        "minifloat-e5m2",
        "minifloat-e2m3",
        "minifloat-e3m2",
        "minifloat-e2m1",
        "minifloat-e8m0",
        "mx-e4m3fn",
        "mx-e5m2",
        "mx-e2m3",
        "mx-e3m2",
        "mx-e2m1",
        "nvfp4",
        "int8-row-symmetric",
        "int-asymmetric-row",
        "int-group-packed",
        "jetfire-block",
        "fp8-block-scaling",
        "fp8-delayed-scaling");
  }

  @Override
  public void replay(GoldenCase golden, Workbench bench, Outputs outputs) {
    String method = golden.method();
    if (method.startsWith("minifloat")) {
      minifloat(golden, bench, outputs);
    } else if (method.startsWith("mx")) {
      microscaling(golden, bench, outputs);
    } else if (method.equals("nvfp4")) {
      nvfp4(golden, bench, outputs);
    } else if (method.equals("fp8-delayed-scaling")) {
      delayed(golden, bench, outputs);
    } else if (method.equals("fp8-block-scaling")) {
      fp8(golden, bench, outputs);
    } else {
      integers(golden, bench, outputs);
    }
  }

  private static Minifloat format(String word) {
    String name = word.toUpperCase(Locale.ROOT);
    return Minifloat.valueOf(name.equals("E4M3FN") ? "E4M3" : name);
  }

  private static Quantizer quantizer(Hyper hyper, Workbench bench) {
    Quantizer quantizer = Quantizer.on(bench.backend());
    if (!hyper.has("rounding") || hyper.word("rounding").equals("nearest_even")) {
      return quantizer;
    }
    return quantizer.stochastic(
        hyper.unsigned("seed"), hyper.unsigned("step"), (int) hyper.unsigned("stream"));
  }

  private static void minifloat(GoldenCase golden, Workbench bench, Outputs outputs) {
    Minifloat format = format(golden.hyper().word("format"));
    Quantizer quantizer = quantizer(golden.hyper(), bench);
    Tensor codes = null;
    Tensor unsaturated = null;
    if (golden.takes("x")) {
      Values x = golden.array("x");
      Tensor values = bench.tensor(x.floats(), x.shape());
      codes = bench.tensor(DType.U8, x.shape());
      unsaturated = bench.tensor(DType.U8, x.shape());
      quantizer.cast(format, true, values, codes);
      quantizer.cast(format, false, values, unsaturated);
    }
    for (String name : golden.outputs()) {
      if (name.equals("code_nosat")) {
        outputs.add(name, LowBits.read(bench, unsaturated));
      } else if (golden.array(name).isInteger()) {
        outputs.add(name, LowBits.read(bench, codes));
      } else {
        Tensor from =
            golden.takes("codes") ? LowBits.bytes(bench, DType.U8, golden.array("codes")) : codes;
        Tensor decoded = bench.tensor(DType.F32, from.shape());
        quantizer.decode(format, from, decoded);
        outputs.add(name, bench.floats(decoded));
      }
    }
  }

  private static Quantized allocate(
      QuantizationFormat format, Workbench bench, Values x, long... scales) {
    return Quantized.of(
        bench.tensor(format.codes(), x.shape()), bench.tensor(format.scales(), scales));
  }

  private static void decoded(
      String name,
      QuantizationFormat format,
      Quantized quantized,
      Workbench bench,
      Outputs outputs) {
    Tensor decoded = bench.tensor(DType.F32, quantized.codes().shape());
    Quantizer.on(bench.backend()).dequantize(format, quantized, decoded);
    outputs.add(name, bench.floats(decoded));
  }

  private static void microscaling(GoldenCase golden, Workbench bench, Outputs outputs) {
    Hyper hyper = golden.hyper();
    expect(hyper, "block_size", MicroscalingFormat.BLOCK);
    MicroscalingFormat format =
        new MicroscalingFormat(
            format(hyper.word("element")),
            MicroscalingFormat.Rule.valueOf(hyper.word("scale_mode").toUpperCase(Locale.ROOT)));
    Values x = golden.array("x");
    Quantized quantized = allocate(format, bench, x, format.scales(x.shape()));
    quantizer(hyper, bench).quantize(format, bench.tensor(x.floats(), x.shape()), quantized);
    outputs.add("scale", LowBits.read(bench, quantized.scales()));
    outputs.add("code", LowBits.read(bench, quantized.codes()));
    decoded("dequantized", format, quantized, bench, outputs);
    if (format.bits() == 4) {
      packed("packed", 4, PackingOrder.LOW_FIRST, quantized.codes(), bench, outputs);
    }
  }

  private static void packed(
      String name, int bits, PackingOrder order, Tensor codes, Workbench bench, Outputs outputs) {
    Tensor packed = bench.tensor(DType.U8, Quantizer.packedBytes(bits, codes.elements()));
    Quantizer quantizer = Quantizer.on(bench.backend());
    quantizer.pack(bits, order, codes, packed);
    Tensor back = bench.tensor(codes.dtype(), codes.shape());
    quantizer.unpack(bits, order, packed, back);
    if (!java.util.Arrays.equals(LowBits.read(bench, codes), LowBits.read(bench, back))) {
      throw new IllegalStateException("unpacked codes differ from those that were packed");
    }
    outputs.add(name, LowBits.read(bench, packed));
  }

  private static void nvfp4(GoldenCase golden, Workbench bench, Outputs outputs) {
    Hyper hyper = golden.hyper();
    expect(hyper, "block_size", Nvfp4Format.BLOCK);
    Nvfp4Format format = new Nvfp4Format(hyper.flag("global_scale"));
    Values x = golden.array("x");
    Quantized quantized = allocate(format, bench, x, format.scales(x.shape()));
    if (format.globalScale()) {
      quantized = quantized.withGlobalScale(bench.tensor(DType.F32, 1));
    }
    quantizer(hyper, bench).quantize(format, bench.tensor(x.floats(), x.shape()), quantized);
    outputs.add(
        "global", format.globalScale() ? bench.floats(quantized.globalScale()) : new float[] {1});
    outputs.add("scale_code", LowBits.read(bench, quantized.scales()));
    packed("packed", 4, PackingOrder.LOW_FIRST, quantized.codes(), bench, outputs);
    decoded("dequantized", format, quantized, bench, outputs);
  }

  private static void integers(GoldenCase golden, Workbench bench, Outputs outputs) {
    Hyper hyper = golden.hyper();
    Values x = golden.array("x");
    IntegerFormat format;
    String code = "code";
    switch (golden.method()) {
      case "int8-row-symmetric" -> {
        expect(hyper, "qmax", 127);
        expect(hyper, "eps", 1e-12);
        format = new IntegerFormat(8, IntegerFormat.Scheme.TRAINING, ScaleGrid.ROW);
        code = "q";
      }
      case "int-asymmetric-row" ->
          format =
              new IntegerFormat(
                  (int) hyper.number("bits"),
                  hyper.flag("symmetric")
                      ? IntegerFormat.Scheme.CENTRED
                      : IntegerFormat.Scheme.ASYMMETRIC,
                  ScaleGrid.ROW);
      case "int-group-packed" -> {
        int bits = (int) hyper.number("bits");
        expect(hyper, "qmax", (1 << (bits - 1)) - 1);
        format =
            new IntegerFormat(
                bits,
                IntegerFormat.Scheme.SYMMETRIC,
                ScaleGrid.group((long) hyper.number("group_size")));
        code = "q";
      }
      default -> {
        double[] tile = hyper.numbers("tile");
        format =
            new IntegerFormat(
                8, IntegerFormat.Scheme.DIVIDING, ScaleGrid.block((long) tile[0], (long) tile[1]));
      }
    }
    Quantized quantized = allocate(format, bench, x, format.scales(x.shape()));
    if (format.codes() == DType.U8) {
      quantized = quantized.withZeroPoints(bench.tensor(DType.I32, format.scales(x.shape())));
    }
    quantizer(hyper, bench).quantize(format, bench.tensor(x.floats(), x.shape()), quantized);
    outputs.add(code, LowBits.read(bench, quantized.codes()));
    outputs.add("scale", bench.floats(quantized.scales()));
    if (quantized.zeroPoints() != null) {
      outputs.add("zero", LowBits.read(bench, quantized.zeroPoints()));
    }
    decoded("dequantized", format, quantized, bench, outputs);
    if (golden.method().equals("int-group-packed")) {
      PackingOrder order =
          switch (hyper.word("first_element")) {
            case "low bits" -> PackingOrder.LOW_FIRST;
            case "high bits" -> PackingOrder.HIGH_FIRST;
            default ->
                throw new IllegalArgumentException(
                    "first_element " + hyper.word("first_element") + ": expected low or high bits");
          };
      packed("packed", format.bits(), order, quantized.codes(), bench, outputs);
    }
  }

  private static void fp8(GoldenCase golden, Workbench bench, Outputs outputs) {
    Hyper hyper = golden.hyper();
    Values x = golden.array("x");
    long[] shape = x.shape();
    double[] tile = hyper.numbers("tile");
    Fp8Format format =
        new Fp8Format(
            format(hyper.word("format")),
            ScaleGrid.block((long) tile[0], (long) tile[1]),
            hyper.number("amax_epsilon"),
            hyper.flag("power_of_two_scales"));
    Quantized quantized = allocate(format, bench, x, format.scales(shape));
    if (golden.outputs().contains("code_t")) {
      quantized = quantized.withTransposed(bench.tensor(DType.U8, shape[1], shape[0]));
    }
    quantizer(hyper, bench).quantize(format, bench.tensor(x.floats(), shape), quantized);
    outputs.add("code", LowBits.read(bench, quantized.codes()));
    outputs.add("scale_inv", bench.floats(quantized.scales()));
    if (quantized.transposed() != null) {
      outputs.add("code_t", LowBits.read(bench, quantized.transposed()));
    }
  }

  private static void delayed(GoldenCase golden, Workbench bench, Outputs outputs) {
    Hyper hyper = golden.hyper();
    Values amax = golden.array("amax");
    long tensors = amax.stepShape()[0];
    double largest = hyper.number("fp8_max");
    Minifloat element = largest == Minifloat.E4M3.largest() ? Minifloat.E4M3 : Minifloat.E5M2;
    expect(hyper, "fp8_max", element.largest());
    Tensor history = bench.tensor(DType.F32, (long) hyper.number("history_len"), tensors);
    Tensor multipliers = bench.tensor(DType.F32, tensors);
    float[] ones = new float[(int) tensors];
    java.util.Arrays.fill(ones, 1f);
    bench.put(multipliers, ones);
    DelayedScaling scaling =
        DelayedScaling.on(bench.backend(), element, history, multipliers)
            .algorithm(
                DelayedScaling.Algorithm.valueOf(
                    hyper.word("amax_compute_algo").toUpperCase(Locale.ROOT)))
            .margin((int) hyper.number("margin"));
    Tensor measured = bench.tensor(DType.F32, tensors);
    for (int step = 0; step < golden.steps(); step++) {
      bench.put(measured, amax.floats(step));
      scaling.update(measured);
      outputs.add("history", bench.floats(history));
      outputs.add("scale", bench.floats(multipliers));
    }
  }

  private static void expect(Hyper hyper, String name, double expected) {
    if (hyper.number(name) != expected) {
      throw new IllegalArgumentException(
          name + " is " + hyper.number(name) + ": expected " + expected);
    }
  }
}
