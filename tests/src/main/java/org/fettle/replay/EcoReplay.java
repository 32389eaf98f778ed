package org.fettle.replay;

import java.util.Set;
import org.fettle.DType;
import org.fettle.Hyper;
import org.fettle.Tensor;
import org.fettle.internal.Engine;
import org.fettle.internal.Engines;
import org.fettle.internal.Scratch;
import org.fettle.recipes.EcoWeights;

/** ECO, one step at a time from the stored row before. */
final class EcoReplay implements MethodReplay {
  @Override
  public Set<String> methods() {
    return Set.of("eco");
  }

  @Override
  public void replay(GoldenCase golden, Workbench bench, Outputs outputs) {
    Hyper hyper = golden.hyper();
    boolean adam = choice(hyper, "optimizer", "adam", "sgdm");
    boolean fp8 = choice(hyper, "format", "fp8", "int4");
    boolean stochastic = choice(hyper, "rounding", "stochastic", "nearest_even");
    EcoWeights.Options options =
        new EcoWeights.Options(
            adam ? EcoWeights.Optimizer.ADAM : EcoWeights.Optimizer.SGDM,
            hyper.number("beta1"),
            hyper.number("beta2", 0.999),
            hyper.number("eps", 0.0),
            hyper.number("weight_decay"),
            hyper.flag("decay_correction"),
            stochastic,
            hyper.unsigned("seed"),
            (int) hyper.unsigned("stream"));
    double learningRate = hyper.number("lr");
    Engine engine = Engines.named(bench.backend().name());
    Values gradients = golden.array("grad");
    long[] shape = gradients.stepShape();
    Tensor weight = bench.tensor(golden.array("weight0").floats(), shape);
    Tensor gradient = bench.tensor(DType.F32, shape);
    Tensor error = bench.tensor(DType.F32, shape);
    int size = (int) gradient.elements();
    try (EcoWeights weights =
        new EcoWeights(
            bench.backend(),
            weight,
            fp8 ? EcoWeights.Format.FP8 : EcoWeights.Format.INT4,
            options)) {
      for (int step = 0; step < golden.steps(); step++) {
        if (step > 0) {
          bench.put(weight, golden.array("weight").floats(step - 1));
          weights.start(weight);
          Scratch.write(engine, weights.momentum(), golden.array("momentum").floats(step - 1));
          if (adam) {
            Scratch.write(engine, weights.secondMoment(), golden.array("second").floats(step - 1));
          }
        }
        bench.put(gradient, gradients.floats(step));
        weights.step(gradient, learningRate, error);
        weights.decode(weight);
        float[] ours = bench.floats(weight);
        for (int i = 0; i < size; i++) {
          leaveOutNearTie(golden, outputs, step * size + i, ours[i]);
        }
        outputs.add("weight", ours);
        outputs.add("momentum", bench.floats(weights.momentum()));
        outputs.add("second", adam ? bench.floats(weights.secondMoment()) : new float[size]);
        outputs.add("error", bench.floats(error));
      }
    }
  }

  /**
   * A code may be one apart where the new weight lies within 1e-5 of a spacing of the middle
   * between two codes: its error is then half a spacing, up to that.
   */
  private static void leaveOutNearTie(GoldenCase golden, Outputs outputs, int index, float ours) {
    double expected = golden.array("weight").get(index);
    double spacing = Math.abs(ours - expected);
    double error = Math.abs(golden.array("error").get(index));
    if (spacing > 1e-4 * Math.abs(expected) && Math.abs(error - spacing / 2) < 1e-5 * spacing) {
      outputs.leaveOut("weight", index);
      outputs.leaveOut("momentum", index);
      outputs.leaveOut("error", index);
    }
  }

  private static boolean choice(Hyper hyper, String name, String yes, String no) {
    String word = hyper.word(name);
    if (!word.equals(yes) && !word.equals(no)) {
      throw new IllegalArgumentException(name + " is " + word + ": expected " + yes + " or " + no);
    }
    return word.equals(yes);
  }
}
