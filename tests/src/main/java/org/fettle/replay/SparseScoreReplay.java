package org.fettle.replay;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.fettle.DType;
import org.fettle.Hyper;
import org.fettle.MaskedStates;
import org.fettle.Parameter;
import org.fettle.Plan;
import org.fettle.Rule;
import org.fettle.Step;
import org.fettle.Tensor;
import org.fettle.internal.Engines;
import org.fettle.internal.Scratch;
import org.fettle.rules.Adam;
import org.fettle.rules.AdamW;
import org.fettle.rules.Sgd;
import org.fettle.sparsity.Fraction;
import org.fettle.sparsity.GateConsensus;
import org.fettle.sparsity.Masks;
import org.fettle.sparsity.Polarization;
import org.fettle.sparsity.Proximal;
import org.fettle.sparsity.RelevanceDecay;
import org.fettle.sparsity.Saliency;
import org.fettle.sparsity.Selection;
import org.fettle.sparsity.StructuredScores;

/** Scores, penalties and proximal operators of sparse pruning. */
final class SparseScoreReplay implements MethodReplay {
  @Override
  public Set<String> methods() {
    return Set.of(
        "masked-step",
        "structured-score",
        "saliency",
        "prox",
        "relevance-decay",
        "polarization",
        "gate-consensus");
  }

  @Override
  public void replay(GoldenCase golden, Workbench bench, Outputs outputs) {
    switch (golden.method()) {
      case "masked-step" -> maskedStep(golden, bench, outputs);
      case "structured-score" -> structured(golden, bench, outputs);
      case "saliency" -> saliency(golden, bench, outputs);
      case "prox" -> proximal(golden, bench, outputs);
      case "relevance-decay" -> relevance(golden, bench, outputs);
      case "polarization" -> polarization(golden, bench, outputs);
      default -> consensus(golden, bench, outputs);
    }
  }

  private static Tensor tensor(GoldenCase golden, Workbench bench, String name) {
    return SelectionReplay.tensor(golden, bench, name);
  }

  private static double[] doubles(Workbench bench, Tensor tensor) {
    return Scratch.doubles(Engines.named(bench.backend().name()), tensor);
  }

  private static Rule rule(Hyper hyper) {
    double lr = hyper.number("lr");
    double momentum = hyper.number("momentum");
    double beta1 = hyper.number("beta1");
    double beta2 = hyper.number("beta2");
    double eps = hyper.number("eps");
    double decay = hyper.number("weight_decay");
    String optimizer = hyper.word("optimizer");
    return switch (optimizer) {
      case "sgd" -> new Sgd().withLr(lr).withMomentum(momentum).withWeightDecay(decay);
      case "adam" ->
          new Adam()
              .withLr(lr)
              .withBeta1(beta1)
              .withBeta2(beta2)
              .withEps(eps)
              .withWeightDecay(decay);
      case "adamw" ->
          new AdamW()
              .withLr(lr)
              .withBeta1(beta1)
              .withBeta2(beta2)
              .withEps(eps)
              .withWeightDecay(decay);
      default ->
          throw new IllegalArgumentException(
              "optimizer is " + optimizer + ": expected sgd, adam or adamw");
    };
  }

  private static void maskedStep(GoldenCase golden, Workbench bench, Outputs outputs) {
    Rule rule = rule(golden.hyper());
    String mode = golden.hyper().word("state_mode");
    if (!Set.of("zero", "freeze").contains(mode)) {
      throw new IllegalArgumentException("state_mode is " + mode + ": expected zero or freeze");
    }
    Tensor w = tensor(golden, bench, "w");
    Tensor g = bench.tensor(DType.F32, w.shape());
    Tensor mask = bench.tensor(DType.BIT, w.shape());
    Tensor flags = bench.tensor(DType.U8, w.shape());
    try (Plan plan =
        Plan.builder()
            .group(rule, Parameter.of(w, g).withMask(mask))
            .maskedStates(mode.equals("zero") ? MaskedStates.ZERO : MaskedStates.FREEZE)
            .backend(bench.backend())
            .build()) {
      for (int t = 0; t < golden.steps(); t++) {
        bench.put(g, golden.array("grad").floats(t));
        float[] bits = golden.array("mask").floats(t);
        byte[] bytes = new byte[bits.length];
        for (int i = 0; i < bits.length; i++) {
          bytes[i] = (byte) bits[i];
        }
        Scratch.write(Engines.named(bench.backend().name()), flags, bytes);
        Masks.on(bench.backend()).pack(flags, mask);
        plan.step(new Step());
        outputs.add("weight", bench.floats(w));
        for (int k = 0; k < rule.states().size(); k++) {
          outputs.add("state" + (k + 1), bench.floats(plan.state(0, rule.states().get(k))));
        }
      }
    }
    for (String name : golden.outputs()) {
      if (outputs.get(name) == null) {
        outputs.absent(name, "the rule keeps none");
      }
    }
  }

