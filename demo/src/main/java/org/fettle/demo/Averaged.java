package org.fettle.demo;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.fettle.Average;
import org.fettle.Parameter;
import org.fettle.PlanBuilder;
import org.fettle.Tensor;
import org.fettle.averages.MovingAverage;
import org.fettle.averages.SwitchEma;

/** Tests an average of the weights that rides on the step. */
class Averaged implements Recipe {
  private final Function<Context, Average> average;
  final List<Tensor> weights = new ArrayList<>();
  final List<Tensor> averages = new ArrayList<>();

  Context context;

  private Averaged(Function<Context, Average> average) {
    this.average = average;
  }

  /** An exponential moving average that keeps so much of itself in a step. */
  static Averaged exponential(double decay) {
    return new Averaged(context -> new Average(decay));
  }

  /**
   * SWA: the mean of the weights after each so many steps from a share of the training on; from
   * there the learning rate stays what it is.
   */
  static Recipe stochastic(double share, int interval) {
    return new Averaged(
        context -> Average.uniform(Math.round(share * context.clock().steps()), interval)) {
      @Override
      public double rate(Clock clock) {
        long from = Math.round(share * clock.steps());
        return Settings.schedule(Math.min(clock.step() - 1, from), clock.steps());
      }

      /** The weights themselves before there is anything to average. */
      @Override
      public Tensor tested(Parameter parameter) {
        Clock clock = context.clock();
        return clock.step() > Math.round(share * clock.steps()) ? parameter.average() : null;
      }
    };
  }

  /** Switch EMA: the average is copied into the weights at the start of each epoch. */
  static Recipe switching(double decay) {
    SwitchEma rule = new SwitchEma();
    return new Averaged(context -> new Average(decay)) {
      @Override
      public void beginEpoch(Run run, int epoch) {
        if (rule.switchesAt(epoch)) {
          for (int i = 0; i < weights.size(); i++) {
            MovingAverage.copy(run.context().backend(), averages.get(i), weights.get(i));
          }
        }
      }
    };
  }

  @Override
  public Parameter attach(Parameter parameter, Place place) {
    Tensor tensor = QuantizedCopy.copy(place.view());
    weights.add(parameter.value());
    averages.add(tensor);
    return parameter.withAverage(tensor);
  }

  @Override
  public void configure(PlanBuilder plan, Context newContext) {
    context = newContext;
    plan.average(average.apply(context));
  }

  @Override
  public Tensor tested(Parameter parameter) {
    return parameter.average();
  }
}
