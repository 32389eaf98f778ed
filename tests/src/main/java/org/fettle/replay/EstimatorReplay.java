package org.fettle.replay;

import java.util.Arrays;
import java.util.Set;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Hyper;
import org.fettle.Tensor;
import org.fettle.internal.Engines;
import org.fettle.internal.Scratch;
import org.fettle.recipes.Binarization;
import org.fettle.recipes.Biper;
import org.fettle.recipes.ClippedActivation;
import org.fettle.recipes.Dampening;
import org.fettle.recipes.GradientConflict;
import org.fettle.recipes.LearnedStep;
import org.fettle.recipes.OscillationTracker;
import org.fettle.recipes.QueryKey;
import org.fettle.recipes.Reste;
import org.fettle.recipes.StatisticsQuantizer;

/** Quantization-aware training. */
final class EstimatorReplay implements MethodReplay {
  @Override
  public Set<String> methods() {
    return Set.of(
        "binary-ste-xnor",
        "reste",
        "biper",
        "lsq",
        "lsqplus",
        "pact",
        "statsq-cga",
        "qkr",
        "oscillation",
        "dampening",
        "gaqat");
  }

  @Override
  public void replay(GoldenCase golden, Workbench bench, Outputs outputs) {
    switch (golden.method()) {
      case "binary-ste-xnor" -> binary(golden, bench, outputs);
      case "reste" -> reste(golden, bench, outputs);
      case "biper" -> biper(golden, bench, outputs);
      case "lsq" -> lsq(golden, bench, outputs);
      case "lsqplus" -> lsqPlus(golden, bench, outputs);
      case "pact" -> pact(golden, bench, outputs);
      case "statsq-cga" -> statistics(golden, bench, outputs);
      case "qkr" -> queryKey(golden, bench, outputs);
      case "oscillation" -> oscillation(golden, bench, outputs);
      case "dampening" -> dampening(golden, bench, outputs);
      default -> conflict(golden, bench, outputs);
    }
  }

  private static Tensor tensor(GoldenCase golden, Workbench bench, String name) {
    return bench.tensor(golden.array(name).floats(), golden.array(name).shape());
  }

  private static void binary(GoldenCase golden, Workbench bench, Outputs outputs) {
    Backend backend = bench.backend();
    Tensor w = tensor(golden, bench, "w");
    Tensor g = tensor(golden, bench, "grad_out");
    Tensor out = bench.tensor(DType.F32, w.shape());
    Binarization.sign(backend, w, out);
    outputs.add("sign", bench.floats(out));
    Binarization.straightThrough(backend, w, g, golden.hyper().number("clip"), out);
    outputs.add("grad_ste", bench.floats(out));
    Tensor alpha = bench.tensor(DType.F32, w.shape()[0]);
    Binarization.filterScales(backend, w, alpha);
    outputs.add("alpha", bench.floats(alpha));
    Binarization.scaledSign(backend, w, alpha, out);
    outputs.add("xnor", bench.floats(out));
    Binarization.xnorGradient(backend, w, g, alpha, false, out);
    outputs.add("grad_xnor_adam", bench.floats(out));
    Binarization.xnorGradient(backend, w, g, alpha, true, out);
    outputs.add("grad_xnor_sgd", bench.floats(out));
  }

  private static void reste(GoldenCase golden, Workbench bench, Outputs outputs) {
    Backend backend = bench.backend();
    Hyper hyper = golden.hyper();
    Reste reste = new Reste(hyper.number("o"), hyper.number("interval"), hyper.number("t"));
    Tensor w = tensor(golden, bench, "w");
    Tensor out = bench.tensor(DType.F32, w.shape());
    Binarization.sign(backend, w, out);
    outputs.add("sign", bench.floats(out));
    reste.backward(backend, w, tensor(golden, bench, "grad_out"), out);
    outputs.add("grad", bench.floats(out));
    reste.power(backend, w, out);
    outputs.add("power_forward", bench.floats(out));
    double epochs = hyper.number("schedule_epochs");
    double end = hyper.number("schedule_o_end");
    for (double epoch : golden.array("schedule_epoch").doubles()) {
      outputs.add("schedule_o", Reste.schedule(epoch, epochs, end));
    }
  }