  private static void structured(GoldenCase golden, Workbench bench, Outputs outputs) {
    Tensor w = tensor(golden, bench, "w");
    int size = (int) golden.hyper().number("block_size");
    int heads = (int) golden.hyper().number("heads");
    long out = w.shape()[0];
    long in = w.shape()[1];
    StructuredScores scores = StructuredScores.on(bench.backend());
    for (StructuredScores.Norm norm : StructuredScores.Norm.values()) {
      String ending = norm == StructuredScores.Norm.L1 ? "l1" : "l2";
      Tensor outs = bench.tensor(DType.F64, out);
      scores.outputs(norm, w, outs);
      outputs.add("out_" + ending, doubles(bench, outs));
      Tensor ins = bench.tensor(DType.F64, in);
      scores.inputs(norm, w, ins);
      outputs.add("in_" + ending, doubles(bench, ins));
      long rest = w.elements() / out;
      Tensor blocks = bench.tensor(DType.F64, (out + size - 1) / size, (rest + size - 1) / size);
      scores.blocks(norm, w, size, blocks);
      outputs.add("block_" + ending, doubles(bench, blocks));
    }
    Tensor head = bench.tensor(DType.F64, heads);
    scores.heads(StructuredScores.Norm.L2, w, heads, head);
    outputs.add("head_l2", doubles(bench, head));
    Tensor bn = bench.tensor(DType.F64, out);
    scores.scales(tensor(golden, bench, "bn_scale"), bn);
    outputs.add("bn", doubles(bench, bn));
    scores.taylor(w, tensor(golden, bench, "grad"), bn);
    outputs.add("taylor", doubles(bench, bn));
  }

  private static void saliency(GoldenCase golden, Workbench bench, Outputs outputs) {
    int layers = (int) golden.hyper().number("layers");
    List<Tensor> weights = new ArrayList<>();
    List<Tensor> gradients = new ArrayList<>();
    List<Tensor> hessians = new ArrayList<>();
    List<Tensor> scores = new ArrayList<>();
    List<Tensor> masks = new ArrayList<>();
    long all = 0;
    for (int i = 0; i < layers; i++) {
      weights.add(tensor(golden, bench, "w" + i));
      gradients.add(tensor(golden, bench, "grad" + i));
      hessians.add(tensor(golden, bench, "hessian_grad" + i));
      scores.add(bench.tensor(DType.F32, weights.get(i).shape()));
      masks.add(bench.tensor(DType.BIT, weights.get(i).shape()));
      all += weights.get(i).elements();
    }
    Saliency saliency = Saliency.on(bench.backend());
    int exponent = saliency.synflow(weights, scores);
    for (int i = 0; i < layers; i++) {
      double[] flow = new double[(int) scores.get(i).elements()];
      float[] values = bench.floats(scores.get(i));
      for (int k = 0; k < flow.length; k++) {
        flow[k] = Math.scalb((double) values[k], exponent);
      }
      outputs.add("synflow" + i, flow);
    }
    saliency.grasp(weights, hessians, scores);
    add(bench, outputs, "grasp", scores);
    saliency.snip(weights, gradients, scores);
    add(bench, outputs, "snip", scores);
    long kept = all - Fraction.FLOOR.of(golden.hyper().number("sparsity"), all);
    Selection.Outcome found =
        Selection.on(bench.backend())
            .withKey(Selection.Key.SIGNED)
            .keepLargest(kept, scores, masks);
    for (int i = 0; i < layers; i++) {
      outputs.add("snip_mask" + i, bench.bits(masks.get(i)));
      float[] values = bench.floats(scores.get(i));
      for (int k = 0; k < values.length; k++) {
        // A choice at a near tie of computed scores.
        boolean near = Math.abs(values[k] - found.threshold()) < 2e-6 * found.threshold();
        if (near && values[k] != found.threshold()) {
          outputs.leaveOut("snip_mask" + i, k);
        }
      }
    }
  }

