package org.fettle.demo;

import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.fettle.Average;
import org.fettle.DType;
import org.fettle.Parameter;
import org.fettle.PlanBuilder;
import org.fettle.Tensor;

/** The recipes of the rows. */
final class Recipes {
  private Recipes() {}

  /**
   * Tests an exponential moving average of the weights that rides on the step.
   *
   * @param decay how much of the average is kept in a step
   */
  record MovingAverage(double decay) implements Recipe {
    @Override
    public Parameter attach(Parameter weight) {
      Tensor average = Tensor.allocate(DType.F32, weight.value().shape());
      average.buffer().put(weight.value().buffer());
      return weight.withAverage(average);
    }

    @Override
    public void configure(PlanBuilder plan) {
      plan.average(new Average(decay));
    }

    @Override
    public Tensor tested(Parameter weight) {
      return weight.average();
    }
  }

  /**
   * Removes the smallest weights of each matrix once; from then on the step's mask keeps them 0.
   */
  static final class Pruning implements Recipe {
    private final double share;
    private final double when;
    private final List<Parameter> pruned = new ArrayList<>();

    /**
     * A recipe for one run.
     *
     * @param share of the weights to remove
     * @param when to remove them, as a share of the training
     */
    Pruning(double share, double when) {
      this.share = share;
      this.when = when;
    }

    @Override
    public Parameter attach(Parameter weight) {
      Tensor mask = Tensor.allocate(DType.BIT, weight.value().shape());
      byte[] ones = new byte[(int) mask.bytes()];
      Arrays.fill(ones, (byte) -1);
      mask.buffer().put(ones);
      pruned.add(weight.withMask(mask));
      return pruned.get(pruned.size() - 1);
    }

    @Override
    public void batch(Run run) {
      if (run.step() == Math.round(when * run.steps())) {
        pruned.forEach(this::prune);
      }
      Recipe.super.batch(run);
    }

    private void prune(Parameter weight) {
      FloatBuffer values = weight.value().buffer().asFloatBuffer();
      float[] sizes = new float[values.remaining()];
      for (int i = 0; i < sizes.length; i++) {
        sizes[i] = Math.abs(values.get(i));
      }
      float[] sorted = sizes.clone();
      Arrays.sort(sorted);
      float threshold = sorted[(int) (share * sorted.length)];
      byte[] bits = new byte[(int) weight.mask().bytes()];
      for (int i = 0; i < sizes.length; i++) {
        if (sizes[i] >= threshold) {
          bits[i / 8] |= (byte) (1 << i % 8);
        }
      }
      weight.mask().buffer().put(bits);
    }
  }
}
