package org.fettle.replay;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.fettle.Hyper;
import org.fettle.Parameter;
import org.fettle.steps.Frugal;
import org.fettle.steps.FrugalBlocks;
import org.fettle.steps.FrugalLowRank;
import org.fettle.steps.FrugalOptions;

/** FRUGAL with the selections that the vectors supply. */
final class FrugalReplay implements MethodReplay {
  @Override
  public Set<String> methods() {
    return Set.of("frugal_coord", "frugal_block", "frugal_lowrank");
  }

  @Override
  public void replay(GoldenCase golden, Workbench bench, Outputs outputs) {
    FrugalOptions options = FrugalOptions.fromHyper(golden.hyper());
    switch (golden.method()) {
      case "frugal_coord" -> coordinates(golden, options, bench, outputs);
      case "frugal_block" -> blocks(golden, options, bench, outputs);
      default -> lowRank(golden, options, bench, outputs);
    }
  }

  private static void coordinates(
      GoldenCase golden, FrugalOptions options, Workbench bench, Outputs outputs) {
    String word = golden.hyper().word("coord_choice");
    Frugal.Choice choice =
        switch (word) {
          case "columns" -> Frugal.Choice.COLUMNS;
          case "rows" -> Frugal.Choice.ROWS;
          case "randk" -> Frugal.Choice.ELEMENTS;
          default ->
              throw new IllegalArgumentException(
                  "coord_choice is " + word + ": expected columns, rows or randk");
        };
    Parameter parameter = LossStepReplay.parameter(golden.array("param0"), bench);
    try (Frugal frugal = new Frugal(bench.backend(), options, choice, 0, parameter)) {
      for (int t = 0; t < golden.steps(); t++) {
        bench.put(parameter.gradient(), golden.array("grad").floats(t));
        if (frugal.isChoiceDue()) {
          float[] select = golden.array("select").floats(t);
          int[] numbers = new int[select.length];
          for (int i = 0; i < select.length; i++) {
            numbers[i] = (int) select[i];
          }
          frugal.choose(numbers);
        }
        frugal.step();
        outputs.add("param", bench.floats(parameter.value()));
        outputs.add("m", bench.floats(frugal.momentum()));
        outputs.add("v", bench.floats(frugal.secondMoment()));
      }
    }
  }

  private static void blocks(
      GoldenCase golden, FrugalOptions options, Workbench bench, Outputs outputs) {
    String word = golden.hyper().word("block_order");
    FrugalBlocks.Order order =
        switch (word) {
          case "random" -> FrugalBlocks.Order.RANDOM;
          case "ascending" -> FrugalBlocks.Order.ASCENDING;
          case "descending" -> FrugalBlocks.Order.DESCENDING;
          case "mirror" -> FrugalBlocks.Order.MIRROR;
          default -> throw new IllegalArgumentException("block_order is " + word);
        };
    Values start = golden.array("param0");
    int count = (int) start.shape()[0];
    int length = start.length() / count;
    List<Parameter> parameters = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      float[] values = Arrays.copyOfRange(start.floats(), i * length, (i + 1) * length);
      parameters.add(
          Parameter.of(bench.tensor(values, length), bench.tensor(new float[length], length)));
    }
    try (FrugalBlocks frugal = new FrugalBlocks(bench.backend(), options, order, 0, parameters)) {
      for (int t = 0; t < golden.steps(); t++) {
        float[] gradient = golden.array("grad").floats(t);
        for (int i = 0; i < count; i++) {
          bench.put(
              parameters.get(i).gradient(),
              Arrays.copyOfRange(gradient, i * length, (i + 1) * length));
        }
        if (frugal.isChoiceDue()) {
          float[] flags = golden.array("active").floats(t);
          boolean[] active = new boolean[count];
          for (int i = 0; i < count; i++) {
            active[i] = flags[i] != 0;
          }
          frugal.choose(active);
        }
        frugal.step();
        for (Parameter parameter : parameters) {
          outputs.add("param", bench.floats(parameter.value()));
        }
      }
    }
  }

  private static void lowRank(
      GoldenCase golden, FrugalOptions options, Workbench bench, Outputs outputs) {
    Hyper hyper = golden.hyper();
    FrugalLowRank.Kind kind =
        switch (hyper.word("proj_type")) {
          case "svd" -> FrugalLowRank.Kind.SVD;
          case "random" -> FrugalLowRank.Kind.RANDOM;
          case "randperm" -> FrugalLowRank.Kind.PERMUTATION;
          default -> throw new IllegalArgumentException("proj_type: unknown word");
        };
    FrugalLowRank.Side side =
        switch (hyper.word("proj_side")) {
          case "std" -> FrugalLowRank.Side.STANDARD;
          case "reverse_std" -> FrugalLowRank.Side.REVERSE;
          case "left" -> FrugalLowRank.Side.LEFT;
          case "right" -> FrugalLowRank.Side.RIGHT;
          case "full" -> FrugalLowRank.Side.FULL;
          default -> throw new IllegalArgumentException("proj_side: unknown word");
        };
    hyper.word("resolved_side");
    Parameter parameter = LossStepReplay.parameter(golden.array("param0"), bench);
    long[] shape = parameter.value().shape();
    try (FrugalLowRank frugal =
        new FrugalLowRank(bench.backend(), options, kind, side, 0, parameter)) {
      int rank = (int) hyper.number("rank");
      if (rank != frugal.rank()) {
        throw new IllegalArgumentException("rank is " + rank + ": expected " + frugal.rank());
      }
      for (int t = 0; t < golden.steps(); t++) {
        bench.put(parameter.gradient(), golden.array("grad").floats(t));
        if (frugal.isChoiceDue()) {
          int leftLength = frugal.projectsRows() ? (int) shape[0] * rank : 0;
          Values projector = golden.array("projector");
          int each = projector.length() / golden.steps();
          double[] all = Arrays.copyOfRange(projector.doubles(), t * each, (t + 1) * each);
          frugal.choose(
              frugal.projectsRows() ? Arrays.copyOfRange(all, 0, leftLength) : null,
              frugal.projectsColumns() ? Arrays.copyOfRange(all, leftLength, all.length) : null);
        }
        frugal.step();
        outputs.add("param", bench.floats(parameter.value()));
        outputs.add("m", bench.floats(frugal.momentum()));
        outputs.add("v", bench.floats(frugal.secondMoment()));
      }
    }
  }
}
