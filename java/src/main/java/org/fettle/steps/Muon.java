package org.fettle.steps;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.fettle.Backend;
import org.fettle.Parameter;
import org.fettle.Range;
import org.fettle.StateStorage;
import org.fettle.Tensor;
import org.fettle.internal.Batch;
import org.fettle.internal.BatchRunner;
import org.fettle.internal.CallChecks;
import org.fettle.internal.Operand;
import org.fettle.internal.Primitive;
import org.fettle.internal.algebra.Products;

/**
 * Muon: momentum whose direction is orthogonalised by {@link NewtonSchulz}. For hidden matrices;
 * other tensors need another rule.
 *
 * <pre>
 * B = ema(B, g, momentum) ;  U = (1 - momentum) * g + momentum * B, or B without nesterov
 * X = Newton-Schulz of U ;  X = X * sqrt(max(1, rows / columns))
 * p = p * (1 - lr * wd) - lr * X
 * </pre>
 *
 * <p>The momentum is a moving average, unlike SGD's. A kernel of four axes is flattened to a matrix
 * for the products, but rows / columns are its last two axes, as in the published code. Momentum
 * and update have the same bits on every backend for a given X; the products are float32, within
 * 2e-4 (the published chain is bfloat16). Source: KellerJordan/Muon.
 */
public final class Muon extends SavedStep {
  private final MuonOptions options;
  private final List<One> tensors = new ArrayList<>();

  /** What belongs to one tensor. */
  private final class One {
    final Operand momentum;
    final NewtonSchulzIteration iteration;
    final BatchRunner first;
    final BatchRunner scaling;
    final BatchRunner last;
    final double shapeFactor;

    One(String label, Products products, Parameter parameter, MatrixShape shape) {
      long[] extents = parameter.value().shape();
      Operand p = value(label, parameter.value());
      momentum = state(label, "momentum", Content.SIGNED, extents);
      iteration =
          new NewtonSchulzIteration(
              Muon.this, products, options.newtonSchulz(), shape.rows(), shape.columns());
      Tensor input = Shapes.view(iteration.input(), extents);
      Tensor output = Shapes.view(iteration.output(), extents);
      first =
          open(
              List.of(
                  Batch.Item.of(
                      Primitive.MUON_MOMENTUM,
                      momentum,
                      Operand.of(parameter.gradient()),
                      momentum,
                      Operand.of(input))));
      scaling = open(List.of(Batch.Item.of(Primitive.SCALE, input, input)));
      last = open(List.of(Batch.Item.of(Primitive.LINEAR, p, Operand.of(output), p)));
      double rows = extents[extents.length - 2];
      double columns = extents[extents.length - 1];
      shapeFactor = columns == 0 ? 1 : Math.sqrt(Math.max(1.0, rows / columns));
    }

    void step(double lr) {
      double mu = options.momentum();
      factors(first, 1, mu, 1.0 - mu, options.nesterov() ? 1 : 0);
      first.run();
      double norm = Math.sqrt(first.sum(0, 0));
      factors(scaling, 1, 1.0 / (norm + options.newtonSchulz().eps()));
      scaling.run();
      iteration.run();
      factors(last, 1, 1.0 - lr * options.weightDecay(), -lr * shapeFactor);
      last.run();
    }
  }

  /** A step over these matrices with momenta in F32, which start at 0. */
  public Muon(Backend backend, MuonOptions options, List<Parameter> parameters) {
    this(backend, options, StateStorage.F32, parameters);
  }

  /**
   * A step over these matrices; momenta start at 0.
   *
   * @param storage of the momenta
   */
  public Muon(
      Backend backend, MuonOptions options, StateStorage storage, List<Parameter> parameters) {
    super(backend, "muon", storage);
    this.options = Objects.requireNonNull(options, "options");
    CallChecks checks = checkStored(parameters);
    List<MatrixShape> shapes = new ArrayList<>();
    for (int i = 0; i < parameters.size(); i++) {
      shapes.add(MatrixShape.of("tensor " + i, parameters.get(i).value()));
    }
    checks.done();
    Products products = Products.of(engine);
    for (int i = 0; i < parameters.size(); i++) {
      tensors.add(new One(label(i, parameters.get(i)), products, parameters.get(i), shapes.get(i)));
    }
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
      for (One tensor : tensors) {
        tensor.step(lr);
      }
      stepped();
    } finally {
      leave();
    }
  }

  /** The momentum of a tensor: a view that lives as long as this. */
  public Tensor momentum(int tensor) {
    return open(tensors.get(tensor).momentum.tensor());
  }

  /** The last orthogonalised direction of a tensor, before the factor for its shape. */
  public Tensor direction(int tensor) {
    return open(tensors.get(tensor).iteration.output());
  }

  /** What the direction of a tensor is multiplied by for its shape. */
  public double shapeFactor(int tensor) {
    return tensors.get(tensor).shapeFactor;
  }
}
