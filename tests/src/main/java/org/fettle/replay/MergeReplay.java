package org.fettle.replay;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.fettle.DType;
import org.fettle.Hyper;
import org.fettle.Tensor;
import org.fettle.merge.Adasum;
import org.fettle.merge.FisherMerge;
import org.fettle.merge.GradientMatchingMerge;
import org.fettle.merge.GreedySoup;
import org.fettle.merge.LinearCombination;
import org.fettle.merge.ModelStock;
import org.fettle.merge.Monna;
import org.fettle.merge.VarianceCorrectedAverage;

/** Merging of models. */
final class MergeReplay implements MethodReplay {
  @Override
  public Set<String> methods() {
    return Set.of(
        "soup_uniform",
        "soup_greedy",
        "lcsc",
        "model_stock",
        "fisher_merge",
        "ubgm_merge",
        "variance_corrected_average",
        "adasum",
        "monna");
  }

  @Override
  public void replay(GoldenCase golden, Workbench bench, Outputs outputs) {
    switch (golden.method()) {
      case "soup_greedy" -> greedy(golden, bench, outputs);
      case "adasum" -> adasum(golden, bench, outputs);
      case "monna" -> monna(golden, bench, outputs);
      default -> merged(golden, bench, outputs);
    }
  }

  private static void merged(GoldenCase golden, Workbench bench, Outputs outputs) {
    Hyper hyper = golden.hyper();
    List<Tensor> models = rows(golden, bench, "models", (int) hyper.number("K"));
    Tensor out = bench.tensor(DType.F32, golden.array("models").stepShape());
    switch (golden.method()) {
      case "soup_uniform" -> LinearCombination.mean(bench.backend(), models, out);
      case "lcsc" ->
          LinearCombination.combine(bench.backend(), models, golden.array("coef").doubles(), out);
      case "model_stock" -> {
        ModelStock stock = new ModelStock().withFilterWise(hyper.flag("filter_wise"));
        ModelStock.Result result =
            stock.merge(bench.backend(), tensor(golden, bench, "base"), models, out);
        result.cosines().forEach(cosine -> outputs.add("cos_theta", cosine));
        result.ratios().forEach(ratio -> outputs.add("ratio", ratio));
      }
      case "fisher_merge" -> {
        FisherMerge merge =
            new FisherMerge(
                list(hyper.numbers("coefficients")),
                hyper.number("fisher_floor"),
                hyper.flag("favor_target_model"),
                hyper.flag("normalize_fishers"));
        merge.merge(
            bench.backend(),
            models.stream().map(List::of).toList(),
            rows(golden, bench, "fisher", models.size()).stream().map(List::of).toList(),
            List.of(out));
      }
      case "ubgm_merge" ->
          new GradientMatchingMerge(
                  list(hyper.numbers("scaling_factors_ft")),
                  hyper.number("scaling_factor"),
                  hyper.number("scaling_factor_pt"),
                  hyper.number("delta_0"))
              .merge(
                  bench.backend(),
                  tensor(golden, bench, "base"),
                  tensor(golden, bench, "base_hessian"),
                  models,
                  rows(golden, bench, "hessian", models.size()),
                  out);
      default ->
          outputs.add("scale", VarianceCorrectedAverage.average(bench.backend(), models, out));
    }
    outputs.add("merged", bench.floats(out));
  }

  private static void greedy(GoldenCase golden, Workbench bench, Outputs outputs) {
    Hyper hyper = golden.hyper();
    List<Tensor> models = rows(golden, bench, "models", (int) hyper.number("K"));
    Tensor soup = bench.tensor(DType.F32, golden.array("models").stepShape());
    double[] trials = hyper.numbers("trial_scores");
    int[] trial = {0};
    GreedySoup result =
        GreedySoup.make(
            bench.backend(),
            models.stream().map(List::of).toList(),
            hyper.numbers("individual_scores"),
            List.of(soup),
            () -> {
              outputs.add("candidates", bench.floats(soup));
              return trials[trial[0]++];
            });
    outputs.add("merged", bench.floats(soup));
    result.order().forEach(model -> outputs.add("order", model));
    result.ingredients().forEach(model -> outputs.add("ingredients", model));
  }

  private static void adasum(GoldenCase golden, Workbench bench, Outputs outputs) {
    Tensor a = tensor(golden, bench, "a");
    Tensor b = tensor(golden, bench, "b");
    Tensor out = bench.tensor(DType.F32, a.shape());
    Adasum.combine(bench.backend(), List.of(a, b), out);
    outputs.add("sum", bench.floats(out));
  }

  private static void monna(GoldenCase golden, Workbench bench, Outputs outputs) {
    Hyper hyper = golden.hyper();
    List<Tensor> vectors = rows(golden, bench, "X", (int) hyper.number("N"));
    Tensor out = bench.tensor(DType.F32, golden.array("X").stepShape());
    outputs.add(
        "distance",
        Monna.mean(
            bench.backend(),
            vectors,
            (int) hyper.number("f"),
            (int) hyper.number("self_index"),
            out));
    outputs.add("mean", bench.floats(out));
  }

  private static List<Double> list(double[] values) {
    return Arrays.stream(values).boxed().toList();
  }

  private static List<Tensor> rows(GoldenCase golden, Workbench bench, String name, int count) {
    Values values = golden.array(name);
    if (values.shape()[0] != count) {
      throw new IllegalArgumentException(
          name + " has " + values.shape()[0] + " rows: expected " + count);
    }
    List<Tensor> rows = new ArrayList<>();
    for (int k = 0; k < count; k++) {
      rows.add(bench.tensor(values.floats(k), values.stepShape()));
    }
    return rows;
  }

  private static Tensor tensor(GoldenCase golden, Workbench bench, String name) {
    return bench.tensor(golden.array(name).floats(), golden.array(name).shape());
  }
}
