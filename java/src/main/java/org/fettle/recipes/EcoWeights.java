package org.fettle.recipes;

import org.fettle.Arithmetic;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.Engine;
import org.fettle.internal.KernelCall;
import org.fettle.internal.Scratch;
import org.fettle.internal.TensorChecks;
import org.fettle.internal.kernels.EcoKernels;

/**
 * ECO (arXiv:2601.22101): quantized weights trained without a master copy. A step updates,
 * quantizes and injects the error of the quantization into the momentum, in one crossing of the
 * memory. The state lies on the backend: codes, scales, and an F32 momentum (and second moment).
 */
public final class EcoWeights implements AutoCloseable {
  /** How a weight is stored. */
  public enum Format {
    /** E4M3, one scale per row: largest / 448. */
    FP8,
    /** -7 to 7, two to a byte, one scale per 32 along the row: largest / 7. */
    INT4
  }

  /** What makes a step of a gradient. */
  public enum Optimizer {
    /** SGD with momentum. */
    SGDM,
    /** AdamW. */
    ADAM
  }

  /**
   * What does not change from step to step.
   *
   * @param optimizer the optimizer
   * @param beta1 of the momentum: above 0, below 1
   * @param beta2 of the second moment
   * @param eps added to its root
   * @param weightDecay decoupled
   * @param decayCorrection whether the injected error is reduced by the decay as well
   * @param stochastic whether weights are rounded stochastically
   * @param seed of the random words
   * @param stream a number for the tensor
   */
  public record Options(
      Optimizer optimizer,
      double beta1,
      double beta2,
      double eps,
      double weightDecay,
      boolean decayCorrection,
      boolean stochastic,
      long seed,
      int stream) {
    /** Checks the numbers. */
    public Options {
      Range.check("beta1", beta1, beta1 > 0 && beta1 < 1, "above 0, below 1");
      Range.fraction("beta2", beta2);
      Range.nonNegative("eps", eps);
      Range.nonNegative("weightDecay", weightDecay);
    }
  }

  private final Backend backend;
  private final Scratch scratch;
  private final Format format;
  private final Options options;
  private final long[] shape;
  private final long units;
  private final Tensor codes;
  private final Tensor scales;
  private final Tensor momentum;
  private final Tensor second;
  private long step;

  /**
   * Quantizes the first weights, to the nearest.
   *
   * @param backend where the state is
   * @param weight F32, [rows, columns]
   * @param format how weights are stored
   * @param options of the steps
   */
  public EcoWeights(Backend backend, Tensor weight, Format format, Options options) {
    Engine engine =
        new TensorChecks(backend)
            .rank("weight", weight, 2)
            .reads("weight", weight, DType.F32)
            .done();
    this.backend = backend;
    this.format = java.util.Objects.requireNonNull(format, "format");
    this.options = options;
    shape = weight.shape();
    long groups = (shape[1] + 31) / 32;
    units = format == Format.FP8 ? (shape[1] == 0 ? 0 : shape[0]) : shape[0] * groups;
    scratch = new Scratch(engine);
    codes =
        scratch.tensor(DType.U8, shape[0], format == Format.FP8 ? shape[1] : (shape[1] + 1) / 2);
    scales = scratch.tensor(DType.F64, units);
    momentum = scratch.tensor(DType.F32, shape);
    second = options.optimizer() == Optimizer.ADAM ? scratch.tensor(DType.F32, shape) : null;
    start(weight);
  }

  /** Replaces the weights by F32 ones, quantized to the nearest; the rest of the state stays. */
  public void start(Tensor weight) {
    Engine engine =
        new TensorChecks(backend)
            .shape("weight", weight, shape)
            .reads("weight", weight, DType.F32)
            .done();
    engine.run(call(new KernelCall(EcoKernels.ECO_START).arrays(weight, codes, scales)));
  }

  /** Writes the weights: F32, [rows, columns]. */
  public void decode(Tensor weight) {
    Engine engine =
        new TensorChecks(backend)
            .shape("weight", weight, shape)
            .writes("weight", weight, DType.F32)
            .done();
    engine.run(call(new KernelCall(EcoKernels.ECO_DECODE).arrays(codes, scales, weight)));
  }

  /**
   * Takes a step.
   *
   * @param gradient F32, [rows, columns]
   * @param learningRate &gt;= 0; 0 injects no error
   * @param error receives the error of the quantization; null for none
   */
  public void step(Tensor gradient, double learningRate, Tensor error) {
    Range.nonNegative("learningRate", learningRate);
    TensorChecks checks =
        new TensorChecks(backend)
            .shape("gradient", gradient, shape)
            .reads("gradient", gradient, DType.F32);
    if (error != null) {
      checks.shape("error", error, shape).writes("error", error, DType.F32);
    }
    Engine engine = checks.done();
    step++;
    boolean adam = options.optimizer() == Optimizer.ADAM;
    double b1 = options.beta1();
    double b2 = options.beta2();
    double first = adam ? 1.0 - Arithmetic.power(b1, step) : 1.0;
    double keep = 1.0 - learningRate * options.weightDecay();
    double injected = learningRate == 0.0 ? 0.0 : first / learningRate * (1.0 - 1.0 / b1);
    KernelCall call =
        new KernelCall(EcoKernels.ECO_STEP)
            .arrays(codes, scales, gradient, momentum, second, error)
            .numbers(
                b1,
                1.0 - b1,
                b2,
                1.0 - b2,
                adam ? 1.0 / (1.0 - Arithmetic.power(b2, step)) : 1.0,
                options.eps(),
                keep,
                learningRate / first,
                injected * (options.decayCorrection() ? keep : 1.0));
    call(call)
        .integer(2, options.stochastic() ? 1 : 0)
        .integer(3, options.seed())
        .integer(4, step)
        .integer(5, options.stream());
    engine.run(call);
  }

  private KernelCall call(KernelCall call) {
    return call.integer(0, shape[1])
        .integer(1, format == Format.FP8 ? 0 : 1)
        .units(units, shape[0] * shape[1]);
  }

  /** The codes: U8. */
  public Tensor codes() {
    return codes;
  }

  /** The scales: F64, in order of rows and then of groups. */
  public Tensor scales() {
    return scales;
  }

  /** The momentum: F32. */
  public Tensor momentum() {
    return momentum;
  }

  /** The second moment: F32; null for SGD. */
  public Tensor secondMoment() {
    return second;
  }

  /** Steps taken. */
  public long steps() {
    return step;
  }

  /** Sets the number of steps taken, after the state was replaced. */
  public void setSteps(long steps) {
    Range.check("steps", steps, steps >= 0, ">= 0");
    step = steps;
  }

  /** Frees the state. */
  @Override
  public void close() {
    scratch.close();
  }
}
