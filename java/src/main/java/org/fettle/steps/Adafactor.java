package org.fettle.steps;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Parameter;
import org.fettle.Range;
import org.fettle.StateStorage;
import org.fettle.Tensor;
import org.fettle.Transcendental;
import org.fettle.internal.Batch;
import org.fettle.internal.BatchRunner;
import org.fettle.internal.KernelCall;
import org.fettle.internal.Norms;
import org.fettle.internal.Primitive;
import org.fettle.internal.kernels.AdafactorKernels;

/**
 * Adafactor: second moments by row and column, which take next to no memory, and an update that is
 * clipped as a whole.
 *
 * <pre>
 * rho = relativeStep ? min(warmupInit ? 1e-6 * t : 1e-2, 1 / sqrt(t)) : lr
 * a = rho * (scaleParameter ? max(eps2, rms(p)) : 1) ;  b = 1 - t^decayRate ;  q = g * g + eps1
 * two or more axes:  R = ema(R, mean of q over the last axis, b) ;  C = ema(C, mean of q over the last but one axis, b)
 *                    u = (g * sqrt(mean(R) / R)) * (1 / sqrt(C))
 * one axis or none:  v = ema(v, q, b) ;  u = g / sqrt(v)
 * u = a * u / max(1, rms(u) / clipThreshold) ;  beta1: m = ema(m, u, beta1), u = m
 * p = p * (1 - weightDecay * a) - u
 * </pre>
 *
 * <p>The last two axes are factored, those before them number matrices. The mean of R runs over the
 * rows of its matrix. Row and column factors are formed in double and rounded once. Where a row and
 * a column never saw a gradient and {@code eps1} is 0 the update is NaN.
 *
 * <p>Parameters and gradients are F32, BF16 or F16, the new parameter rounded to nearest; states
 * are F32: {@code row}, {@code col} or {@code v}, and {@code m}. Three passes, 24 bytes per element
 * of a matrix and 32 of a vector in F32 (4 less without {@code scaleParameter}), 8 more with {@code
 * beta1}. The same bits on every backend. Source: arXiv:1804.04235; facebookresearch/fairseq, whose
 * learning rate compounds with scaleParameter but without relativeStep; this one does not.
 */
public final class Adafactor extends SavedStep {
  private final AdafactorOptions options;
  private final List<One> tensors = new ArrayList<>();
  private final BatchRunner squares;
  private final double[] rates;

  /** What belongs to one tensor. */
  private final class One {
    final Parameter parameter;
    final long elements;
    final long rows;
    final long columns;
    final long matrices;
    final Tensor row;
    final Tensor column;
    final Tensor second;
    final Tensor moment;
    final Tensor rowFactors;
    final Tensor columnFactors;
    final Tensor rowSums;
    final Tensor columnSums;
    final Tensor sums;

    One(String label, Parameter parameter) {
      this.parameter = parameter;
      Tensor p = parameter.value();
      long[] shape = p.shape();
      int rank = shape.length;
      boolean factored = rank >= 2;
      elements = p.elements();
      rows = factored ? shape[rank - 2] : 1;
      columns = factored ? shape[rank - 1] : elements;
      matrices = elements == 0 ? 0 : elements / (rows * columns);
      long[] rowShape = new long[Math.max(0, rank - 1)];
      long[] columnShape = new long[Math.max(0, rank - 1)];
      for (int i = 0; i < rank - 1; i++) {
        rowShape[i] = shape[i];
        columnShape[i] = i < rank - 2 ? shape[i] : columns;
      }
      row = factored ? keep(label, "row", allocate(rowShape)) : null;
      column = factored ? keep(label, "col", allocate(columnShape)) : null;
      rowFactors = factored ? allocate(rowShape) : null;
      columnFactors = factored ? allocate(columnShape) : null;
      long runs = Kernels.chunks(columns);
      long blocks = AdafactorKernels.sumUnits(rows, 1);
      rowSums = factored ? allocate(DType.F64, matrices * rows * runs) : null;
      columnSums = factored ? allocate(DType.F64, matrices * blocks * columns) : null;
      second = factored ? null : keep(label, "v", allocate(shape));
      moment = options.beta1().isPresent() ? keep(label, "m", allocate(shape)) : null;
      sums = allocate(DType.F64, Kernels.chunks(elements));
    }

