package org.fettle.steps;

import java.util.List;
import java.util.Objects;
import org.fettle.Backend;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.Access;
import org.fettle.internal.Batch;
import org.fettle.internal.BatchRunner;
import org.fettle.internal.Primitive;
import org.fettle.internal.algebra.Products;

/**
 * The Newton-Schulz iteration that draws the singular values of a matrix towards 1.
 *
 * <pre>
 * X = G / (|G|_F + eps) ;  repeated: A = X X' ;  X = a * X + (b * A + c * A * A) * X
 * </pre>
 *
 * <p>With more rows than columns A is X' X and stands on the right, which is the same. In float32,
 * by the backend's BLAS: within 2e-4 of the largest entry of a double evaluation. The iteration
 * does not converge to 1 but scatters singular values over about 0.68 to 1.14. The slope at 0 is a
 * per iteration: of a matrix without full rank five iterations multiply the rounding noise by about
 * 485, ten by 2e5; the part within its row and column space stays good. A zero matrix stays zero.
 * Source: KellerJordan/Muon.
 */
public final class NewtonSchulz extends StepObject {
  private final Options options;
  private final int rows;
  private final int columns;
  private final NewtonSchulzIteration iteration;
  private final Tensor matrix;
  private final BatchRunner norm;
  private final BatchRunner scaling;
  private final BatchRunner result;

  /**
   * The hyperparameters.
   *
   * @param a coefficient of X; default 3.4445
   * @param b coefficient of A X; default -4.7750
   * @param c coefficient of A A X; default 2.0315
   * @param eps added to the norm, finite and at least 0; default 1e-7
   * @param iterations at least 0; default 5
   */
  public record Options(double a, double b, double c, double eps, int iterations) {
    /** Checks the hyperparameters. */
    public Options {
      Range.finite("a", a);
      Range.finite("b", b);
      Range.finite("c", c);
      Range.nonNegative("eps", eps);
      Range.check("iterations", iterations, iterations >= 0, ">= 0");
    }

    /** The defaults. */
    public Options() {
      this(3.4445, -4.7750, 2.0315, 1e-7, 5);
    }
  }

  /**
   * The iteration for one matrix.
   *
   * @param input a matrix, or a kernel whose axes behind the first are taken together; not changed
   * @param output of the input's shape, receives the result; may be the input
   */
  public NewtonSchulz(Backend backend, Options options, Tensor input, Tensor output) {
    super(backend);
    this.options = Objects.requireNonNull(options, "options");
    if (input == output) {
      Access.checks(backend).writes("output", output).done();
    } else {
      Access.checks(backend).reads("input", input).writesLike("output", output, input).done();
    }
    MatrixShape shape = MatrixShape.of("input", input);
    rows = shape.rows();
    columns = shape.columns();
    iteration = new NewtonSchulzIteration(this, Products.of(engine), options, rows, columns);
    matrix = iteration.input();
    norm = open(List.of(Batch.Item.of(Primitive.SQUARE_SUM, input)));
    scaling = open(List.of(Batch.Item.of(Primitive.SCALE, input, flat(matrix, input))));
    result = open(List.of(Batch.Item.of(Primitive.SCALE, flat(iteration.output(), input), output)));
  }

  /** The same memory under the other tensor's shape. */
  static Tensor flat(Tensor memory, Tensor like) {
    return Shapes.view(memory, like.shape());
  }

  /** Reads the input as it is now and writes the output. */
  public void run() {
    enter();
    try {
      norm.run();
      factors(scaling, 1, 1.0 / (Math.sqrt(norm.sum(0, 0)) + options.eps()));
      scaling.run();
      iteration.run();
      factors(result, 1, 1);
      result.run();
    } finally {
      leave();
    }
  }
}
