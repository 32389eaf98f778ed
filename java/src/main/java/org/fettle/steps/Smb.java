package org.fettle.steps;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.function.DoubleSupplier;
import org.fettle.Backend;
import org.fettle.Parameter;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.Batch;
import org.fettle.internal.BatchRunner;
import org.fettle.internal.Primitive;

/**
 * SMB, stochastic gradient descent with model building: tries an ordinary step, and where the loss
 * does not fall enough replaces it, tensor by tensor, with the minimum of a model through both
 * gradients.
 *
 * <pre>
 * trial: p - lr * g.  Kept if loss' &lt;= loss - c * lr * |g|^2 or |g| &lt; 1e-8 (over all tensors)
 * else, with s = -lr * g, y = g' - g, per tensor (dots ys, ss, yy, yg, gg, sg):
 *   sigma = 1/2 * (sqrt(ss) * (sqrt(yy) + sqrt(gg) / eta) - ys) ;  theta = (ys + 2 sigma)^2 - ss * yy
 *   a = -ss / (2 sigma) ;  b = (a / theta) * (-(ys + 2 sigma) * yg + yy * sg)
 *   e = (a / theta) * (-(ys + 2 sigma) * sg + ss * yg) ;  p + a * g + b * s + e * y
 * </pre>
 *
 * <p>A step evaluates the loss once or twice. With independent batches a failing trial is undone
 * and its gradient remembered as h; the next step, on a new batch, always takes the model with yg,
 * sg and the first term from h. The schedule, where it is on, looks at the part of model steps in
 * the last {@code stepsPerEpoch}: above gamma (independent: gamma / 2) lr falls by beta, else it
 * grows by 1 / beta up to lrMax. A tensor whose gradient is 0 stays at its trial point. Source:
 * arXiv:2111.07058; sibirbil/SMB.
 */
public final class Smb extends StepObject {
  private static final double SMALL_NORM = 1e-8;

  private final SmbOptions options;
  private final int count;
  private final BatchRunner norms;
  private final BatchRunner saves;
  private final BatchRunner restores;
  private final BatchRunner trials;
  private final BatchRunner dots;
  private final BatchRunner models;
  private final BatchRunner remembers;
  private final BatchRunner memoryDots;
  private double lr;
  private int steps;
  private int modelSteps;
  private boolean lastWasModel;
  private boolean pending;

  /** A step over these parameters. */
  public Smb(Backend backend, SmbOptions options, List<Parameter> parameters) {
    super(backend);
    this.options = options;
    count = parameters.size();
    lr = options.lr();
    check(parameters).done();
    List<Batch.Item> square = new ArrayList<>();
    List<Batch.Item> save = new ArrayList<>();
    List<Batch.Item> restore = new ArrayList<>();
    List<Batch.Item> trial = new ArrayList<>();
    List<Batch.Item> dot = new ArrayList<>();
    List<Batch.Item> model = new ArrayList<>();
    List<Batch.Item> remember = new ArrayList<>();
    List<Batch.Item> memoryDot = new ArrayList<>();
    for (Parameter parameter : parameters) {
      Tensor p = parameter.value();
      Tensor g = parameter.gradient();
      Tensor before = allocate(p.shape());
      Tensor first = allocate(p.shape());
      Tensor memory = options.independentBatch() ? allocate(p.shape()) : first;
      square.add(Batch.Item.of(Primitive.SQUARE_SUM, g));
      save.add(Batch.Item.of(Primitive.SCALE, p, before));
      save.add(Batch.Item.of(Primitive.SCALE, g, first));
      restore.add(Batch.Item.of(Primitive.SCALE, before, p));
      trial.add(Batch.Item.of(Primitive.ADD_SCALED, p, g, p));
      dot.add(Batch.Item.of(Primitive.PROJECTION_SUMS, first, g));
      memoryDot.add(Batch.Item.of(Primitive.PROJECTION_SUMS, memory, first));
      memoryDot.add(Batch.Item.of(Primitive.DOT, memory, g));
      model.add(Batch.Item.of(Primitive.ADD_THREE, before, memory, first, g, p));
      remember.add(Batch.Item.of(Primitive.SCALE, first, memory));
    }
    norms = open(square);
    saves = open(save);
    restores = open(restore);
    trials = open(trial);
    dots = open(dot);
    memoryDots = open(memoryDot);
    models = open(model);
    remembers = open(remember);
  }

