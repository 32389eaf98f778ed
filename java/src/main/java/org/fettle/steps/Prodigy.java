package org.fettle.steps;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.fettle.Arithmetic;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Parameter;
import org.fettle.Range;
import org.fettle.StateStorage;
import org.fettle.Tensor;
import org.fettle.internal.Batch;
import org.fettle.internal.BatchRunner;
import org.fettle.internal.Operand;
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
 * passes, of 16 + 4 and 16 + 12 bytes per parameter. {@code p0 - p} is formed in float, multiplied
 * and added in double: while d is small it cancels, and d keeps an error of about 5e-3 that no
 * float can avoid. With {@code slice} q, N and s look at every q-th element of a tensor only.
 *
 * <p>Source: arXiv:2306.06101; konstmish/prodigy.
 */
public final class Prodigy extends SavedStep {
  private final ProdigyOptions options;
  private final int count;
  private final double unit;
  private final List<Operand> starts = new ArrayList<>();
  private final List<Operand> denominators = new ArrayList<>();
  private final List<Operand> firstMoments = new ArrayList<>();
  private final List<Operand> secondMoments = new ArrayList<>();
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
  private boolean started;

  /** A step over these parameters with states in F32; p0 is what they are in the first step. */
  public Prodigy(Backend backend, ProdigyOptions options, List<Parameter> parameters) {
    this(backend, options, StateStorage.F32, parameters);
  }

  /**
   * A step over these parameters; p0 is what they are in the first step.
   *
   * @param storage of m, v and s, not F16, which d would take out of its range; in other formats
   *     than F32 they are kept in units of the power of two below d0, v of its square, since blocks
   *     have a smallest scale. p0 stays F32, because what is looked at is how far p is from it
   */
  public Prodigy(
      Backend backend, ProdigyOptions options, StateStorage storage, List<Parameter> parameters) {
    super(backend, "prodigy", storage);
    this.options = options;
    count = parameters.size();
    checkStored(parameters).done();
    if (storage.dtype() == DType.F16) {
      throw new IllegalArgumentException(
          "states m, v and s are to be stored as F16: expected F32, BF16 or blocks");
    }
    unit = storage.isRounded() ? Math.scalb(1.0, Math.getExponent(options.d0())) : 1.0;
    d = options.d0();
    dMax = options.d0();
    List<Batch.Item> copyItems = new ArrayList<>();
    List<Batch.Item> sumItems = new ArrayList<>();
    List<Batch.Item> momentItems = new ArrayList<>();
    List<Batch.Item> updateItems = new ArrayList<>();
    for (Parameter parameter : parameters) {
      String label = label(starts.size(), parameter);
      long[] shape = parameter.value().shape();
      Operand p = value(label, parameter.value());
      Operand g = Operand.of(parameter.gradient());
      Operand m = state(label, "m", Content.SIGNED, shape);
      Operand v = state(label, "v", Content.NON_NEGATIVE, shape);
      firstMoments.add(m);
      secondMoments.add(v);
      momentItems.add(Batch.Item.of(Primitive.PRODIGY_MOMENTS, g, p, m, v, m, v));
      updateItems.add(Batch.Item.of(Primitive.ADAM_UPDATE, g, p, m, v, m, v, p));
      Operand slicedG = g;
      Operand slicedP = p;
      if (options.slice() > 1) {
        shape = new long[] {(p.elements() + options.slice() - 1) / options.slice()};
        slicedG = Operand.of(sliced(g.tensor(), shape));
        slicedP = Operand.of(sliced(p.tensor(), shape));
        if (p.compensation() != null) {
          slicedP = Operand.compensated(slicedP.tensor(), sliced(p.compensation(), shape));
        }
      }
      Operand start = state(label, "p0", Content.EXACT, shape);
      Operand s = state(label, "s", Content.SIGNED, shape);
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

  private Tensor sliced(Tensor tensor, long... shape) {
    Tensor part = allocate(tensor.dtype(), shape);
    slices.add(new Slices(engine, options.slice(), tensor, part));
    return part;
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
    slices.forEach(Slices::run);
    if (!started) {
      factors(copies, count, 1);
      copies.run();
      started = true;
    }
    double correction = 1;
    if (options.useBiasCorrection()) {
      correction =
          Math.sqrt(1.0 - Arithmetic.power(options.beta2(), steps() + 1))
              / (1.0 - Arithmetic.power(options.beta1(), steps() + 1));
    }
    double delta = d * lr * correction;
    double grown = d / options.d0();
    double coupled = options.decouple() ? 0.0 : options.weightDecay();
    double beta3 = options.beta3();
    factors(sums, count, beta3, grown * (options.safeguardWarmup() ? d : delta) / unit, coupled);
    sums.run();
    double[] averages = {
      options.beta1(),
      d / unit * (1.0 - options.beta1()),
      options.beta2(),
      d / unit * (d / unit) * (1.0 - options.beta2()),
      coupled
    };
    double sum = unit * total(sums, count, 1);
    if (sum == 0.0) {
      factors(moments, count, averages);
      moments.run();
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
    double[] all = Arrays.copyOf(averages, averages.length + 3);
    all[5] = -delta * renewal;
    all[6] = d / unit * options.eps();
    all[7] = decay;
    factors(update, count, all);
    update.run();
    stepped();
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
   * hold every q-th element only. By blocks it has the codes; see {@link #states}.
   */
  public Tensor state(int tensor, String name) {
    List<Operand> states =
        switch (name) {
          case "m" -> firstMoments;
          case "v" -> secondMoments;
          case "s" -> denominators;
          case "p0" -> starts;
          default ->
              throw new IllegalArgumentException(
                  "state " + name + ": expected one of [m, v, s, p0]");
        };
    return open(states.get(tensor).tensor());
  }

  @Override
  Map<String, Double> scalars() {
    return Map.of(
        "d", d,
        "d_max", dMax,
        "d_hat", dHat,
        "numerator", numerator,
        "denominator", denominator,
        "started", started ? 1.0 : 0.0);
  }

  @Override
  void restore(Map<String, Double> scalars) {
    d = scalars.get("d");
    dMax = scalars.get("d_max");
    dHat = scalars.get("d_hat");
    numerator = scalars.get("numerator");
    denominator = scalars.get("denominator");
    started = scalars.get("started") != 0;
  }
}
