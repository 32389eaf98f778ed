package org.fettle.demo;

import java.util.List;
import java.util.stream.Stream;
import org.fettle.Fp8Format;
import org.fettle.IntegerFormat;
import org.fettle.Minifloat;
import org.fettle.Rounding;
import org.fettle.ScaleGrid;
import org.fettle.StateFormat;
import org.fettle.pruning.SrSte;
import org.fettle.recipes.EcoWeights;
import org.fettle.rules.AdEMAMix;
import org.fettle.rules.AdaBelief;
import org.fettle.rules.AdaHessian;
import org.fettle.rules.AdamW;
import org.fettle.rules.Lamb;
import org.fettle.rules.Lion;
import org.fettle.rules.ScheduleFreeAdamW;
import org.fettle.rules.Sgd;
import org.fettle.sparsity.NmPattern;
import org.fettle.steps.AdafactorOptions;
import org.fettle.steps.FrugalOptions;
import org.fettle.steps.MuonOptions;
import org.fettle.steps.ProdigyOptions;
import org.fettle.steps.SoapOptions;

/**
 * All rows. A new one is a few lines here; a new format, mover or recipe is a class beside its kin.
 */
final class Rows {
  private static final double DECAY = 0.1;
  private static final double LR = 3e-3;

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
          DECAY,
          decay -> new AdamW().withLr(LR).withWeightDecay(decay));

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
          DECAY,
          decay -> new Lamb().withLr(7e-3).withWeightDecay(decay));

  private static final List<Row> F32 = List.of(SGD, ADAMW, LION, LAMB);

  private static final List<Row> BF16 = F32.stream().map(Rows::pureBf16).toList();

  private static final List<Row> OPTIMIZERS =
      List.of(
          optimizer(
                  "adamw-nearest",
                  "bf16 rounded to nearest: late in training most updates are too small to be seen")
              .in(Format.bf16(Rounding.NEAREST)),
          optimizer(
                  "adamw-master",
                  "an f32 master, and the bf16 copy that the same step writes is what computes")
              .in(Format.bf16Copy()),
          Row.of(
              "ademamix",
              "a fast and a slow momentum together; three states",
              DECAY,
              decay -> new AdEMAMix().withLr(2e-3).withBeta3(0.995).withWeightDecay(decay)),
          Row.of(
              "adabelief",
              "steps are long where the gradient is what the momentum expected; two states",
              DECAY,
              decay -> new AdaBelief().withLr(LR).withWeightDecay(decay)),
          optimizer(
                  "sam",
                  "AdamW by the gradient where the loss is worst nearby; two gradients for each step")
              .with(() -> new SharpnessAware(0.05)));

  private static final List<Row> STATES =
      List.of(
          ADAMW
              .as("adamw-8bit", Family.STATES, "bitsandbytes' dynamic maps in blocks of 256")
              .planned(plan -> plan.states(StateFormat.dynamic8())),
          ADAMW
              .as("adamw-4bit", Family.STATES, "torchao's maps of 16 values in blocks of 128")
              .planned(plan -> plan.states(StateFormat.torchao4())),
          ADAMW
              .as("adamw-fp8", Family.STATES, "E4M3 with a scale for each block of 256")
              .planned(plan -> plan.states(StateFormat.fp8())),
          ADAMW
              .as(
                  "adafactor",
                  Family.STATES,
                  "one number for each row and column in place of second moments, no first ones")
              .moved(Movers.adafactor(new AdafactorOptions().withLr(0.05).withWeightDecay(DECAY))));

  private static final List<Row> QUANTIZED =
      List.of(
          quantized(
                  "eco-fp8",
                  "ECO: weights are FP8 and nothing else, rounded stochastically; the momentum takes what is lost")
              .moved(Movers.eco(EcoWeights.Format.FP8, 1e-2, DECAY)),
          quantized("master-fp8", "the same FP8 weights, rounded from an f32 master in every step")
              .in(
                  new QuantizedCopy(
                      "FP8 of f32", new Fp8Format(Minifloat.E4M3, ScaleGrid.ROW, 0, false))),
          quantized("eco-int4", "ECO with weights of 4 bits, a scale for 32 of them")
              .moved(Movers.eco(EcoWeights.Format.INT4, 1e-2, DECAY)),
          quantized(
                  "master-int4", "the same INT4 weights, rounded from an f32 master in every step")
              .in(new QuantizedCopy("INT4 of f32", IntegerFormat.int4(ScaleGrid.group(32)))),
          quantized("lsq-4bit", "16 values a learned step apart").in(new LearnedSteps(4)),
          quantized("lsq-2bit", "4 values a learned step apart").in(new LearnedSteps(2)),
          quantized("reste", "binary weights, ReSTE's slope in place of the sign's")
              .in(new BinaryWeights(3)),
          quantized("biper", "binary weights, the sign of a sine of what is stored")
              .in(new PeriodicWeights(20)),
          quantized("int8", "all three products of every layer in INT8, exact sums of 8-bit codes")
              .multiplied(Products::int8));

  private static final List<Row> SPARSE =
      List.of(
          sparse(
                  "pruned",
                  "gradual magnitude pruning: 90 % of the weights go while one training goes on")
              .with(() -> new Pruning(0.9)),
          sparse("imp", "a lottery ticket: four trainings, each with half of what the last one had")
              .with(() -> new Ticket(0.1, 3)),
          sparse("rigl", "10 % of the weights from the start; the smallest go, others come")
              .with(() -> MovingMasks.rigL(0.1)),
          sparse("granet", "from half of the weights to 10 %, and what goes may come back")
              .with(() -> MovingMasks.graNet(0.1)),
          SGD.as("sr-ste", Family.SPARSE, "2 of every 4 weights, chosen anew in every step")
              .moved(Movers.srSte(new SrSte(new NmPattern(2, 4), 2e-4, 0.1, 0.9, 5e-4))),
          sparse("bdwp", "2 of every 8 weights, along the inputs forward and the outputs backward")
              .in(new TwoMasks(new NmPattern(2, 8))),
          sparse("dhspg", "half of the hidden units are driven to 0 as a whole")
              .moved(Movers.dhspg(LR, DECAY, 0.3, 0.5, 10)),
          sparse("sms", "sparse soups: three runs of each mask, averaged and pruned further")
              .with(() -> new SparseSoups(false, 0.1, 2, 3)),
          sparse("swamp", "averages along two runs of each mask; rewound, as lottery tickets are")
              .with(() -> new SparseSoups(true, 0.1, 2, 2)));

  private static final List<Row> STEPS =
      List.of(
          Row.of(
                  "schedule-free",
                  "AdamW without a schedule; tested at an average that comes with the step",
                  DECAY,
                  decay ->
                      new ScheduleFreeAdamW().withLr(LR).withWarmupSteps(70).withWeightDecay(decay))
              .among(Family.STEPS)
              .with(ScheduleFreeModes::new),
          step("muon", "orthogonalised momentum in the hidden layers, AdamW elsewhere")
              .moved(Movers.muon(new MuonOptions().withLr(0.02).withWeightDecay(0.02)))
              .withinTolerance(),
          step("soap", "Adam in the eigenbasis of the gradients' second moments")
              .moved(
                  Movers.soap(
                      new SoapOptions().withLr(LR).withWeightDecay(DECAY).withMaxDimension(256)))
              .withinTolerance(),
          step("prodigy", "finds its step size itself, from how far it has come")
              .moved(Movers.prodigy(new ProdigyOptions().withWeightDecay(DECAY))),
          step("frugal", "AdamW on a quarter of the columns, signs on the rest; few states")
              .moved(
                  Movers.frugal(
                      new FrugalOptions(
                          LR,
                          0.9,
                          0.999,
                          1e-8,
                          DECAY,
                          0.25,
                          100,
                          true,
                          true,
                          1,
                          0.1,
                          FrugalOptions.Others.SIGN))),
          Row.of(
                  "adahessian",
                  "divides by second derivatives, estimated by a second gradient for each step",
                  1e-3,
                  decay -> new AdaHessian().withLr(0.5).withWeightDecay(decay))
              .among(Family.STEPS)
              .with(() -> new Curvature(1e-3, 8)));

  private static final List<Row> AVERAGES =
      List.of(
          average("ema", "an exponential moving average rides on the step")
              .with(() -> Averaged.exponential(0.99)),
          average("swa", "the mean of weights along the last 40 %, at a rate that stays")
              .with(() -> Averaged.stochastic(0.6, 20)),
          average("switch-ema", "the moving average is copied back at the start of each epoch")
              .with(() -> Averaged.switching(0.99)),
          average("soup", "the mean of three runs that go on from one").with(Soup::new));

  private static final List<Row> ALL =
      Stream.of(F32, BF16, OPTIMIZERS, STATES, QUANTIZED, SPARSE, STEPS, AVERAGES)
          .flatMap(List::stream)
          .toList();

  private Rows() {}

  /** The rows of a run without options: the four optimizers, in f32 and in bf16. */
  static List<Row> standard() {
    return Stream.of(F32, BF16).flatMap(List::stream).toList();
  }

  /** Every row. */
  static List<Row> all() {
    return ALL;
  }

  private static Row pureBf16(Row row) {
    return row.as(
            row.name() + "-bf16",
            Family.OPTIMIZERS,
            "as "
                + row.name()
                + ", but the weights are bf16 and nothing else, rounded stochastically")
        .in(Format.bf16(Rounding.STOCHASTIC));
  }

  private static Row optimizer(String name, String about) {
    return ADAMW.as(name, Family.OPTIMIZERS, about);
  }

  private static Row quantized(String name, String about) {
    return ADAMW.as(name, Family.QUANTIZED, about);
  }

  private static Row sparse(String name, String about) {
    return ADAMW.as(name, Family.SPARSE, about);
  }

  private static Row step(String name, String about) {
    return ADAMW.as(name, Family.STEPS, about);
  }

  private static Row average(String name, String about) {
    return ADAMW.as(name, Family.AVERAGES, about);
  }
}