  private static void add(Workbench bench, Outputs outputs, String name, List<Tensor> tensors) {
    for (int i = 0; i < tensors.size(); i++) {
      outputs.add(name + i, bench.floats(tensors.get(i)));
    }
  }

  private static void proximal(GoldenCase golden, Workbench bench, Outputs outputs) {
    Hyper hyper = golden.hyper();
    double step = hyper.number("step");
    double lambda = hyper.number("lambda");
    Tensor x = tensor(golden, bench, "x");
    Tensor out = bench.tensor(DType.F32, x.shape());
    new Proximal.Soft(lambda).apply(bench.backend(), step, x, out);
    outputs.add("soft", bench.floats(out));
    new Proximal.Scad(lambda, hyper.number("a")).apply(bench.backend(), step, x, out);
    outputs.add("scad", bench.floats(out));
    new Proximal.Mcp(lambda, hyper.number("gamma")).apply(bench.backend(), step, x, out);
    outputs.add("mcp", bench.floats(out));
    new Proximal.Hard(hyper.number("hard_lambda")).apply(bench.backend(), step, x, out);
    outputs.add("hard", bench.floats(out));
    int size = (int) hyper.number("group_size");
    float[] values = golden.array("x").floats();
    float[] whole = java.util.Arrays.copyOf(values, values.length / size * size);
    Tensor groups = bench.tensor(whole, whole.length);
    Proximal.group(bench.backend(), step, hyper.number("group_lambda"), size, groups, groups);
    outputs.add("group_soft", bench.floats(groups));
  }

  private static void relevance(GoldenCase golden, Workbench bench, Outputs outputs) {
    RelevanceDecay rule = new RelevanceDecay(golden.hyper().number("lambda"));
    double lr = golden.hyper().number("lr");
    Tensor w = tensor(golden, bench, "w");
    Tensor g = bench.tensor(DType.F32, w.shape());
    for (int t = 0; t < golden.steps(); t++) {
      bench.put(g, golden.array("grad").floats(t));
      rule.step(bench.backend(), lr, w, g);
      outputs.add("weight", bench.floats(w));
    }
  }

  private static void polarization(GoldenCase golden, Workbench bench, Outputs outputs) {
    Hyper hyper = golden.hyper();
    float[] gamma = golden.array("gamma").floats();
    List<Tensor> scales = new ArrayList<>();
    List<Tensor> gradients = new ArrayList<>();
    int at = 0;
    for (double size : golden.array("sizes").doubles()) {
      int n = (int) size;
      scales.add(bench.tensor(java.util.Arrays.copyOfRange(gamma, at, at + n), n));
      gradients.add(bench.tensor(DType.F32, n));
      at += n;
    }
    Polarization rule =
        new Polarization(hyper.number("lambda"), hyper.number("t"), hyper.number("alpha"));
    outputs.add("loss", rule.gradient(bench.backend(), scales, gradients, false));
    for (Tensor gradient : gradients) {
      outputs.add("grad", bench.floats(gradient));
    }
    for (Tensor one : scales) {
      Polarization.clamp(bench.backend(), one);
      outputs.add("gamma_clamped", bench.floats(one));
    }
  }

  private static void consensus(GoldenCase golden, Workbench bench, Outputs outputs) {
    Tensor gates = tensor(golden, bench, "gate");
    long units = gates.shape()[1];
    Tensor hard = bench.tensor(DType.U8, gates.shape());
    Tensor means = bench.tensor(DType.F64, units);
    Tensor keep = bench.tensor(DType.BIT, units);
    Tensor gradient = bench.tensor(DType.F32, gates.shape());
    GateConsensus rule = new GateConsensus(golden.hyper().number("threshold"));
    outputs.add("loss", rule.evaluate(bench.backend(), gates, hard, means, keep, gradient));
    outputs.add("hard", bench.integers(hard));
    outputs.add("mean", doubles(bench, means));
    outputs.add("keep", bench.bits(keep));
    outputs.add("grad", bench.floats(gradient));
  }
}
