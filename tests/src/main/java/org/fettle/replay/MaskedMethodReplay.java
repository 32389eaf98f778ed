package org.fettle.replay;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.fettle.DType;
import org.fettle.Hyper;
import org.fettle.Tensor;
import org.fettle.internal.Engine;
import org.fettle.internal.Engines;
import org.fettle.internal.algebra.Products;
import org.fettle.pruning.Bdwp;
import org.fettle.pruning.BiP;
import org.fettle.pruning.LotteryTicket;
import org.fettle.pruning.SrSte;
import org.fettle.sparsity.Masks;
import org.fettle.sparsity.NmPattern;

/** Methods with masks that are no schedule of another optimizer. */
final class MaskedMethodReplay implements MethodReplay {
  @Override
  public Set<String> methods() {
    return Set.of("lth-imp", "sr-ste", "bip", "bdwp");
  }

  @Override
  public void replay(GoldenCase golden, Workbench bench, Outputs outputs) {
    switch (golden.method()) {
      case "lth-imp" -> lotteryTicket(golden, bench, outputs);
      case "sr-ste" -> srSte(golden, bench, outputs);
      case "bip" -> biP(golden, bench, outputs);
      default -> bdwp(golden, bench, outputs);
    }
  }

  private static void lotteryTicket(GoldenCase golden, Workbench bench, Outputs outputs) {
    LotteryTicket ticket =
        new LotteryTicket(
            bench.backend(),
            golden.hyper().number("pruning_fraction"),
            LotteryTicket.Count.OPEN_LTH);
    List<Tensor> early = new ArrayList<>();
    List<Tensor> masks = new ArrayList<>();
    List<Tensor> weights = new ArrayList<>();
    for (int i = 0; golden.takes("w_rewind" + i); i++) {
      Values rewind = golden.array("w_rewind" + i);
      early.add(bench.tensor(rewind.floats(), rewind.shape()));
      Tensor mask = bench.tensor(DType.BIT, rewind.shape());
      Masks.on(bench.backend()).fill(mask, true);
      masks.add(mask);
      weights.add(bench.tensor(DType.F32, rewind.shape()));
    }
    for (int level = 0; level < (int) golden.hyper().number("levels"); level++) {
      for (int i = 0; i < weights.size(); i++) {
        bench.put(weights.get(i), golden.array("trained" + i).floats(level));
      }
      LotteryTicket.Level done = ticket.prune(weights, masks);
      ticket.rewind(early, masks, weights);
      outputs.add("prune_count_nominal", (double) done.nominal());
      outputs.add("threshold", done.threshold());
      for (int i = 0; i < weights.size(); i++) {
        outputs.add("mask" + i, bench.bits(masks.get(i)));
        outputs.add("rewound" + i, bench.floats(weights.get(i)));
      }
    }
  }

  private static void srSte(GoldenCase golden, Workbench bench, Outputs outputs) {
    Hyper hyper = golden.hyper();
    SrSte method =
        new SrSte(
            new NmPattern((int) hyper.number("n"), (int) hyper.number("m")),
            hyper.number("lambda"),
            hyper.number("lr"),
            hyper.number("momentum"),
            hyper.number("weight_decay"));
    Values start = golden.array("w0");
    Tensor weight = bench.tensor(start.floats(), start.shape());
    Tensor gradient = bench.tensor(DType.F32, start.shape());
    Tensor buffer = bench.tensor(DType.F32, start.shape());
    Tensor sparse = bench.tensor(DType.F32, start.shape());
    Tensor mask = bench.tensor(DType.BIT, start.shape());
    boolean stored = method.momentum() > 0 && golden.outputs().contains("momentum_buffer");
    for (int t = 0; t < golden.steps(); t++) {
      if (t > 0) {
        bench.put(weight, golden.array("weight").floats(t - 1));
        if (stored) {
          bench.put(buffer, golden.array("momentum_buffer").floats(t - 1));
        }
      }
      bench.put(gradient, golden.array("grad").floats(t));
      method.forward(bench.backend(), weight, mask, sparse);
      method.step(bench.backend(), weight, gradient, buffer, mask);
      outputs.add("mask", bench.bits(mask));
      outputs.add("sparse_weight", bench.floats(sparse));
      outputs.add("weight", bench.floats(weight));
      if (stored) {
        outputs.add("momentum_buffer", bench.floats(buffer));
      }
    }
    if (!stored) {
      outputs.absent("momentum_buffer", "there is no momentum");
    }
  }