  /**
   * One step.
   *
   * @param closure forms the loss and the gradients at the parameters as they are when it is
   *     called, from one batch; called once or twice
   * @return whether a model step was taken
   * @throws IllegalArgumentException if the first loss is NaN; nothing was changed
   */
  public boolean step(DoubleSupplier closure) {
    Objects.requireNonNull(closure, "closure");
    enter();
    try {
      double loss = closure.getAsDouble();
      Range.check("loss", loss, !Double.isNaN(loss), "a number");
      norms.run();
      double square = total(norms, count, 0);
      factors(saves, 2 * count, 1);
      saves.run();
      factors(trials, count, -lr);
      trials.run();
      double trialLoss = lossAtTrial(closure);
      boolean good =
          trialLoss <= loss - options.c() * lr * square || Math.sqrt(square) < SMALL_NORM;
      lastWasModel = options.independentBatch() ? independent(good) : !good;
      if (lastWasModel) {
        takeModel();
      }
      schedule();
      return lastWasModel;
    } finally {
      leave();
    }
  }

  /** A closure that throws leaves the parameters where they were. */
  private double lossAtTrial(DoubleSupplier closure) {
    boolean complete = false;
    try {
      double loss = closure.getAsDouble();
      complete = true;
      return loss;
    } finally {
      if (!complete) {
        factors(restores, count, 1);
        restores.run();
      }
    }
  }

  /** Whether the model is due; what fails is undone and remembered. */
  private boolean independent(boolean good) {
    if (pending) {
      pending = false;
      return true;
    }
    if (!good) {
      factors(restores, count, 1);
      restores.run();
      factors(remembers, count, 1);
      remembers.run();
      pending = true;
    }
    return false;
  }

  private void takeModel() {
    dots.run();
    memoryDots.run();
    List<double[]> all = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      double gn = dots.sum(i, 0);
      double gg = dots.sum(i, 1);
      double nn = dots.sum(i, 2);
      double hg = memoryDots.sum(2 * i, 0);
      double hn = memoryDots.sum(2 * i + 1, 0);
      all.add(model(gg, gn, nn, hg, hn, gg == 0.0));
    }
    for (int i = 0; i < count; i++) {
      for (int k = 0; k < 3; k++) {
        models.factor(i, k, all.get(i)[k]);
      }
    }
    models.run();
  }

  /**
   * What the new point takes of the remembered gradient, of the gradient and of the one at the
   * trial point.
   */
  private double[] model(
      double gg, double gn, double nn, double hg, double hn, boolean staysAtTrial) {
    if (staysAtTrial) {
      return new double[] {0, -lr, 0};
    }
    double ys = -lr * (gn - gg);
    double ss = lr * lr * gg;
    double yy = Math.max(nn - 2.0 * gn + gg, 0.0);
    double yg = hn - hg;
    double sg = -lr * hg;
    double sigma = 0.5 * (Math.sqrt(ss) * (Math.sqrt(yy) + Math.sqrt(gg) / options.eta()) - ys);
    double bent = ys + 2.0 * sigma;
    double theta = bent * bent - ss * yy;
    double a = -ss / (2.0 * sigma);
    double b = a / theta * (-bent * yg + yy * sg);
    double e = a / theta * (-bent * sg + ss * yg);
    return new double[] {a, -lr * b - e, e};
  }

  private void schedule() {
    if (!options.autoschedule()) {
      return;
    }
    steps++;
    modelSteps += lastWasModel ? 1 : 0;
    if (steps < options.stepsPerEpoch()) {
      return;
    }
    double limit = options.independentBatch() ? options.gamma() / 2.0 : options.gamma();
    if ((double) modelSteps / steps > limit) {
      lr *= options.beta();
    } else if (lr / options.beta() <= options.lrMax()) {
      lr /= options.beta();
    }
    steps = 0;
    modelSteps = 0;
  }

  /** The learning rate of the next step. */
  public double lr() {
    return lr;
  }

  @Override
  public String toString() {
    return "Smb" + Arrays.asList(options, backend());
  }
}