  private static void biper(GoldenCase golden, Workbench bench, Outputs outputs) {
    Backend backend = bench.backend();
    Biper biper = new Biper(golden.hyper().number("freq"), (int) golden.hyper().number("stage"));
    Tensor w = tensor(golden, bench, "w");
    Tensor x = tensor(golden, bench, "x");
    Tensor alpha = tensor(golden, bench, "alpha");
    Tensor g = tensor(golden, bench, "grad_out");
    Tensor y = bench.tensor(DType.F32, g.shape());
    biper.forward(backend, x, w, alpha, y);
    outputs.add("y", bench.floats(y));
    Tensor gradientX = bench.tensor(DType.F32, x.shape());
    Tensor gradientW = bench.tensor(DType.F32, w.shape());
    outputs.add("grad_alpha", biper.backward(backend, x, w, alpha, g, gradientX, gradientW));
    outputs.add("grad_x", bench.floats(gradientX));
    outputs.add("grad_w", bench.floats(gradientW));
    outputs.add("reg", biper.penalty(backend, w));
    biper.penaltyGradient(backend, w, gradientW);
    outputs.add("reg_grad", bench.floats(gradientW));
  }

  private static LearnedStep step(Hyper hyper) {
    return new LearnedStep((int) hyper.number("qn"), (int) hyper.number("qp"));
  }

  private static void lsq(GoldenCase golden, Workbench bench, Outputs outputs) {
    Backend backend = bench.backend();
    Hyper hyper = golden.hyper();
    LearnedStep lsq = step(hyper);
    // The bits only name the codes, whose bounds are given.
    hyper.number("bits");
    Tensor x = tensor(golden, bench, "x");
    Tensor scale = tensor(golden, bench, "scale");
    boolean perChannel = hyper.flag("per_channel");
    double[] initial = lsq.initialStep(backend, x, perChannel);
    if (perChannel && lsq.low() == 0) {
      // nbasyl/OFQ, which made the vectors, starts unsigned channels at twice the paper's step
      // size.
      Arrays.setAll(initial, i -> 2.0 * initial[i]);
    }
    outputs.add("scale_init", initial);
    Tensor out = bench.tensor(DType.F32, x.shape());
    lsq.forward(backend, x, scale, out);
    outputs.add("y", bench.floats(out));
    Tensor g = tensor(golden, bench, "grad_out");
    outputs.add(
        "grad_scale",
        lsq.backward(backend, x, g, scale, 0.0, hyper.number("grad_scale"), out).step().stream()
            .mapToDouble(Double::doubleValue)
            .toArray());
    outputs.add("grad_x", bench.floats(out));
  }

  private static void lsqPlus(GoldenCase golden, Workbench bench, Outputs outputs) {
    Backend backend = bench.backend();
    Hyper hyper = golden.hyper();
    LearnedStep lsq = step(hyper);
    double offset = hyper.number("offset");
    Tensor x = tensor(golden, bench, "x");
    Tensor scale = bench.tensor(new float[] {(float) hyper.number("scale")}, 1);
    Tensor out = bench.tensor(DType.F32, x.shape());
    lsq.forward(backend, x, scale, offset, out);
    outputs.add("y", bench.floats(out));
    Tensor g = tensor(golden, bench, "grad_out");
    LearnedStep.StepGradients gradients =
        lsq.backward(backend, x, g, scale, offset, hyper.number("grad_scale"), out);
    outputs.add("grad_scale", gradients.step().get(0));
    outputs.add("grad_offset", gradients.offset());
    outputs.add("grad_x", bench.floats(out));
  }

  private static void pact(GoldenCase golden, Workbench bench, Outputs outputs) {
    Backend backend = bench.backend();
    ClippedActivation pact = new ClippedActivation((int) golden.hyper().number("bits"));
    Tensor x = tensor(golden, bench, "x");
    Tensor alpha = bench.tensor(new float[] {(float) golden.hyper().number("alpha")}, 1);
    Tensor out = bench.tensor(DType.F32, x.shape());
    pact.forward(backend, x, alpha, out);
    outputs.add("y", bench.floats(out));
    Tensor g = tensor(golden, bench, "grad_out");
    outputs.add("grad_alpha", pact.backward(backend, x, g, alpha, out));
    outputs.add("grad_x", bench.floats(out));
  }

  private static void statistics(GoldenCase golden, Workbench bench, Outputs outputs) {
    Backend backend = bench.backend();
    StatisticsQuantizer quantizer = new StatisticsQuantizer((int) golden.hyper().number("bits"));
    Tensor w = tensor(golden, bench, "w");
    Tensor scales = bench.tensor(DType.F32, w.shape()[w.rank() == 3 ? 1 : 0]);
    quantizer.scales(backend, w, scales);
    outputs.add("scale", bench.floats(scales));
    Tensor out = bench.tensor(DType.F32, w.shape());
    quantizer.forward(backend, w, scales, out);
    outputs.add("y", bench.floats(out));
    quantizer.freeze(backend, w, scales, golden.hyper().number("boundary_range"), out);
    outputs.add("frozen", bench.floats(out));
    // Straight through: the gradient of the weight is that of the output.
    outputs.add("grad_w", golden.array("grad_out").floats());
  }

