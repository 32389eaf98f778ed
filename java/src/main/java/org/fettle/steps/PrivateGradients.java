package org.fettle.steps;

import java.util.ArrayList;
import java.util.List;
import org.fettle.Backend;
import org.fettle.Tensor;
import org.fettle.internal.Batch;
import org.fettle.internal.BatchRunner;
import org.fettle.internal.CallChecks;
import org.fettle.internal.Norms;
import org.fettle.internal.Primitive;

/** What {@link DpSgd} and {@link Diff2} share: clipped sums over examples, with noise. */
abstract class PrivateGradients extends StepObject {
  final List<Tensor> parameters;
  final List<Tensor> estimates = new ArrayList<>();
  private final BatchRunner moves;

  PrivateGradients(Backend backend, List<Tensor> parameters) {
    super(backend);
    this.parameters = List.copyOf(parameters);
    CallChecks checks = checks();
    for (int i = 0; i < parameters.size(); i++) {
      checks.writes("parameter " + i, parameters.get(i));
    }
    checks.done();
    List<Batch.Item> items = new ArrayList<>();
    for (Tensor parameter : parameters) {
      Tensor estimate = allocate(parameter.shape());
      estimates.add(estimate);
      items.add(Batch.Item.of(Primitive.ADD_SCALED, parameter, estimate, parameter));
    }
    moves = open(items);
  }

  /** Refuses lists that do not fit; answers the number of examples. */
  final int check(CallChecks checks, String name, List<Tensor> gradients) {
    sameSize(name, gradients);
    if (gradients.isEmpty()) {
      return 0;
    }
    long batch = gradients.get(0).rank() == 0 ? 0 : gradients.get(0).shape()[0];
    for (int i = 0; i < gradients.size(); i++) {
      Tensor gradient = gradients.get(i);
      checks.reads(name + " " + i, gradient);
      Kernels.f32(name + " " + i, gradient);
      if (batch < 1 || !DiLoCo.hasRows(gradient, batch, parameters.get(i).shape())) {
        throw new IllegalArgumentException(
            name + " " + i + " is " + gradient + ": expected examples of " + parameters.get(i));
      }
    }
    return Math.toIntExact(batch);
  }

  final void checkNoise(CallChecks checks, List<Tensor> noise) {
    sameSize("noise", noise);
    for (int i = 0; i < noise.size(); i++) {
      checks.readsLike("noise " + i, noise.get(i), parameters.get(i));
      Kernels.f32("noise " + i, noise.get(i));
    }
  }

  private void sameSize(String name, List<Tensor> tensors) {
    if (tensors.size() != parameters.size()) {
      throw new IllegalArgumentException(
          tensors.size() + " " + name + "s: expected " + parameters.size());
    }
  }

  /**
   * The factors that limit every example's norm, over all tensors, to the radius.
   *
   * @param others subtracted from the gradients; null for none
   * @throws IllegalArgumentException for an example that is not finite
   */
  final double[] factors(int batch, List<Tensor> gradients, List<Tensor> others, double radius) {
    List<Batch.Item> items = new ArrayList<>();
    for (int k = 0; k < batch; k++) {
      for (int i = 0; i < gradients.size(); i++) {
        Tensor g = Shapes.row(gradients.get(i), k);
        if (others == null) {
          items.add(Batch.Item.of(Primitive.SQUARE_SUM, g));
        } else {
          items.add(Batch.Item.of(Primitive.DIFFERENCE_SUMS, g, Shapes.row(others.get(i), k), g));
        }
      }
    }
    double[] factors = new double[batch];
    try (BatchRunner runner = engine.open(new Batch(items))) {
      runner.run();
      for (int k = 0; k < batch; k++) {
        double[] squares = new double[gradients.size()];
        for (int i = 0; i < squares.length; i++) {
          squares[i] = runner.sum(k * squares.length + i, others == null ? 0 : 1);
        }
        double norm = Math.sqrt(Norms.sum(squares));
        if (!Double.isFinite(norm)) {
          throw new IllegalArgumentException(
              "gradient of example " + k + " has norm " + norm + ": expected a finite one");
        }
        factors[k] = norm > radius ? radius / norm : 1;
      }
    }
    return factors;
  }

  final void move(double lr) {
    factors(moves, parameters.size(), -lr);
    moves.run();
  }

  /** The private estimate of a tensor's gradient: a view that lives as long as this. */
  public Tensor estimate(int tensor) {
    return open(estimates.get(tensor));
  }
}
