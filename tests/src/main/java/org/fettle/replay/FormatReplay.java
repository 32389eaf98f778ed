package org.fettle.replay;

import java.util.Arrays;
import java.util.Set;
import org.fettle.DType;
import org.fettle.Hyper;
import org.fettle.IntegerFormat;
import org.fettle.Parameter;
import org.fettle.Plan;
import org.fettle.Quantized;
import org.fettle.Quantizer;
import org.fettle.Rounding;
import org.fettle.ScaleGrid;
import org.fettle.Tensor;
import org.fettle.internal.Formats;
import org.fettle.internal.Philox;
import org.fettle.rules.Sgd;

/** 16-bit formats, as a step stores them. */
final class FormatReplay implements MethodReplay {
  /** Random streams of one tensor of a plan; the first rounds the parameter. */
  private static final int STREAMS = 16;

  @Override
  public Set<String> methods() {
    return Set.of("half", "stochastic-round");
  }

  @Override
  public void replay(GoldenCase golden, Workbench bench, Outputs outputs) {
    if (golden.method().equals("half")) {
      outputs.addCodes("bf16", copied(golden, bench, DType.BF16));
      outputs.addCodes("fp16", copied(golden, bench, DType.F16));
    } else {
      outputs.addCodes("bf16", rounded(golden, bench));
      outputs.add("int8", int8(golden, bench));
    }
  }

  /** The low-precision copy of a parameter that a step of no length leaves alone. */
  private static short[] copied(GoldenCase golden, Workbench bench, DType dtype) {
    Values x = golden.array("x");
    Tensor value = bench.tensor(x.floats(), x.shape());
    Tensor copy = bench.tensor(dtype, x.shape());
    Parameter parameter = Parameter.of(value, bench.tensor(DType.F32, x.shape())).withCopy(copy);
    try (Plan plan =
        Plan.builder().group(new Sgd().withLr(0), parameter).backend(bench.backend()).build()) {
      plan.step();
    }
    return bench.codes(copy);
  }

  /** Codes with a given scale. */
  private static double[] int8(GoldenCase golden, Workbench bench) {
    Hyper hyper = golden.hyper();
    Values x = golden.array("x");
    Tensor codes = bench.tensor(DType.I8, x.shape());
    float scale = (float) hyper.number("int_scale");
    Quantizer.on(bench.backend())
        .stochastic(hyper.unsigned("seed"), hyper.unsigned("step"), (int) hyper.unsigned("stream"))
        .encode(
            IntegerFormat.int8(ScaleGrid.TENSOR),
            bench.tensor(x.floats(), x.shape()),
            Quantized.of(codes, bench.tensor(new float[] {scale}, 1)));
    return LowBits.read(bench, codes);
  }

  /** By words of a stream in which no plan rounds a parameter. */
  private static short[] roundedOnHost(float[] x, long seed, int step, int stream) {
    short[] codes = new short[x.length];
    int[] words = new int[4];
    for (int i = 0; i < x.length; i++) {
      Philox.words(seed, i >>> 2, step, stream, words, 0);
      codes[i] = Formats.stochastic(DType.BF16, x[i], words[i & 3]);
    }
    return codes;
  }

  /** A bf16 parameter that a step moves from -0 to x. */
  private static short[] rounded(GoldenCase golden, Workbench bench) {
    Hyper hyper = golden.hyper();
    long step = hyper.unsigned("step");
    int stream = (int) hyper.unsigned("stream");
    Values x = golden.array("x");
    if (stream % STREAMS != 0) {
      return roundedOnHost(x.floats(), hyper.unsigned("seed"), (int) step, stream);
    }
    float[] gradient = x.floats();
    for (int i = 0; i < gradient.length; i++) {
      gradient[i] = -gradient[i];
    }
    Tensor value = bench.tensor(DType.BF16, x.shape());
    short[] minusZero = new short[gradient.length];
    Arrays.fill(minusZero, (short) 0x8000);
    bench.put(value, minusZero);
    // Tensors without elements take the streams before.
    int tensor = stream / STREAMS;
    Parameter[] parameters = new Parameter[tensor + 1];
    Arrays.fill(parameters, Parameter.of(bench.tensor(DType.F32, 0), null));
    parameters[tensor] = Parameter.of(value, bench.tensor(gradient, x.shape()));
    try (Plan plan =
        Plan.builder()
            .group(new Sgd().withLr(1), parameters)
            .rounding(Rounding.STOCHASTIC)
            .seed(hyper.unsigned("seed"))
            .backend(bench.backend())
            .build()) {
      // The low 32 bits of t count, and t is at least 1.
      plan.setStepCount(tensor, (step == 0 ? 1L << 32 : step) - 1);
      plan.step();
    }
    return bench.codes(value);
  }
}
