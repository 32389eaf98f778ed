package org.fettle.steps;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.fettle.Backend;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.algebra.Matrix;
import org.fettle.internal.algebra.Products;

/**
 * The inverse of a damped empirical Fisher matrix of m stored gradients, for pruning: products with
 * vectors, and its diagonal.
 *
 * <pre>
 * F = damping I + (1 / m) sum of g_i g_i', independently for blocks of consecutive parameters
 * F^-1 x = (x - G' (m damping I + G G')^-1 G x) / damping
 * </pre>
 *
 * <p>All in double, from float gradients, in pieces of the parameters; within 1e-6 whatever the
 * damping. The optimal brain surgeon's statistic is {@code p_q^2 / (2 [F^-1]_qq)}. Source:
 * arXiv:2107.03356; IST-DASLab/M-FAC, in its exact form.
 */
public final class MFacInverse extends StepObject {
  private static final int PIECE = 1 << 13;

  private final Products products;
  private final Tensor gradients;
  private final int count;
  private final long length;
  private final long block;
  private final double damping;
  private final List<Matrix> inverses = new ArrayList<>();

  /**
   * The inverse of these gradients' matrix.
   *
   * @param gradients m x parameters, F32; must stay as they are while this is used
   * @param damping positive
   * @param block parameters of a block; the last one may be shorter
   */
  public MFacInverse(Backend backend, Tensor gradients, double damping, long block) {
    super(backend);
    Range.positive("damping", damping);
    Range.check("block", block, block >= 1, ">= 1");
    checks().reads("gradients", gradients).done();
    Kernels.f32("gradients", gradients);
    if (gradients.rank() != 2 || gradients.shape()[0] < 1) {
      throw new IllegalArgumentException(
          "gradients is " + gradients + ": expected gradients x parameters");
    }
    products = Products.of(engine);
    this.gradients = gradients;
    this.damping = damping;
    this.block = block;
    count = Math.toIntExact(gradients.shape()[0]);
    length = gradients.shape()[1];
    for (long start = 0; start < length; start += block) {
      Matrix gram = Matrix.zeros(count, count);
      long end = Math.min(start + block, length);
      for (long at = start; at < end; at += PIECE) {
        Matrix g = piece(at, (int) Math.min(PIECE, end - at));
        gram.mix(1, 1, products.multiply(g, false, g, true));
      }
      Matrix inverse =
          products.algebra().solve(gram.addToDiagonal(count * damping), Matrix.diagonal(count, 1));
      if (inverse == null) {
        throw new IllegalArgumentException("gradients are not finite: expected finite ones");
      }
      inverses.add(inverse);
    }
  }

  private Matrix piece(long first, int n) {
    Matrix g = Matrix.zeros(count, n);
    for (int k = 0; k < count; k++) {
      double[] row = Matrix.read(engine, Shapes.part(gradients, k * length + first, n));
      System.arraycopy(row, 0, g.values(), k * n, n);
    }
    return g;
  }

  /** F^-1 x, of as many elements as there are parameters. */
  public void multiply(Tensor vector, Tensor output) {
    checks().reads("vector", vector).writesLike("output", output, vector).done();
    checkLength("vector", vector);
    enter();
    try {
      double[] x = Matrix.read(engine, vector);
      int number = 0;
      for (long start = 0; start < length; start += block, number++) {
        multiplyBlock(x, start, Math.min(start + block, length), inverses.get(number));
      }
      Matrix.write(engine, output, x);
    } finally {
      leave();
    }
  }

  private void multiplyBlock(double[] x, long start, long end, Matrix inverse) {
    Matrix gx = Matrix.zeros(count, 1);
    for (long at = start; at < end; at += PIECE) {
      int n = (int) Math.min(PIECE, end - at);
      gx.mix(1, 1, products.multiply(piece(at, n), cut(x, at, n)));
    }
    Matrix c = products.multiply(inverse, gx);
    for (long at = start; at < end; at += PIECE) {
      int n = (int) Math.min(PIECE, end - at);
      Matrix lifted = products.multiply(piece(at, n), true, c, false);
      for (int i = 0; i < n; i++) {
        int k = (int) at + i;
        x[k] = (x[k] - lifted.values()[i]) / damping;
      }
    }
  }

  private static Matrix cut(double[] x, long first, int n) {
    double[] part = new double[n];
    System.arraycopy(x, (int) first, part, 0, n);
    return new Matrix(n, 1, part);
  }

  /** The diagonal of F^-1, of as many elements as there are parameters. */
  public void diagonal(Tensor output) {
    checks().writes("output", output).done();
    checkLength("output", output);
    enter();
    try {
      double[] diagonal = new double[Math.toIntExact(length)];
      int number = 0;
      for (long start = 0; start < length; start += block, number++) {
        long end = Math.min(start + block, length);
        for (long at = start; at < end; at += PIECE) {
          int n = (int) Math.min(PIECE, end - at);
          Matrix g = piece(at, n);
          Matrix y = products.multiply(inverses.get(number), g);
          for (int i = 0; i < n; i++) {
            double sum = 0;
            for (int k = 0; k < count; k++) {
              sum += g.get(k, i) * y.get(k, i);
            }
            diagonal[(int) at + i] = (1 - sum) / damping;
          }
        }
      }
      Matrix.write(engine, output, diagonal);
    } finally {
      leave();
    }
  }

  private void checkLength(String name, Tensor tensor) {
    if (tensor.elements() != length) {
      throw new IllegalArgumentException(
          name + " is " + tensor + ": expected " + length + " elements");
    }
  }

  @Override
  Stream<Matrix> matrices() {
    return inverses.stream();
  }
}
