package org.fettle.demo;

import java.util.List;
import java.util.stream.Stream;
import org.fettle.Rounding;
import org.fettle.rules.AdamW;
import org.fettle.rules.Lamb;
import org.fettle.rules.Lion;
import org.fettle.rules.Sgd;

/** All rows. A new one is a few lines here; a new format or recipe is a class beside its kin. */
final class Rows {
  private static final Row SGD =
      Row.of(
          "sgd",
          "Nesterov's momentum; one state",
          5e-4,
          decay ->
              new Sgd().withLr(0.1).withMomentum(0.9).withNesterov(true).withWeightDecay(decay));

  private static final Row ADAMW =
      Row.of(
          "adamw",
          "two moments, decoupled weight decay; two states",
          0.1,
          decay -> new AdamW().withLr(3e-3).withWeightDecay(decay));

  private static final Row LION =
      Row.of(
          "lion",
          "the sign of a momentum, every weight moves by the same amount; one state",
          0.5,
          decay -> new Lion().withLr(4e-4).withBeta1(0.95).withBeta2(0.95).withWeightDecay(decay));

  private static final Row LAMB =
      Row.of(
          "lamb",
          "Adam's direction, rescaled in each layer to the weights' norm; two states",
          0.1,
          decay -> new Lamb().withLr(7e-3).withWeightDecay(decay));

  private static final List<Row> F32 = List.of(SGD, ADAMW, LION, LAMB);

  private static final List<Row> BF16 = F32.stream().map(Rows::pureBf16).toList();

  private static final List<Row> REST =
      List.of(
          ADAMW.in(
              Format.bf16(Rounding.NEAREST),
              "-bf16-nearest",
              "bf16 rounded to nearest: late in training most updates are too small to be seen"),
          ADAMW.in(
              Format.bf16Copy(),
              "-master",
              "an f32 master, and the bf16 copy that the same step writes is what computes"),
          ADAMW.with(
              () -> new Recipes.MovingAverage(0.99),
              "-ema",
              "tested by a moving average of the weights that rides on the step"),
          ADAMW.with(
              () -> new Recipes.Pruning(0.9, 0.4),
              "-pruned",
              "90 % of the weights are removed after two fifths; the step's mask keeps them 0"));

  private Rows() {}

  /** The rows of a run without options: the four optimizers, in f32 and in bf16. */
  static List<Row> standard() {
    return Stream.of(F32, BF16).flatMap(List::stream).toList();
  }

  /** Every row. */
  static List<Row> all() {
    return Stream.of(F32, BF16, REST).flatMap(List::stream).toList();
  }

  private static Row pureBf16(Row row) {
    return row.in(
        Format.bf16(Rounding.STOCHASTIC),
        "-bf16",
        "as " + row.name() + ", but the weights are bf16 and nothing else, rounded stochastically");
  }
}
