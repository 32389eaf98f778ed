package org.fettle.steps;

import java.util.List;
import org.fettle.Tensor;
import org.fettle.internal.Batch;
import org.fettle.internal.BatchRunner;
import org.fettle.internal.Primitive;
import org.fettle.internal.algebra.Matrix;
import org.fettle.internal.algebra.Products;

/** The iteration of {@link NewtonSchulz} over two buffers that a step owns. */
final class NewtonSchulzIteration {
  private final StepObject step;
  private final NewtonSchulz.Options options;
  private final Products products;
  private final int rows;
  private final int columns;
  private final int small;
  private final Tensor[] matrix;
  private final Tensor square;
  private final Tensor polynomial;
  private final Tensor identity;
  private final BatchRunner mix;

  NewtonSchulzIteration(
      StepObject step, Products products, NewtonSchulz.Options options, int rows, int columns) {
    this.step = step;
    this.products = products;
    this.options = options;
    this.rows = rows;
    this.columns = columns;
    small = Math.min(rows, columns);
    matrix = new Tensor[] {step.allocate(rows, columns), step.allocate(rows, columns)};
    square = step.allocate(small, small);
    polynomial = step.allocate(small, small);
    identity = step.allocate(small, small);
    Matrix.diagonal(small, 1).writeTo(step.engine, identity);
    mix = step.open(List.of(Batch.Item.of(Primitive.LINEAR, identity, square, polynomial)));
  }

  /** What {@link #run} starts from. */
  Tensor input() {
    return matrix[0];
  }

  /** Where {@link #run} leaves the result. */
  Tensor output() {
    return matrix[options.iterations() % 2];
  }

  void run() {
    if (small == 0) {
      return;
    }
    boolean wide = rows <= columns;
    int large = Math.max(rows, columns);
    for (int k = 0; k < options.iterations(); k++) {
      Tensor from = matrix[k % 2];
      Tensor to = matrix[1 - k % 2];
      products.multiply(!wide, wide, small, small, large, 1f, from, from, 0f, square);
      // a I + b A + c A A, so that one product more is all that is left.
      StepObject.factors(mix, 1, options.a(), options.b());
      mix.run();
      products.multiply(
          false, false, small, small, small, (float) options.c(), square, square, 1f, polynomial);
      if (wide) {
        products.multiply(false, false, rows, columns, rows, 1f, polynomial, from, 0f, to);
      } else {
        products.multiply(false, false, rows, columns, columns, 1f, from, polynomial, 0f, to);
      }
    }
  }

  @Override
  public String toString() {
    return rows + " x " + columns + " on " + step.backend();
  }
}
