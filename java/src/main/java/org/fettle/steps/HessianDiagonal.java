package org.fettle.steps;

import java.util.List;
import org.fettle.Backend;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.Access;
import org.fettle.internal.Batch;
import org.fettle.internal.BatchRunner;
import org.fettle.internal.Primitive;

/**
 * The averaging of {@link org.fettle.rules.AdaHessian}'s diagonal: every block of H z, z a vector
 * of signs, becomes the mean of its magnitudes.
 */
public final class HessianDiagonal {
  private HessianDiagonal() {}

  /**
   * The block of a tensor in AdaHessian for images: the window of a convolution with the axes
   * output, input, row, column; a single element for fewer axes.
   *
   * @throws IllegalArgumentException for three axes, where the choice is the caller's, and for more
   *     than four
   */
  public static long window(Tensor tensor) {
    long[] shape = tensor.shape();
    if (shape.length == 3 || shape.length > 4) {
      throw new IllegalArgumentException(
          tensor + " has " + shape.length + " axes: expected 0, 1, 2 or 4, or a block of your own");
    }
    return shape.length == 4 ? Math.max(1, shape[2] * shape[3]) : 1;
  }

  /**
   * The block of a tensor in AdaHessian with blocks: {@code blockSize} for a matrix, a single
   * element for other tensors.
   */
  public static long block(Tensor tensor, long blockSize) {
    Range.check("blockSize", blockSize, blockSize >= 1, ">= 1");
    return tensor.rank() == 2 ? blockSize : 1;
  }

  /**
   * Averages over consecutive blocks.
   *
   * @param product H z; may be the output itself
   * @param block elements of a block; must divide the number of elements
   * @param output receives the diagonal: the state {@code diag} of a plan
   */
  public static void average(Backend backend, Tensor product, long block, Tensor output) {
    Range.check("block", block, block >= 1, ">= 1");
    if (product != output) {
      Access.checks(backend).reads("product", product).writesLike("output", output, product).done();
    } else {
      Access.checks(backend).writes("output", output).done();
    }
    if (product.elements() % block != 0) {
      throw new IllegalArgumentException(
          "block is " + block + ": expected a divisor of " + product.elements() + " elements");
    }
    Batch.Item item =
        Batch.Item.of(Primitive.ABSOLUTE_MEAN, List.of(product, output), block, 0, null);
    try (BatchRunner runner = Access.engine(backend).open(new Batch(List.of(item)))) {
      runner.factor(0, 0, (double) block);
      runner.run();
    }
  }
}
