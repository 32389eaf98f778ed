package org.fettle;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Predicate;
import org.fettle.internal.Batch;
import org.fettle.internal.BatchRunner;
import org.fettle.internal.Engine;
import org.fettle.internal.Norms;
import org.fettle.internal.Primitive;

/**
 * The first half of a two-phase step: {@link #ascend} moves the parameters uphill, the caller forms
 * the gradient there, {@link #restore} brings the old parameters back bit for bit from a saved
 * copy, and an ordinary {@link Plan} steps with the new gradient. The copies are allocated once.
 *
 * <p>Used by one thread at a time; a second one meanwhile gets an {@link IllegalStateException}.
 */
public final class Perturbation implements AutoCloseable {
  private static final double AWP_EPS = 1e-20;

  private final Engine engine;
  private final Setup setup;
  private final List<Tensor> saved;
  private final BatchRunner sums;
  private final BatchRunner ascent;
  private final BatchRunner copies;
  private final AtomicBoolean inUse = new AtomicBoolean();
  private boolean perturbed;
  private boolean closed;
  private double norm = Double.NaN;

  /** What distinguishes the kinds. */
  private static final class Setup {
    final List<Batch.Item> sums = new ArrayList<>();
    final List<Batch.Item> ascents = new ArrayList<>();
    final List<Tensor> parameters = new ArrayList<>();
    double radius;
    double eta;
    double eps;
    // A proxy's direction has a length per tensor; a gradient's is global.
    boolean proxies;

    void add(Primitive sum, Primitive ascent, Tensor parameter, Tensor along) {
      sums.add(Batch.Item.of(sum, parameter, along));
      ascents.add(Batch.Item.of(ascent, parameter, along));
      parameters.add(parameter);
    }
  }

  private Perturbation(Backend backend, Setup setup) {
    engine = backend.engine();
    this.setup = setup;
    saved = new ArrayList<>();
    List<BatchRunner> opened = new ArrayList<>();
    boolean complete = false;
    try {
      List<Batch.Item> ascents = new ArrayList<>();
      List<Batch.Item> restores = new ArrayList<>();
      for (int i = 0; i < setup.parameters.size(); i++) {
        Tensor parameter = setup.parameters.get(i);
        Tensor copy = engine.allocate(parameter.dtype(), parameter.shape(), i);
        saved.add(copy);
        Batch.Item ascent = setup.ascents.get(i);
        ascents.add(
            Batch.Item.of(
                ascent.primitive(), parameter, ascent.arrays().get(1).tensor(), parameter, copy));
        restores.add(Batch.Item.of(Primitive.COPY, copy, parameter));
      }
      opened.add(engine.open(new Batch(setup.sums)));
      opened.add(engine.open(new Batch(ascents)));
      opened.add(engine.open(new Batch(restores)));
      complete = true;
    } finally {
      if (!complete) {
        opened.forEach(BatchRunner::close);
        saved.forEach(engine::release);
      }
    }
    sums = opened.get(0);
    ascent = opened.get(1);
    copies = opened.get(2);
  }

  /**
   * SAM: {@code p + g * rho / (|g| + 1e-12)}, adaptive {@code p + p * p * g * rho / (|p * g| +
   * 1e-12)}, with one norm over all tensors (arXiv:2010.01412).
   *
   * @param backend what carries it out
   * @param rho the radius; 0.05, adaptive 0.5 to 2
   * @param adaptive which form
   * @param parameters with their gradients; those without are left alone
   */
  public static Perturbation sam(
      Backend backend, double rho, boolean adaptive, List<Parameter> parameters) {
    return byGradient(backend, rho, 0, 1e-12, parameter -> adaptive, parameters);
  }

  /**
   * ASAM: {@code p + T * T * g * rho / (|T * g| + 1e-16)} with {@code T = |p| + eta} for adaptive
   * tensors and 1 for the others, and one norm over all tensors (arXiv:2102.11600).
   *
   * @param backend what carries it out
   * @param rho the radius; 0.5
   * @param eta keeps T from 0; 0.01
   * @param adaptive which parameters are; the authors take those whose name contains "weight"
   * @param parameters with their gradients; those without are left alone
   */
  public static Perturbation asam(
      Backend backend,
      double rho,
      double eta,
      Predicate<Parameter> adaptive,
      List<Parameter> parameters) {
    Range.nonNegative("eta", eta);
    return byGradient(backend, rho, eta, 1e-16, adaptive, parameters);
  }

  /**
   * AWP: per tensor of two or more axes {@code w + gamma * |w| / (|x - w| + 1e-20) * (x - w)}, x
   * being a proxy that has made an ascent step (arXiv:2004.05884). Other tensors are left alone.
   *
   * @param backend what carries it out
   * @param gamma the relative length; 5e-3 to 1e-2
   * @param weights the parameters
   * @param proxies one for each, of its shape
   */
  public static Perturbation awp(
      Backend backend, double gamma, List<Tensor> weights, List<Tensor> proxies) {
    Range.nonNegative("gamma", gamma);
    BatchChecks.sameSize("proxies", proxies.size(), "weights", weights.size());
    BatchChecks checks = new BatchChecks(backend);
    Setup setup = new Setup();
    setup.radius = gamma;
    setup.eps = AWP_EPS;
    setup.proxies = true;
    for (int i = 0; i < weights.size(); i++) {
      Tensor weight = weights.get(i);
      checks.writes(BatchChecks.name("weight", i), weight);
      checks.readsLike(BatchChecks.name("proxy", i), proxies.get(i), weight);
      if (weight.rank() >= 2) {
        setup.add(Primitive.PROXY_SUMS, Primitive.PROXY_ASCEND, weight, proxies.get(i));
      }
    }
    checks.done();
    return new Perturbation(backend, setup);
  }

