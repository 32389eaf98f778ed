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
    public Parameter attach(Parameter parameter, Tensor view) {
      Tensor average = Tensor.allocate(DType.F32, view.shape());
      average.buffer().put(view.buffer());
      return parameter.withAverage(average);
    }

    @Override
    public void configure(PlanBuilder plan) {
      plan.average(new Average(decay));
    }

    @Override
    public Tensor tested(Parameter parameter) {
      return parameter.average();
    }
  }

  /**
   * Removes the smallest weights of each matrix once; from then on the step's mask keeps them 0.
   */
  static final class Pruning implements Recipe {
    private final double share;
    private final double when;
    private final List<Pruned> pruned = new ArrayList<>();

    private record Pruned(Tensor view, Tensor mask) {}

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
    public Parameter attach(Parameter parameter, Tensor view) {
      if (view.rank() < 2) {
        return parameter;
      }
      Tensor mask = Tensor.allocate(DType.BIT, view.shape());
      byte[] ones = new byte[(int) mask.bytes()];
      Arrays.fill(ones, (byte) -1);
      mask.buffer().put(ones);
      pruned.add(new Pruned(view, mask));
      return parameter.withMask(mask);
    }

    @Override
    public void batch(Run run) {
      if (run.step() == Math.round(when * run.steps())) {
        pruned.forEach(this::prune);
      }
      Recipe.super.batch(run);
    }

    private void prune(Pruned weight) {
      FloatBuffer values = weight.view().buffer().asFloatBuffer();
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