  private static void biP(GoldenCase golden, Workbench bench, Outputs outputs) {
    Hyper hyper = golden.hyper();
    if (hyper.number("momentum") != 0 || hyper.number("weight_decay") != 0) {
      throw new IllegalArgumentException("momentum, weight_decay: they are always 0");
    }
    BiP method =
        new BiP(
            hyper.number("keep_ratio"),
            hyper.number("lr"),
            hyper.number("mask_lr"),
            hyper.number("lr2"));
    Values start = golden.array("w");
    Tensor weight = bench.tensor(start.floats(), start.shape());
    Tensor score = bench.tensor(golden.array("score0").floats(), start.shape());
    Tensor gradient = bench.tensor(DType.F32, start.shape());
    Tensor derived = bench.tensor(DType.F32, start.shape());
    Tensor mask = bench.tensor(DType.BIT, start.shape());
    for (int t = 0; t < golden.steps(); t++) {
      if (t > 0) {
        bench.put(weight, golden.array("weight").floats(t - 1));
        bench.put(score, golden.array("score").floats(t - 1));
      }
      method.choose(bench.backend(), List.of(score), List.of(mask));
      bench.put(gradient, golden.array("grad_lower").floats(t));
      method.lower(bench.backend(), weight, gradient, mask);
      bench.put(gradient, golden.array("grad_upper").floats(t));
      method.derivedGradient(bench.backend(), weight, gradient, mask, derived);
      method.upper(bench.backend(), score, weight, gradient);
      method.choose(bench.backend(), List.of(score), List.of(mask));
      outputs.add("weight", bench.floats(weight));
      outputs.add("score", bench.floats(score));
      outputs.add("mask", bench.bits(mask));
      outputs.add("paper_mask_gradient", bench.floats(derived));
    }
  }

  private static void bdwp(GoldenCase golden, Workbench bench, Outputs outputs) {
    Hyper hyper = golden.hyper();
    Bdwp method = new Bdwp(new NmPattern((int) hyper.number("n"), (int) hyper.number("m")));
    Engine engine = Engines.named(bench.backend().name());
    Products products = Products.of(engine);
    Values w = golden.array("w");
    int out = (int) w.shape()[0];
    int in = (int) w.shape()[1];
    int batch = (int) golden.array("x").shape()[0];
    Tensor weight = bench.tensor(w.floats(), w.shape());
    Tensor x = bench.tensor(golden.array("x").floats(), batch, in);
    Tensor dy = bench.tensor(golden.array("dy").floats(), batch, out);
    Tensor forward = bench.tensor(DType.BIT, w.shape());
    Tensor backward = bench.tensor(DType.BIT, w.shape());
    method.masks(bench.backend(), weight, forward, backward);
    outputs.add("mask_forward", bench.bits(forward));
    outputs.add("mask_backward", bench.bits(backward));
    Masks masks = Masks.on(bench.backend());
    Tensor pruned = bench.tensor(DType.F32, w.shape());
    Tensor y = bench.tensor(DType.F32, batch, out);
    Tensor dx = bench.tensor(DType.F32, batch, in);
    Tensor dw = bench.tensor(DType.F32, out, in);
    masks.apply(forward, weight, pruned);
    products.multiply(false, true, batch, out, in, 1f, x, pruned, 0f, y);
    masks.apply(backward, weight, pruned);
    products.multiply(false, false, batch, in, out, 1f, dy, pruned, 0f, dx);
    products.multiply(true, false, out, in, batch, 1f, dy, x, 0f, dw);
    outputs.add("y", bench.floats(y));
    outputs.add("dx", bench.floats(dx));
    outputs.add("dw", bench.floats(dw));
  }
}
