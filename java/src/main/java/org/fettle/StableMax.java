package org.fettle;

import java.util.List;
import org.fettle.internal.Batch;
import org.fettle.internal.Primitive;

/**
 * StableMax: softmax with {@code s(x) = x + 1} for {@code x >= 0} and {@code 1 / (1 - x)} below in
 * place of the exponential, so that nothing overflows and probabilities do not vanish
 * (arXiv:2501.04697).
 *
 * <p>Logits are F32, BF16 or F16; a row is what the last axis runs over.
 */
public final class StableMax {
  private StableMax() {}

  /** {@code s(x) / sum of s} per row; the output may be the logits themselves. */
  public static void probabilities(Backend backend, Tensor logits, Tensor output) {
    map(backend, Primitive.STABLEMAX, logits, output);
  }

  /** {@code ln s(x) - ln(sum of s)} per row; the output may be the logits themselves. */
  public static void logProbabilities(Backend backend, Tensor logits, Tensor output) {
    map(backend, Primitive.LOG_STABLEMAX, logits, output);
  }

  /**
   * The cross-entropy with the labels.
   *
   * @param backend what carries it out
   * @param logits at least one axis
   * @param labels the right class of every row
   * @return the mean over the rows of the negative log-probability at the label; NaN without rows
   */
  public static double crossEntropy(Backend backend, Tensor logits, long[] labels) {
    new BatchChecks(backend).reads("logits", logits).done();
    return loss(backend, Primitive.STABLEMAX_LOSS, List.of(logits), labels);
  }

  /**
   * The cross-entropy and its gradient in one go.
   *
   * @param backend what carries it out
   * @param logits at least one axis
   * @param labels the right class of every row
   * @param gradient receives the gradient with respect to the logits; may be the logits themselves
   * @return as {@link #crossEntropy(Backend, Tensor, long[])}
   */
  public static double crossEntropy(
      Backend backend, Tensor logits, long[] labels, Tensor gradient) {
    new BatchChecks(backend).maps("logits", logits, "gradient", gradient).done();
    return loss(backend, Primitive.STABLEMAX_LOSS_GRADIENT, List.of(logits, gradient), labels);
  }

  private static void map(Backend backend, Primitive primitive, Tensor logits, Tensor output) {
    new BatchChecks(backend).maps("logits", logits, "output", output).done();
    long row = row(logits);
    BatchChecks.run(
        backend, List.of(Batch.Item.of(primitive, List.of(logits, output), row, 0, null)));
  }

  private static double loss(
      Backend backend, Primitive primitive, List<Tensor> arrays, long[] labels) {
    Tensor logits = arrays.get(0);
    long row = row(logits);
    long rows = logits.elements() / row;
    if (labels.length != rows) {
      throw new IllegalArgumentException(
          labels.length + " labels: expected " + rows + ", one for each row of " + logits);
    }
    for (int i = 0; i < labels.length; i++) {
      if (labels[i] < 0 || labels[i] >= row) {
        throw new IllegalArgumentException(
            "label " + i + " is " + labels[i] + ": expected 0 to " + (row - 1));
      }
    }
    List<Batch.Item> items =
        List.of(Batch.Item.of(primitive, arrays, row, 0, new Batch.Labels(labels)));
    return BatchChecks.run(backend, items, 1.0 / (double) rows)[0] / (double) rows;
  }

  private static long row(Tensor logits) {
    if (logits.rank() == 0) {
      throw new IllegalArgumentException("logits is " + logits + ": expected at least one axis");
    }
    return Math.max(1, logits.shape()[logits.rank() - 1]);
  }
}
