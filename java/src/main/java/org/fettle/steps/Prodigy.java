package org.fettle.steps;

import java.util.ArrayList;
import java.util.List;
import org.fettle.Arithmetic;
import org.fettle.Backend;
import org.fettle.Parameter;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.Batch;
import org.fettle.internal.BatchRunner;
import org.fettle.internal.Primitive;

/**
 * Prodigy: Adam that finds its own step size d, by how far it has come along the gradients.
 *
 * <pre>
 * delta = d * lr * (biasCorrection ? sqrt(1 - beta2^t) / (1 - beta1^t) : 1)
 * N = beta3 * N + (d / d0) * delta * &lt;g, p0 - p&gt; ;  s = beta3 * s + (d / d0) * (safeguard ? d : delta) * g ;  Z = |s|_1
 * m = beta1 * m + d * (1 - beta1) * g ;  v = beta2 * v + d^2 * (1 - beta2) * g^2
 * Z = 0: stop.   dHat = dCoef * N / Z ;  d = d0: d = max(d, dHat)
 * dMax = max(dMax, dHat) ;  d = min(dMax, d * growthRate)
 * p = p * (1 - wd * delta) - delta * m / (sqrt(v) + d * eps)
 * </pre>
 *
 * <p>delta is the one from before d changes, the d beside eps the one from after, as it is in d *
 * g, which stands for m where beta1 is 0. Sums run over all tensors, so that a step takes two
 * passes. {@code p0 - p} is formed in float, multiplied and added in double: while d is small it
 * cancels, and d keeps an error of about 5e-3 that no float can avoid. With {@code slice} q, N and
 * s look at every q-th element of a tensor only.
 *
 * <p>Source: arXiv:2306.06101; konstmish/prodigy.
 */
public final class Prodigy extends StepObject {
  private final ProdigyOptions options;
  private final List<Parameter> parameters;
  private final List<Tensor> starts = new ArrayList<>();
  private final List<Tensor> denominators = new ArrayList<>();
  private final List<Tensor> firstMoments = new ArrayList<>();
  private final List<Tensor> secondMoments = new ArrayList<>();
  private final List<Slices> slices = new ArrayList<>();
  private final BatchRunner copies;
  private final BatchRunner sums;
  private final BatchRunner moments;
  private final BatchRunner update;
  private double d;
  private double dMax;
  private double dHat;
  private double numerator;
  private double denominator;
  private long steps;
  private boolean started;

  /** A step over these parameters; p0 is what they are in the first step. */
  public Prodigy(Backend backend, ProdigyOptions options, List<Parameter> parameters) {
    super(backend);
    this.options = options;
    this.parameters = List.copyOf(parameters);
    check(parameters).done();
    d = options.d0();
    dMax = options.d0();
    List<Batch.Item> copyItems = new ArrayList<>();
    List<Batch.Item> sumItems = new ArrayList<>();
    List<Batch.Item> momentItems = new ArrayList<>();
    List<Batch.Item> updateItems = new ArrayList<>();
    for (Parameter parameter : parameters) {
      Tensor p = parameter.value();
      Tensor g = parameter.gradient();
      Tensor m = allocate(p.shape());
      Tensor v = allocate(p.shape());
      firstMoments.add(m);
      secondMoments.add(v);
      momentItems.add(Batch.Item.of(Primitive.PRODIGY_MOMENTS, g, p, m, v, m, v));
      updateItems.add(Batch.Item.of(Primitive.ADAM_STEP, p, m, v, p));
      Tensor slicedG = g;
      Tensor slicedP = p;
      long[] shape = p.shape();
      if (options.slice() > 1) {
        shape = new long[] {(p.elements() + options.slice() - 1) / options.slice()};
        slicedG = allocate(g.dtype(), shape);
        slicedP = allocate(p.dtype(), shape);
        slices.add(new Slices(engine, options.slice(), p, slicedP));
        slices.add(new Slices(engine, options.slice(), g, slicedG));
      }
      Tensor start = allocate(shape);
      Tensor s = allocate(shape);
      starts.add(start);
      denominators.add(s);
      copyItems.add(Batch.Item.of(Primitive.SCALE, slicedP, start));
      sumItems.add(Batch.Item.of(Primitive.PRODIGY_SUMS, slicedG, slicedP, start, s, s));
    }
    copies = open(copyItems);
    sums = open(sumItems);
    moments = open(momentItems);
    update = open(updateItems);
  }

  /** One step with the learning rate of the options. */
  public void step() {
    step(options.lr());
  }

  /** One step with another learning rate. */
  public void step(double lr) {
    Range.nonNegative("lr", lr);
    enter();
    try {
      run(lr);
    } finally {
      leave();
    }
  }

  private void run(double lr) {
    int count = parameters.size();
    slices.forEach(Slices::run);
    if (!started) {
      factors(copies, count, 1);
      copies.run();
      started = true;
    }
    double correction = 1;
    if (options.useBiasCorrection()) {
      correction =
          Math.sqrt(1.0 - Arithmetic.power(options.beta2(), steps + 1))
              / (1.0 - Arithmetic.power(options.beta1(), steps + 1));
    }
    double delta = d * lr * correction;
    double grown = d / options.d0();
    double coupled = options.decouple() ? 0.0 : options.weightDecay();
    double beta3 = options.beta3();
    factors(sums, count, beta3, grown * (options.safeguardWarmup() ? d : delta), coupled);
    sums.run();
    factors(
        moments,
        count,
        options.beta1(),
        d * (1.0 - options.beta1()),
        options.beta2(),
        d * d * (1.0 - options.beta2()),
        coupled);
    moments.run();
    double sum = total(sums, count, 1);
    if (sum == 0.0) {
      return;
    }
    numerator = beta3 * numerator + grown * delta * total(sums, count, 0);
    denominator = sum;
    dHat = options.dCoef() * numerator / sum;
    double before = d;
    if (d == options.d0()) {
      d = Math.max(d, dHat);
    }
    dMax = Math.max(dMax, dHat);
    d = Math.min(dMax, d * options.growthRate());
    double decay = options.decouple() ? 1.0 - options.weightDecay() * delta : 1.0;
    // Without a first moment m is g times the d from before, and the numerator g times the new one.
    double renewal = options.beta1() == 0.0 ? d / before : 1.0;
    factors(update, count, -delta * renewal, d * options.eps(), decay);
    update.run();
    steps++;
  }

  /** The step size d that was found. */
  public double d() {
    return d;
  }

  /** The largest estimate so far. */
  public double dMax() {
    return dMax;
  }

  /** The last estimate; 0 before the first gradient that is not 0. */
  public double dHat() {
    return dHat;
  }

  /** N. */
  public double numerator() {
    return numerator;
  }

  /** Z; 0 before the first gradient that is not 0. */
  public double denominator() {
    return denominator;
  }

  /**
   * A state of a tensor: {@code m}, {@code v}, {@code s} or {@code p0}. With slices the latter two
   * hold every q-th element only.
   */
  public Tensor state(int tensor, String name) {
    List<Tensor> states =
        switch (name) {
          case "m" -> firstMoments;
          case "v" -> secondMoments;
          case "s" -> denominators;
          case "p0" -> starts;
          default ->
              throw new IllegalArgumentException(
                  "state " + name + ": expected one of [m, v, s, p0]");
        };
    return open(states.get(tensor));
  }
}
