package org.fettle.recipes;

import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.Engine;
import org.fettle.internal.Kernel;
import org.fettle.internal.KernelCall;
import org.fettle.internal.Scratch;
import org.fettle.internal.TensorChecks;
import org.fettle.internal.Trees;
import org.fettle.internal.kernels.EstimatorKernels;

/**
 * BiPer (arXiv:2404.01278): the weight is a periodic function of what is stored, {@code sin(f w)}
 * in the first stage and its sign in the second, both with the gradient {@code g f cos(f w)}.
 * Arguments are reduced exactly. Tensors are F32.
 *
 * @param frequency f, rounded to float; &gt; 0. The authors' scripts have 20, their code 30
 * @param stage 1 or 2
 */
public record Biper(double frequency, int stage) {
  private static final double VARIANCE_EPSILON = 1e-5;

  /** Checks the numbers. */
  public Biper {
    Range.positive("frequency", frequency);
    Range.check("frequency", frequency, (float) frequency < Float.POSITIVE_INFINITY, "a float");
    Range.check("stage", stage, stage == 1 || stage == 2, "1 or 2");
  }

  /** The weight of what is stored. */
  public void weight(Backend backend, Tensor stored, Tensor output) {
    Engine engine =
        new TensorChecks(backend)
            .like("output", output, stored)
            .maps("stored", stored, "output", output, DType.F32)
            .done();
    engine.run(
        new KernelCall(EstimatorKernels.PERIODIC_FORWARD)
            .arrays(stored, output)
            .integers(stored.elements(), stage - 1)
            .numbers(frequency)
            .units(RowCall.chunks(stored.elements()), 4 * stored.elements()));
  }

  /** The gradient of what is stored from that of the weight. */
  public void weightGradient(Backend backend, Tensor stored, Tensor gradient, Tensor output) {
    Engine engine =
        new TensorChecks(backend)
            .like("gradient", gradient, stored)
            .like("output", output, stored)
            .reads("stored", stored, DType.F32)
            .maps("gradient", gradient, "output", output, DType.F32)
            .done();
    backward(engine, stored, gradient, output, 0.0);
  }

  /** The regulariser without its factor tau: the mean of {@code sin(f w)^2}. */
  public double penalty(Backend backend, Tensor stored) {
    Engine engine = new TensorChecks(backend).reads("stored", stored, DType.F32).done();
    int chunks = Math.toIntExact(RowCall.chunks(stored.elements()));
    try (Scratch scratch = new Scratch(engine)) {
      Tensor partial = scratch.tensor(DType.F64, chunks);
      engine.run(
          new KernelCall(EstimatorKernels.PERIODIC_PENALTY)
              .arrays(stored)
              .array(15, partial)
              .integers(stored.elements())
              .numbers(frequency)
              .units(chunks, 4 * stored.elements()));
      return Trees.sum(scratch.doubles(partial), chunks) / (double) stored.elements();
    }
  }

  /** The gradient of {@link #penalty}. */
  public void penaltyGradient(Backend backend, Tensor stored, Tensor output) {
    Engine engine =
        new TensorChecks(backend)
            .like("output", output, stored)
            .maps("stored", stored, "output", output, DType.F32)
            .done();
    backward(engine, stored, null, output, 2.0 * frequency / (double) stored.elements());
  }

  private void backward(Engine engine, Tensor stored, Tensor gradient, Tensor output, double k) {
    engine.run(
        new KernelCall(EstimatorKernels.PERIODIC_BACKWARD)
            .arrays(stored, gradient, output)
            .integers(stored.elements())
            .numbers(frequency, k)
            .units(RowCall.chunks(stored.elements()), 4 * stored.elements()));
  }

  /**
   * A layer: {@code alpha * convolution(sign(x / sqrt(var + 1e-5)), weight)}, stride 1, no padding.
   *
   * @param x [samples, channels, height, width]
   * @param stored [filters, channels, kernel height, kernel width]
   * @param alpha one per filter
   * @param output [samples, filters, ...]
   */
  public void forward(Backend backend, Tensor x, Tensor stored, Tensor alpha, Tensor output) {
    Shape shape = Shape.of(x, stored);
    Engine engine =
        new TensorChecks(backend)
            .shape("output", output, shape.samples, shape.filters, shape.height(), shape.width())
            .reads("x", x, DType.F32)
            .reads("stored", stored, DType.F32)
            .reads("alpha", alpha, DType.F32)
            .writes("output", output, DType.F32)
            .done();
    shape.perFilter("alpha", alpha);
    try (Scratch scratch = new Scratch(engine)) {
      convolve(backend, scratch, shape, x, stored, output);
      Tensor rows = shape.repeated(scratch, alpha);
      RowCall.rows(engine, output, shape.samples * shape.filters)
          .run(EstimatorKernels.ROW_SCALE, new double[0], output, output, rows);
    }
  }

  private void convolve(
      Backend backend, Scratch scratch, Shape shape, Tensor x, Tensor stored, Tensor to) {
    Tensor signs = scratch.tensor(DType.F32, x.shape());
    Tensor weight = scratch.tensor(DType.F32, stored.shape());
    Binarization.sign(backend, x, signs);
    weight(backend, stored, weight);
    shape
        .run(scratch.engine(), EstimatorKernels.CONVOLUTION, shape.samples * shape.filters)
        .accept(signs, weight, to);
  }