  private static Perturbation byGradient(
      Backend backend,
      double rho,
      double eta,
      double eps,
      Predicate<Parameter> adaptive,
      List<Parameter> parameters) {
    Range.nonNegative("rho", rho);
    BatchChecks checks = new BatchChecks(backend);
    Setup setup = new Setup();
    setup.radius = rho;
    setup.eta = eta;
    setup.eps = eps;
    for (int i = 0; i < parameters.size(); i++) {
      Parameter parameter = parameters.get(i);
      String name = BatchChecks.name("tensor", i);
      if (parameter.name() != null) {
        name += " (" + parameter.name() + ")";
      }
      checks.writes(name, parameter.value());
      if (parameter.gradient() == null) {
        continue;
      }
      checks.readsLike(name + ".gradient", parameter.gradient(), parameter.value());
      if (adaptive.test(parameter)) {
        setup.add(
            Primitive.WEIGHTED_SQUARE_SUM,
            Primitive.WEIGHTED_ASCEND,
            parameter.value(),
            parameter.gradient());
      } else {
        setup.sums.add(Batch.Item.of(Primitive.SQUARE_SUM, parameter.gradient()));
        setup.ascents.add(Batch.Item.of(Primitive.ASCEND, parameter.value(), parameter.gradient()));
        setup.parameters.add(parameter.value());
      }
    }
    checks.done();
    return new Perturbation(backend, setup);
  }

  /**
   * The direction D along which AWP moves a weight: {@code |w| / (|x - w| + 1e-20) * (x - w)}; 0
   * for a tensor of fewer than two axes, which AWP leaves alone.
   *
   * @param backend what carries it out
   * @param weight the parameter w
   * @param proxy the proxy x
   * @param output receives D
   */
  public static void awpDirection(Backend backend, Tensor weight, Tensor proxy, Tensor output) {
    BatchChecks checks = new BatchChecks(backend).reads("weight", weight);
    checks.readsLike("proxy", proxy, weight).writesLike("output", output, weight).done();
    List<Batch.Item> items =
        List.of(Batch.Item.of(Primitive.PROXY_DIRECTION, weight, proxy, output));
    try (BatchRunner sums =
            backend
                .engine()
                .open(new Batch(List.of(Batch.Item.of(Primitive.PROXY_SUMS, weight, proxy))));
        BatchRunner direction = backend.engine().open(new Batch(items))) {
      sums.run();
      direction.factor(0, 0, weight.rank() < 2 ? 0.0 : proxyFactor(sums, 0));
      direction.run();
    }
  }

  /**
   * Saves the parameters and moves them uphill.
   *
   * @return the norm over all tensors that the radius was divided by; NaN for AWP, which has one
   *     per tensor
   * @throws IllegalStateException if the parameters are perturbed already, or this is closed or in
   *     use
   */
  public double ascend() {
    enter();
    try {
      if (perturbed) {
        throw new IllegalStateException("the parameters are perturbed: expected restore() first");
      }
      formFactors();
      ascent.run();
      perturbed = true;
      return norm;
    } finally {
      inUse.set(false);
    }
  }

  /**
   * Brings the saved parameters back, bit for bit.
   *
   * @throws IllegalStateException if the parameters are not perturbed, or this is closed or in use
   */
  public void restore() {
    enter();
    try {
      if (!perturbed) {
        throw new IllegalStateException(
            "the parameters are not perturbed: expected ascend() first");
      }
      copies.run();
      perturbed = false;
    } finally {
      inUse.set(false);
    }
  }

  /** Whether {@link #restore} is due. */
  public boolean isPerturbed() {
    return perturbed;
  }

  /** Bytes of the saved copies. */
  public long savedBytes() {
    return saved.stream().mapToLong(Tensor::bytes).sum();
  }

  /** Frees the copies. Parameters that are still perturbed are restored first. */
  @Override
  public void close() {
    if (closed) {
      return;
    }
    if (perturbed) {
      restore();
    }
    enter();
    closed = true;
    sums.close();
    ascent.close();
    copies.close();
    saved.forEach(engine::release);
    inUse.set(false);
  }

  private void formFactors() {
    int count = setup.parameters.size();
    if (setup.proxies) {
      sums.run();
      for (int i = 0; i < count; i++) {
        ascent.factor(i, 0, setup.radius * proxyFactor(sums, i));
      }
      return;
    }
    for (int i = 0; i < count; i++) {
      sums.factor(i, 0, setup.eta);
    }
    sums.run();
    double[] squares = new double[count];
    for (int i = 0; i < count; i++) {
      squares[i] = sums.sum(i, 0);
    }
    norm = Math.sqrt(Norms.sum(squares));
    // Where all is 0 the factor would be huge, and an infinite one would make NaN of it.
    double factor = norm == 0.0 ? 0.0 : setup.radius / (norm + setup.eps);
    for (int i = 0; i < count; i++) {
      boolean weighted = setup.ascents.get(i).primitive() == Primitive.WEIGHTED_ASCEND;
      ascent.factor(i, 0, weighted ? setup.eta : factor);
      ascent.factor(i, 1, factor);
    }
  }

  private static double proxyFactor(BatchRunner sums, int item) {
    double square = sums.sum(item, 1);
    return square == 0.0 ? 0.0 : Math.sqrt(sums.sum(item, 0)) / (Math.sqrt(square) + AWP_EPS);
  }

  private void enter() {
    if (!inUse.compareAndSet(false, true)) {
      throw new IllegalStateException("the perturbation is in use by another thread");
    }
    if (closed) {
      inUse.set(false);
      throw new IllegalStateException("the perturbation is closed");
    }
  }
}