  private static void queryKey(GoldenCase golden, Workbench bench, Outputs outputs) {
    Backend backend = bench.backend();
    Hyper hyper = golden.hyper();
    QueryKey method = new QueryKey((int) hyper.number("heads"), (int) hyper.number("bits"));
    Tensor query = tensor(golden, bench, "wq");
    Tensor key = tensor(golden, bench, "wk");
    if (hyper.number("dim") != query.shape()[0]) {
      throw new IllegalArgumentException(
          "dim is " + hyper.number("dim") + ": expected the extent of " + query);
    }
    Tensor g = tensor(golden, bench, "grad_out");
    Tensor out = bench.tensor(DType.F32, g.shape());
    method.forward(backend, query, key, out);
    outputs.add("y", bench.floats(out));
    Tensor gradientQuery = bench.tensor(DType.F32, query.shape());
    Tensor gradientKey = bench.tensor(DType.F32, key.shape());
    method.backward(backend, query, key, g, gradientQuery, gradientKey);
    outputs.add("grad_wq", bench.floats(gradientQuery));
    outputs.add("grad_wk", bench.floats(gradientKey));
  }

  private static void oscillation(GoldenCase golden, Workbench bench, Outputs outputs) {
    Hyper hyper = golden.hyper();
    Values scaled = golden.array("w_over_scale");
    Tensor w = bench.tensor(DType.F32, scaled.stepShape());
    double threshold = hyper.number("freeze_threshold");
    try (OscillationTracker tracker =
        new OscillationTracker(
            bench.backend(),
            (int) hyper.number("int_min"),
            (int) hyper.number("int_max"),
            hyper.number("momentum"),
            hyper.flag("use_ema"),
            scaled.stepShape())) {
      for (int step = 0; step < golden.steps(); step++) {
        bench.put(w, scaled.floats(step));
        tracker.step(w, threshold);
        outputs.add("x_int", bench.floats(tracker.integers()));
        outputs.add("freq", bench.floats(tracker.frequency()));
        outputs.add("frozen", bench.floats(tracker.frozen()));
        outputs.add("frozen_value", bench.floats(tracker.held()));
        outputs.add("ema_int", bench.floats(tracker.average()));
      }
    }
  }

  private static void dampening(GoldenCase golden, Workbench bench, Outputs outputs) {
    Hyper hyper = golden.hyper();
    String word = hyper.word("aggregation");
    Dampening.Aggregation aggregation =
        switch (word) {
          case "sum" -> Dampening.Aggregation.SUM;
          case "mean" -> Dampening.Aggregation.MEAN;
          case "kernel_mean" -> Dampening.Aggregation.KERNEL_MEAN;
          default ->
              throw new IllegalArgumentException(
                  "aggregation is " + word + ": expected sum, mean or kernel_mean");
        };
    Tensor w = tensor(golden, bench, "w");
    Dampening dampening =
        new Dampening((int) hyper.number("int_min"), (int) hyper.number("int_max"), aggregation);
    Tensor out = bench.tensor(DType.F32, w.shape());
    outputs.add("loss", dampening.gradient(bench.backend(), w, hyper.number("scale"), 1.0, out));
    outputs.add("grad", bench.floats(out));
  }

  private static void conflict(GoldenCase golden, Workbench bench, Outputs outputs) {
    Tensor task = tensor(golden, bench, "g_task");
    if (golden.hyper().number("window") != task.shape()[0]) {
      throw new IllegalArgumentException(
          "window is " + golden.hyper().number("window") + ": expected the extent of " + task);
    }
    long scales = task.shape()[1];
    Tensor disorder = bench.tensor(DType.F32, scales);
    Tensor conflict = bench.tensor(DType.F32, scales);
    Tensor freeze = bench.tensor(DType.I8, scales);
    GradientConflict.measure(
        bench.backend(),
        task,
        tensor(golden, bench, "g_smooth"),
        golden.hyper().number("threshold"),
        disorder,
        conflict,
        freeze);
    outputs.add("disorder", bench.floats(disorder));
    outputs.add("conflict", bench.floats(conflict));
    for (byte flag : Scratch.bytes(Engines.named(bench.backend().name()), freeze)) {
      outputs.add("freeze", flag);
    }
  }
}
