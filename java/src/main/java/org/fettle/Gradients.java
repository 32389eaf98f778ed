package org.fettle;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.fettle.internal.Batch;
import org.fettle.internal.BatchRunner;
import org.fettle.internal.Engine;
import org.fettle.internal.Norms;
import org.fettle.internal.Primitive;

/**
 * Transforms of gradients outside a step, for loops that need them there; a {@link Plan} has
 * unscaling and clipping fused in. In place, unless a method has an output. Tensors are F32, BF16
 * or F16; empty ones are legal.
 */
public final class Gradients {
  private static final double EPS = 1e-30;

  private final Backend backend;
  private final NonFinite policy;

  private Gradients(Backend backend, NonFinite policy) {
    this.backend = Objects.requireNonNull(backend, "backend");
    this.policy = Objects.requireNonNull(policy, "policy");
  }

  /** Which norm is limited. */
  public enum Norm {
    /** The sum of magnitudes. */
    ONE(Primitive.ABSOLUTE_SUM),
    /** The Euclidean norm. */
    TWO(Primitive.SQUARE_SUM),
    /** The largest magnitude. */
    INFINITY(Primitive.ABSOLUTE_MAX);

    private final Primitive primitive;

    Norm(Primitive primitive) {
      this.primitive = primitive;
    }

    /** The norm that a sum stands for. */
    private double of(double sum) {
      return this == TWO ? Math.sqrt(sum) : sum;
    }
  }

  /** How {@link #clipByPixel} limits a pixel; M is its largest magnitude over the channels. */
  public enum PixelClip {
    /** {@code g * min(1, limit / M)}. */
    HARD,
    /** {@code g * limit / (M + limit)}. */
    SOFT
  }

  /** Transforms on that backend. */
  public static Gradients on(Backend backend) {
    return new Gradients(backend, NonFinite.PASS);
  }

  /** Transforms on the best backend. */
  public static Gradients best() {
    return on(Backend.best());
  }

  /**
   * What clipping by norm does where the norm is infinite or NaN: {@link NonFinite#PASS} (the
   * default) computes with it, as PyTorch does; {@link NonFinite#SKIP} leaves the gradients alone;
   * {@link NonFinite#RAISE} throws besides.
   */
  public Gradients nonFinite(NonFinite newPolicy) {
    return new Gradients(backend, newPolicy);
  }

  /**
   * Divides by the scale of the loss: every gradient is multiplied by 1 / scale, rounded to float.
   *
   * @return whether any gradient was infinite or NaN, or became so: then skip the step
   */
  public boolean unscale(double scale, List<Tensor> gradients) {
    Range.positive("scale", scale);
    checkInPlace(gradients);
    double[] sums = runInPlace(Primitive.UNSCALE, gradients, 1.0 / scale);
    boolean found = false;
    for (double sum : sums) {
      found |= sum != 0.0;
    }
    return found;
  }

  /** Limits every value to [-limit, limit]; NaN stays NaN. */
  public void clipByValue(double limit, List<Tensor> gradients) {
    Range.check("limit", limit, limit > 0, "> 0");
    checkInPlace(gradients);
    runInPlace(Primitive.CLIP_VALUE, gradients, limit);
  }

  /**
   * Limits the norm over all tensors: multiplies by {@code min(1, maxNorm / (norm + 1e-6))}.
   * Gradients that need no limiting keep their bits and are not written.
   *
   * @return the norm before clipping
   * @throws NonFiniteGradientException where the policy is RAISE and the norm is not finite;
   *     nothing was written
   */
  public double clipByGlobalNorm(double maxNorm, Norm kind, List<Tensor> gradients) {
    Range.positive("maxNorm", maxNorm);
    double norm = norm(kind, gradients);
    if (stops(norm)) {
      return norm;
    }
    double factor = Norms.clipFactor(norm, maxNorm);
    if ((float) factor != 1f) {
      runInPlace(Primitive.SCALE, gradients, factor);
    }
    return norm;
  }

  /**
   * As {@link #clipByGlobalNorm}, with every tensor by itself. SKIP and RAISE hold for all of them.
   *
   * @return the norms before clipping
   */
  public double[] clipByTensorNorm(double maxNorm, Norm kind, List<Tensor> gradients) {
    Range.positive("maxNorm", maxNorm);
    double[] norms = norms(kind, gradients);
    List<Batch.Item> items = new ArrayList<>();
    List<Double> factors = new ArrayList<>();
    for (int i = 0; i < norms.length; i++) {
      if (stops(norms[i])) {
        return norms;
      }
      double factor = Norms.clipFactor(norms[i], maxNorm);
      if ((float) factor != 1f) {
        items.add(Batch.Item.of(Primitive.SCALE, gradients.get(i), gradients.get(i)));
        factors.add(factor);
      }
    }
    try (BatchRunner runner = engine().open(new Batch(items))) {
      for (int i = 0; i < factors.size(); i++) {
        runner.factor(i, 0, factors.get(i));
      }
      runner.run();
    }
    return norms;
  }

  /** The norm over all tensors. */
  public double norm(Norm kind, List<Tensor> gradients) {
    checkInPlace(gradients);
    double[] sums = sums(kind, gradients);
    return kind == Norm.INFINITY ? Norms.largest(sums) : kind.of(Norms.sum(sums));
  }