  /**
   * The layer's gradients.
   *
   * @param gradientX like x
   * @param gradientStored like what is stored
   * @return the gradient of alpha, one per filter
   */
  public double[] backward(
      Backend backend,
      Tensor x,
      Tensor stored,
      Tensor alpha,
      Tensor gradient,
      Tensor gradientX,
      Tensor gradientStored) {
    Shape shape = Shape.of(x, stored);
    Engine engine =
        new TensorChecks(backend)
            .shape(
                "gradient", gradient, shape.samples, shape.filters, shape.height(), shape.width())
            .like("gradientX", gradientX, x)
            .like("gradientStored", gradientStored, stored)
            .reads("x", x, DType.F32)
            .reads("stored", stored, DType.F32)
            .reads("alpha", alpha, DType.F32)
            .reads("gradient", gradient, DType.F32)
            .writes("gradientX", gradientX, DType.F32)
            .writes("gradientStored", gradientStored, DType.F32)
            .done();
    shape.perFilter("alpha", alpha);
    try (Scratch scratch = new Scratch(engine)) {
      Tensor plain = scratch.tensor(DType.F32, gradient.shape());
      convolve(backend, scratch, shape, x, stored, plain);
      Tensor inner = scratch.tensor(DType.F32, gradient.shape());
      double[] sums =
          RowCall.rows(engine, gradient, shape.samples * shape.filters)
              .sums(
                  EstimatorKernels.ROW_SCALE_BACKWARD,
                  1,
                  new double[0],
                  plain,
                  gradient,
                  inner,
                  shape.repeated(scratch, alpha));
      double[] gradientAlpha = new double[Math.toIntExact(shape.filters)];
      for (int i = 0; i < sums.length; i++) {
        gradientAlpha[i % gradientAlpha.length] += sums[i];
      }
      Tensor signs = scratch.tensor(DType.F32, x.shape());
      Binarization.sign(backend, x, signs);
      shape
          .run(engine, EstimatorKernels.CONVOLUTION_WEIGHT_GRADIENT, shape.filters * shape.channels)
          .accept(inner, signs, gradientStored);
      backward(engine, stored, gradientStored, gradientStored, 0.0);
      Tensor weight = scratch.tensor(DType.F32, stored.shape());
      weight(backend, stored, weight);
      shape
          .run(engine, EstimatorKernels.CONVOLUTION_INPUT_GRADIENT, shape.samples * shape.channels)
          .accept(inner, weight, gradientX);
      normalizeBackward(scratch, x, gradientX);
      return gradientAlpha;
    }
  }

  /** Through the sign and the division by the standard deviation of every sample, in place. */
  private static void normalizeBackward(Scratch scratch, Tensor x, Tensor gradient) {
    RowCall samples = RowCall.rows(scratch.engine(), x);
    double n = (double) samples.columns();
    double[] moments = samples.sums(EstimatorKernels.MOMENTS, 2, new double[0], x);
    int rows = moments.length / 2;
    double[] inverse = new double[rows];
    for (int i = 0; i < rows; i++) {
      double variance = (moments[2 * i + 1] - moments[2 * i] * moments[2 * i] / n) / (n - 1.0);
      inverse[i] = 1.0 / Math.sqrt(variance + VARIANCE_EPSILON);
    }
    double[] dots =
        samples.sums(
            EstimatorKernels.SOFT_SIGN_BACKWARD,
            1,
            new double[0],
            x,
            gradient,
            gradient,
            RowCall.floats(scratch, inverse));
    double[] factors = new double[3 * rows];
    for (int i = 0; i < rows; i++) {
      double r = inverse[i];
      factors[3 * i] = r;
      factors[3 * i + 1] = -r * r * r / (n - 1.0) * dots[i];
      factors[3 * i + 2] = moments[2 * i] / n;
    }
    samples.run(
        EstimatorKernels.NORMALIZE_BACKWARD,
        new double[0],
        gradient,
        x,
        gradient,
        RowCall.floats(scratch, factors));
  }

  private record Shape(
      long samples,
      long channels,
      long inHeight,
      long inWidth,
      long filters,
      long kernelHeight,
      long kernelWidth) {
    static Shape of(Tensor x, Tensor stored) {
      if (x.rank() != 4 || stored.rank() != 4) {
        throw new IllegalArgumentException(
            "x is " + x + " and stored " + stored + ": expected four axes each");
      }
      long[] a = x.shape();
      long[] b = stored.shape();
      if (b[1] != a[1] || b[2] > a[2] || b[3] > a[3] || b[2] < 1 || b[3] < 1) {
        throw new IllegalArgumentException(
            "stored is " + stored + ": expected as many channels as " + x + ", and a kernel in it");
      }
      return new Shape(a[0], a[1], a[2], a[3], b[0], b[2], b[3]);
    }

    long height() {
      return inHeight - kernelHeight + 1;
    }

    long width() {
      return inWidth - kernelWidth + 1;
    }

    void perFilter(String name, Tensor values) {
      if (values.elements() != filters) {
        throw new IllegalArgumentException(
            name + " is " + values + ": expected " + filters + " elements, one per filter");
      }
    }

    /** The values of filters, once for every sample. */
    Tensor repeated(Scratch scratch, Tensor values) {
      float[] one = Scratch.floats(scratch.engine(), values);
      double[] all = new double[Math.toIntExact(samples * filters)];
      for (int i = 0; i < all.length; i++) {
        all[i] = one[i % one.length];
      }
      return RowCall.floats(scratch, all);
    }

    @FunctionalInterface
    interface Arrays {
      void accept(Tensor a, Tensor b, Tensor to);
    }

    Arrays run(Engine engine, Kernel kernel, long units) {
      return (a, b, to) ->
          engine.run(
              new KernelCall(kernel)
                  .arrays(a, b, to)
                  .integers(
                      channels, inHeight, inWidth, filters, kernelHeight, kernelWidth, samples)
                  .units(units, units * channels * kernelHeight * kernelWidth * height()));
    }
  }
}
