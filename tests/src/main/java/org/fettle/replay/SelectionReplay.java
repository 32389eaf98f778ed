package org.fettle.replay;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.fettle.DType;
import org.fettle.Hyper;
import org.fettle.Tensor;
import org.fettle.internal.Keys;
import org.fettle.sparsity.Fraction;
import org.fettle.sparsity.Masks;
import org.fettle.sparsity.NmPattern;
import org.fettle.sparsity.Selection;

/** Selections and the masks that follow from weights alone. */
final class SelectionReplay implements MethodReplay {
  @Override
  public Set<String> methods() {
    return Set.of(
        "select-magnitude",
        "topk-rows",
        "magnitude-histogram",
        "magnitude-prune",
        "nm-mask",
        "nm-transposable");
  }

  @Override
  public void replay(GoldenCase golden, Workbench bench, Outputs outputs) {
    switch (golden.method()) {
      case "select-magnitude" -> selectMagnitude(golden, bench, outputs);
      case "topk-rows" -> topkRows(golden, bench, outputs);
      case "magnitude-histogram" -> histogram(golden, bench, outputs);
      case "magnitude-prune" -> magnitudePrune(golden, bench, outputs);
      case "nm-mask" -> nmMask(golden, bench, outputs);
      default -> transposable(golden, bench, outputs);
    }
  }

  static Tensor tensor(GoldenCase golden, Workbench bench, String name) {
    return bench.tensor(golden.array(name).floats(), golden.array(name).shape());
  }

  private static void selectMagnitude(GoldenCase golden, Workbench bench, Outputs outputs) {
    Tensor x = tensor(golden, bench, "x");
    long k = (long) golden.hyper().number("k");
    if (golden.hyper().number("n") != x.elements()) {
      throw new IllegalArgumentException("n is " + golden.hyper().number("n") + ": x is " + x);
    }
    Tensor mask = bench.tensor(DType.BIT, x.shape());
    Selection selection = Selection.on(bench.backend());
    Selection.Outcome found = selection.keepLargest(k, x, mask);
    outputs.add("keep", bench.bits(mask));
    outputs.add("threshold", found.threshold());
    outputs.add("count_gt", (double) found.greater());
    outputs.add("count_eq", (double) found.equal());
    for (int index : selection.indices(k, x)) {
      outputs.add("keep_index_desc", index);
    }
    if (k == 0) {
      outputs.add("keep_index_desc", new double[0]);
    }
    for (float value : golden.array("x").floats()) {
      outputs.add("key", Keys.of(Float.floatToRawIntBits(value), DType.F32, false));
    }
  }

  private static void topkRows(GoldenCase golden, Workbench bench, Outputs outputs) {
    Tensor x = tensor(golden, bench, "x");
    Hyper hyper = golden.hyper();
    int k = (int) hyper.number("k");
    if (hyper.number("rows") != x.shape()[0] || hyper.number("cols") != x.shape()[1]) {
      throw new IllegalArgumentException("x is " + x + ": expected the rows and cols of the case");
    }
    Tensor values = bench.tensor(DType.F32, x.shape()[0], k);
    Tensor columns = bench.tensor(DType.I32, x.shape()[0], k);
    Selection.on(bench.backend()).withKey(Selection.Key.SIGNED).topRows(k, x, values, columns);
    outputs.add("values", bench.floats(values));
    outputs.add("indices", bench.integers(columns));
  }

  private static void histogram(GoldenCase golden, Workbench bench, Outputs outputs) {
    Tensor x = tensor(golden, bench, "x");
    Selection selection = Selection.on(bench.backend());
    for (long count : selection.exponentHistogram(x)) {
      outputs.add("hist_exponent", (double) count);
    }
    for (long count : selection.histogram(x)) {
      outputs.add("hist_top11", (double) count);
    }
  }

  private static void magnitudePrune(GoldenCase golden, Workbench bench, Outputs outputs) {
    Hyper hyper = golden.hyper();
    double amount = hyper.number("amount");
    String scope = hyper.word("scope");
    if (!Set.of("global", "layer").contains(scope)) {
      throw new IllegalArgumentException("scope is " + scope + ": expected global or layer");
    }
    List<Tensor> weights = new ArrayList<>();
    List<Tensor> masks = new ArrayList<>();
    for (String input : golden.inputs()) {
      weights.add(tensor(golden, bench, input));
      masks.add(bench.tensor(DType.BIT, golden.array(input).shape()));
    }
    Selection selection = Selection.on(bench.backend());
    if (scope.equals("global")) {
      long all = weights.stream().mapToLong(Tensor::elements).sum();
      long count = Fraction.ROUND_HALF_EVEN.of(amount, all);
      selection.dropSmallest(count, weights, masks);
      outputs.add("prune_count", (double) count);
    } else {
      for (int i = 0; i < weights.size(); i++) {
        long count = Fraction.ROUND_HALF_EVEN.of(amount, weights.get(i).elements());
        selection.dropSmallest(count, List.of(weights.get(i)), List.of(masks.get(i)));
        outputs.add("prune_count", (double) count);
      }
    }
    for (int i = 0; i < weights.size(); i++) {
      outputs.add(golden.inputs().get(i).replace("w", "mask"), bench.bits(masks.get(i)));
    }
  }

  private static NmPattern pattern(GoldenCase golden) {
    return new NmPattern((int) golden.hyper().number("n"), (int) golden.hyper().number("m"));
  }

  private static void nmMask(GoldenCase golden, Workbench bench, Outputs outputs) {
    Tensor weight = tensor(golden, bench, "w");
    Tensor mask = bench.tensor(DType.BIT, weight.shape());
    pattern(golden).mask(bench.backend(), weight, mask);
    outputs.add("mask", bench.bits(mask));
    Masks.on(bench.backend()).apply(mask, weight, weight);
    outputs.add("pruned", bench.floats(weight));
  }

  private static void transposable(GoldenCase golden, Workbench bench, Outputs outputs) {
    Tensor weight = tensor(golden, bench, "w");
    Tensor mask = bench.tensor(DType.BIT, weight.shape());
    for (NmPattern.Search search : NmPattern.Search.values()) {
      String word = search == NmPattern.Search.BEST ? "best" : "greedy";
      if (golden.outputs().contains("mask_" + word)) {
        double kept = pattern(golden).transposable(bench.backend(), weight, search, mask);
        outputs.add("mask_" + word, bench.bits(mask));
        outputs.add("kept_magnitude_" + word, kept);
      }
    }
    pattern(golden);
  }
}