  /** The norm of every tensor. */
  public double[] norms(Norm kind, List<Tensor> gradients) {
    checkInPlace(gradients);
    double[] norms = sums(kind, gradients);
    for (int i = 0; i < norms.length; i++) {
      norms[i] = kind.of(norms[i]);
    }
    return norms;
  }

  /**
   * Limits the pixels of images by their largest channel.
   *
   * @param limit of a pixel's largest magnitude
   * @param kind how
   * @param images with the axes batch, channel, row, column
   */
  public void clipByPixel(double limit, PixelClip kind, List<Tensor> images) {
    Range.positive("limit", limit);
    Objects.requireNonNull(kind, "kind");
    Primitive primitive =
        kind == PixelClip.HARD ? Primitive.CLIP_PIXEL_HARD : Primitive.CLIP_PIXEL_SOFT;
    checkInPlace(images);
    List<Batch.Item> items = new ArrayList<>();
    for (int i = 0; i < images.size(); i++) {
      Tensor image = images.get(i);
      if (image.rank() != 4) {
        throw new IllegalArgumentException(
            BatchChecks.name("gradient", i)
                + " is "
                + image
                + ": expected four axes: batch, channel, row, column");
      }
      long[] shape = image.shape();
      long pixels = image.elements() == 0 ? 0 : shape[2] * shape[3];
      items.add(Batch.Item.of(primitive, List.of(image, image), shape[1], pixels, null));
    }
    BatchChecks.run(backend, items, limit);
  }

  /**
   * perpGrad: per tensor, takes off the part of the gradient along the parameter and gives the rest
   * the gradient's norm.
   *
   * <pre>
   * a = (p.g) / (p.p + 1e-30) ;  o = g - a * p ;  out = o * |g| / (|o| + 1e-30)
   * </pre>
   *
   * <p>The result has the norm of g whatever is left of it: where g is nearly parallel to p it is
   * rounding noise of full size. A tensor of one element is always parallel and is left as it is.
   *
   * @param parameters the parameters
   * @param gradients their gradients
   * @param outputs where the results go; may be the gradients themselves
   */
  public void perpendicular(List<Tensor> parameters, List<Tensor> gradients, List<Tensor> outputs) {
    BatchChecks.sameSize("gradients", gradients.size(), "parameters", parameters.size());
    BatchChecks.sameSize("outputs", outputs.size(), "parameters", parameters.size());
    BatchChecks checks = new BatchChecks(backend);
    List<Batch.Item> sums = new ArrayList<>();
    List<Batch.Item> residualSums = new ArrayList<>();
    List<Batch.Item> residuals = new ArrayList<>();
    for (int i = 0; i < parameters.size(); i++) {
      Tensor p = parameters.get(i);
      Tensor g = gradients.get(i);
      Tensor out = outputs.get(i);
      checks.reads(BatchChecks.name("parameter", i), p);
      PlanChecks.like(BatchChecks.name("gradient", i), g, p);
      checks.maps(BatchChecks.name("gradient", i), g, BatchChecks.name("output", i), out);
      sums.add(Batch.Item.of(Primitive.PROJECTION_SUMS, p, g));
      residualSums.add(Batch.Item.of(Primitive.RESIDUAL_SUM, p, g));
      residuals.add(
          p.elements() == 1
              ? Batch.Item.of(Primitive.SCALE, g, out)
              : Batch.Item.of(Primitive.RESIDUAL, p, g, out));
    }
    checks.done();
    try (BatchRunner first = engine().open(new Batch(sums));
        BatchRunner second = engine().open(new Batch(residualSums));
        BatchRunner third = engine().open(new Batch(residuals))) {
      first.run();
      for (int i = 0; i < sums.size(); i++) {
        double along = first.sum(i, 0) / (first.sum(i, 1) + EPS);
        second.factor(i, 0, -along);
        third.factor(i, 0, parameters.get(i).elements() == 1 ? 1.0 : -along);
      }
      second.run();
      for (int i = 0; i < sums.size(); i++) {
        double left = second.sum(i, 0);
        double norm = Math.sqrt(first.sum(i, 2));
        third.factor(i, 1, left == 0.0 ? 0.0 : norm / (Math.sqrt(left) + EPS));
      }
      third.run();
    }
  }

  private double[] sums(Norm kind, List<Tensor> gradients) {
    List<Batch.Item> items = new ArrayList<>();
    for (Tensor gradient : gradients) {
      items.add(Batch.Item.of(kind.primitive, gradient));
    }
    return BatchChecks.run(backend, items);
  }

  private double[] runInPlace(Primitive primitive, List<Tensor> gradients, double factor) {
    List<Batch.Item> items = new ArrayList<>();
    for (Tensor gradient : gradients) {
      items.add(Batch.Item.of(primitive, gradient, gradient));
    }
    return BatchChecks.run(backend, items, factor);
  }

  private void checkInPlace(List<Tensor> gradients) {
    BatchChecks checks = new BatchChecks(backend);
    for (int i = 0; i < gradients.size(); i++) {
      checks.writes(BatchChecks.name("gradient", i), gradients.get(i));
    }
    checks.done();
  }

  private boolean stops(double norm) {
    if (policy == NonFinite.PASS || Double.isFinite(norm)) {
      return false;
    }
    if (policy == NonFinite.RAISE) {
      throw new NonFiniteGradientException(
          "the gradients' norm is " + norm + "; the gradients are unchanged");
    }
    return true;
  }

  private Engine engine() {
    return backend.engine();
  }
}