    void step(double rate, double b) {
      if (elements == 0) {
        return;
      }
      Tensor gradient = parameter.gradient();
      if (second == null) {
        long units = matrices * AdafactorKernels.sumUnits(rows, columns);
        engine.run(
            new KernelCall(AdafactorKernels.SUMS)
                .arrays(gradient, rowSums, columnSums)
                .integers(rows, columns)
                .numbers(options.eps1())
                .units(units, elements));
        engine.run(
            new KernelCall(AdafactorKernels.FACTORS)
                .arrays(rowSums, columnSums, row, column, rowFactors, columnFactors)
                .integers(rows, columns)
                .numbers(b, 1.0 - b)
                .units(matrices, rowSums.elements() + columnSums.elements()));
      }
      long chunks = Kernels.chunks(elements);
      engine.run(
          new KernelCall(AdafactorKernels.SQUARES)
              .arrays(gradient, rowFactors, columnFactors, second, sums)
              .integers(elements, rows, columns)
              .numbers(options.eps1(), b, 1.0 - b)
              .units(chunks, elements));
      double rms = Math.sqrt(Norms.sum(Doubles.read(engine, sums)) / (double) elements);
      double excess = rms / options.clipThreshold();
      // Not Math.max: a NaN must come out, and does.
      double divisor = excess <= 1.0 ? 1.0 : excess;
      double beta1 = options.beta1().orElse(0);
      engine.run(
          new KernelCall(AdafactorKernels.APPLY)
              .arrays(gradient, rowFactors, columnFactors, second, parameter.value(), moment)
              .integers(elements, rows, columns)
              .numbers(
                  options.eps1(),
                  b,
                  1.0 - b,
                  rate / divisor,
                  1.0 - options.weightDecay() * rate,
                  beta1,
                  1.0 - beta1)
              .units(chunks, elements));
    }
  }

  /** A step over these parameters; states start at 0. */
  public Adafactor(Backend backend, AdafactorOptions options, List<Parameter> parameters) {
    super(backend, "adafactor", StateStorage.F32);
    this.options = Objects.requireNonNull(options, "options");
    check(parameters).done();
    for (Parameter parameter : parameters) {
      tensors.add(new One(label(tensors.size(), parameter), parameter));
    }
    rates = new double[tensors.size()];
    squares =
        open(
            parameters.stream()
                .map(parameter -> Batch.Item.of(Primitive.SQUARE_SUM, parameter.value()))
                .toList());
  }

  /** One step with the learning rate of the options. */
  public void step() {
    run(options.relativeStep() ? Double.NaN : options.lr().getAsDouble());
  }

  /**
   * One step with another learning rate.
   *
   * @throws IllegalArgumentException with relativeStep, which makes its own
   */
  public void step(double lr) {
    Range.nonNegative("lr", lr);
    if (options.relativeStep()) {
      throw new IllegalArgumentException(
          "lr is " + lr + ": expected none with relativeStep, which makes its own");
    }
    run(lr);
  }

  private void run(double lr) {
    enter();
    try {
      long t = steps() + 1;
      double rho = lr;
      if (options.relativeStep()) {
        double most = options.warmupInit() ? 1e-6 * (double) t : 1e-2;
        rho = Math.min(most, 1.0 / Math.sqrt((double) t));
      }
      double b = 1.0 - Transcendental.power((double) t, options.decayRate());
      if (options.scaleParameter() && !tensors.isEmpty()) {
        squares.run();
      }
      for (int i = 0; i < tensors.size(); i++) {
        rates[i] = rho * parameterScale(i);
      }
      for (int i = 0; i < tensors.size(); i++) {
        tensors.get(i).step(rates[i], b);
      }
      stepped();
    } finally {
      leave();
    }
  }

  /** max(eps2, rms(p)), or 1; a NaN among the parameters comes out. */
  private double parameterScale(int tensor) {
    long elements = tensors.get(tensor).elements;
    if (!options.scaleParameter() || elements == 0) {
      return 1.0;
    }
    double rms = Math.sqrt(squares.sum(tensor, 0) / (double) elements);
    return rms <= options.eps2() ? options.eps2() : rms;
  }

  /** The learning rate a that the last step took on a tensor; 0 before the first. */
  public double lr(int tensor) {
    return rates[tensor];
  }

  /**
   * A state of a tensor, a view that lives as long as this: {@code row}, of the parameter's shape
   * without its last axis, and {@code col}, without its last but one, of two or more axes; {@code
   * v} of others; {@code m} with beta1.
   */
  public Tensor state(int tensor, String name) {
    One one = tensors.get(tensor);
    Tensor state =
        switch (name) {
          case "row" -> one.row;
          case "col" -> one.column;
          case "v" -> one.second;
          case "m" -> one.moment;
          default -> null;
        };
    if (state == null) {
      throw new IllegalArgumentException(
          "state "
              + name
              + ": expected one of "
              + (one.second == null ? "row, col" : "v")
              + (one.moment == null ? "" : ", m"));
    }
    return open(state);
  }
}
