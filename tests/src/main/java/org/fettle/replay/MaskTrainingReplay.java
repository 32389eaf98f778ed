package org.fettle.replay;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.fettle.DType;
import org.fettle.Hyper;
import org.fettle.Parameter;
import org.fettle.Plan;
import org.fettle.Tensor;
import org.fettle.pruning.GraNet;
import org.fettle.pruning.PrunedLayer;
import org.fettle.pruning.RigL;
import org.fettle.pruning.SparseMomentum;
import org.fettle.rules.Sgd;
import org.fettle.sparsity.Masks;

/**
 * Methods that move masks while SGD with momentum trains, every step from the stored state of the
 * step before.
 */
final class MaskTrainingReplay implements MethodReplay {
  @Override
  public Set<String> methods() {
    return Set.of("granet", "rigl", "set", "sparse-momentum");
  }

  @Override
  public void replay(GoldenCase golden, Workbench bench, Outputs outputs) {
    switch (golden.method()) {
      case "granet" -> graNet(golden, bench, outputs);
      case "sparse-momentum" -> sparseMomentum(golden, bench, outputs);
      default -> rigL(golden, bench, outputs);
    }
  }

  private static void graNet(GoldenCase golden, Workbench bench, Outputs outputs) {
    Hyper hyper = golden.hyper();
    GraNet.Options options =
        new GraNet.Options(
            hyper.number("prune_rate"),
            hyper.number("prune_rate_min"),
            (long) hyper.number("T_max"),
            (long) hyper.number("update_frequency"),
            hyper.number("init_density"),
            hyper.number("final_density"),
            (long) hyper.number("init_prune_step"),
            (long) hyper.number("final_prune_step"));
    try (Training training = new Training(golden, bench)) {
      GraNet method = new GraNet(bench.backend(), options, training.layers);
      for (int t = 0; t < golden.steps(); t++) {
        training.restart(t);
        training.plan.step();
        method.afterStep(t + 1);
        training.record(outputs);
        outputs.add("prune_rate", options.pruneRateAt(t + 1));
        outputs.add("target_sparsity", method.targetSparsity());
      }
    }
  }

  private static void sparseMomentum(GoldenCase golden, Workbench bench, Outputs outputs) {
    Hyper hyper = golden.hyper();
    SparseMomentum.Redistribution redistribution =
        switch (hyper.word("redistribution")) {
          case "momentum" -> SparseMomentum.Redistribution.MOMENTUM;
          case "magnitude" -> SparseMomentum.Redistribution.MAGNITUDE;
          case "nonzero" -> SparseMomentum.Redistribution.NONZERO;
          default ->
              throw new IllegalArgumentException(
                  "redistribution is "
                      + hyper.word("redistribution")
                      + ": expected momentum, magnitude or nonzero");
        };
    SparseMomentum.Options options =
        new SparseMomentum.Options(
            hyper.number("prune_rate"),
            hyper.number("prune_rate_min"),
            (long) hyper.number("T_max"),
            (long) hyper.number("every"),
            hyper.number("density"),
            redistribution);
    try (Training training = new Training(golden, bench)) {
      SparseMomentum method = new SparseMomentum(bench.backend(), options, training.layers);
      double[] none = new double[training.layers.size()];
      Arrays.fill(none, Double.NaN);
      for (int t = 0; t < golden.steps(); t++) {
        training.restart(t);
        training.plan.step();
        boolean moved = method.afterStep(t + 1);
        training.record(outputs);
        outputs.add("prune_rate", options.pruneRateAt(t + 1));
        outputs.add("adjusted_growth", method.carry());
        outputs.add("share", moved ? method.shares() : none);
        outputs.add("regrowth", moved ? method.regrowth() : none);
      }
    }
  }

  private static void rigL(GoldenCase golden, Workbench bench, Outputs outputs) {
    Hyper hyper = golden.hyper();
    RigL.Options options =
        new RigL.Options(
            hyper.number("alpha"), (long) hyper.number("delta_T"), (long) hyper.number("T_end"));
    try (Training training = new Training(golden, bench)) {
      RigL method = new RigL(bench.backend(), options, training.layers);
      Values scores = golden.array("grow_score");
      Tensor score = bench.tensor(DType.F32, scores.stepShape());
      PrunedLayer layer = training.layers.get(0);
      for (int t = 0; t < golden.steps(); t++) {
        training.restart(t);
        long moved = 0;
        if (method.isUpdate(t + 1)) {
          bench.put(score, scores.floats(t));
          moved = method.update(t + 1, List.of(score));
        } else {
          Masks.on(bench.backend()).apply(layer.mask(), layer.gradient(), layer.gradient());
          training.plan.step();
        }
        training.record(outputs);
        outputs.add("n_prune", (double) moved);
        outputs.add("drop_fraction", options.dropFractionAt(t + 1));
      }
    }
  }

  /** The layers of a case, trained by SGD with momentum. */
  private static final class Training implements AutoCloseable {
    final List<PrunedLayer> layers = new ArrayList<>();
    final Plan plan;
    private final GoldenCase golden;
    private final Workbench bench;
    private final List<String> suffixes = new ArrayList<>();

    Training(GoldenCase golden, Workbench bench) {
      this.golden = golden;
      this.bench = bench;
      if (golden.takes("w")) {
        suffixes.add("");
      }
      for (int i = 0; golden.takes("w" + i); i++) {
        suffixes.add(String.valueOf(i));
      }
      List<Parameter> parameters = new ArrayList<>();
      for (String suffix : suffixes) {
        Values start = golden.array("w" + suffix);
        Tensor weight = bench.tensor(start.floats(), start.shape());
        Tensor gradient = bench.tensor(new float[start.length()], start.shape());
        parameters.add(Parameter.of(weight, gradient));
      }
      Sgd rule =
          new Sgd()
              .withLr(golden.hyper().number("lr"))
              .withMomentum(golden.hyper().number("momentum"));
      plan = Plan.builder().group(rule, parameters).backend(bench.backend()).build();
      for (int i = 0; i < parameters.size(); i++) {
        Parameter parameter = parameters.get(i);
        Tensor mask = bench.tensor(DType.BIT, parameter.value().shape());
        Tensor momentum = rule.states().isEmpty() ? null : view(plan.state(i, "momentum"));
        layers.add(new PrunedLayer(parameter.value(), mask, momentum, parameter.gradient()));
      }
    }

    private static Tensor view(Tensor state) {
      return state.buffer() != null
          ? state
          : Tensor.ofAddress(
              state.address(), state.bytes(), state, state.device(), state.dtype(), state.shape());
    }

    /** Takes everything from the row of the step before, and the step's gradients. */
    void restart(int t) {
      for (int i = 0; i < layers.size(); i++) {
        PrunedLayer layer = layers.get(i);
        String suffix = suffixes.get(i);
        if (t == 0) {
          bench.putBits(layer.mask(), golden.array("mask_init" + suffix).doubles());
          Masks.on(bench.backend()).apply(layer.mask(), layer.weight(), layer.weight());
        } else {
          bench.putBits(layer.mask(), golden.array("mask" + suffix).doubles(t - 1));
          bench.put(layer.weight(), golden.array("weight" + suffix).floats(t - 1));
          if (layer.momentum() != null) {
            bench.put(layer.momentum(), golden.array("momentum_buffer" + suffix).floats(t - 1));
          }
        }
        bench.put(layer.gradient(), golden.array("grad" + suffix).floats(t));
      }
    }

    void record(Outputs outputs) {
      for (int i = 0; i < layers.size(); i++) {
        PrunedLayer layer = layers.get(i);
        String suffix = suffixes.get(i);
        outputs.add("mask" + suffix, bench.bits(layer.mask()));
        outputs.add("weight" + suffix, bench.floats(layer.weight()));
        if (layer.momentum() == null) {
          outputs.absent("momentum_buffer" + suffix, "there is no momentum");
        } else {
          outputs.add("momentum_buffer" + suffix, bench.floats(layer.momentum()));
        }
      }
    }

    @Override
    public void close() {
      plan.close();
    }
  }
}
