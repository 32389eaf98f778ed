package org.fettle.sparsity;

import java.util.Objects;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.KernelCall;
import org.fettle.internal.TensorChecks;
import org.fettle.internal.kernels.ScoreKernels;

/**
 * Scores of channels, heads and blocks. Sums are in double; a channel of zeros scores 0 and NaN
 * comes out. {@link Selection} prunes by them. Scores are F32 or F64 tensors.
 */
public final class StructuredScores {
  /** What is summed over a structure. */
  public enum Norm {
    /** Magnitudes. */
    L1(0, 0),
    /** Squares; the score is the root. */
    L2(1, 1);

    private final int kind;
    private final int finish;

    Norm(int kind, int finish) {
      this.kind = kind;
      this.finish = finish;
    }
  }

  private final Backend backend;

  private StructuredScores(Backend backend) {
    this.backend = backend;
  }

  /** Scores on a backend. */
  public static StructuredScores on(Backend backend) {
    return new StructuredScores(Objects.requireNonNull(backend, "backend"));
  }

  /** One score per output channel, axis 0. */
  public void outputs(Norm norm, Tensor weight, Tensor scores) {
    axis(norm, weight, 0, scores);
  }

  /** One score per input channel, axis 1. */
  public void inputs(Norm norm, Tensor weight, Tensor scores) {
    axis(norm, weight, 1, scores);
  }

  /**
   * One score per head: as many consecutive output channels each.
   *
   * @param heads which divides the output channels
   */
  public void heads(Norm norm, Tensor weight, int heads, Tensor scores) {
    long[] shape = weight.shape();
    Range.check("heads", heads, heads >= 1, ">= 1");
    if (shape.length == 0 || shape[0] % heads != 0) {
      throw new IllegalArgumentException(
          "weight is " + weight + ": expected output channels that " + heads + " heads divide");
    }
    groups(weight, null, 1, heads, weight.elements() / heads, norm.kind, norm.finish, scores);
  }

  /** The magnitudes of scales, such as those of batch normalization. */
  public void scales(Tensor scales, Tensor scores) {
    groups(scales, null, 1, scales.elements(), 1, 0, 0, scores);
  }

  /** One score per output channel: the magnitude of the sum of {@code w g}. */
  public void taylor(Tensor weight, Tensor gradient, Tensor scores) {
    long[] shape = weight.shape();
    Range.check("axes", shape.length, shape.length >= 1, ">= 1");
    long rest = shape[0] == 0 ? 0 : weight.elements() / shape[0];
    groups(weight, gradient, 1, shape[0], rest, 2, 2, scores);
  }

  /**
   * One score per tile of {@code size x size} of the weight seen as [out, everything else]; the
   * last tiles of a row or column are smaller.
   *
   * @param scores [ceil(out / size), ceil(rest / size)]
   */
  public void blocks(Norm norm, Tensor weight, int size, Tensor scores) {
    Range.check("block size", size, size >= 1, ">= 1");
    TensorChecks checks = new TensorChecks(backend).reads("weight", weight, DType.F32);
    long[] shape = weight.shape();
    Range.check("axes", shape.length, shape.length >= 1, ">= 1");
    long rows = shape[0];
    long columns = rows == 0 ? 0 : weight.elements() / rows;
    long down = (rows + size - 1) / size;
    long across = (columns + size - 1) / size;
    checks.writes("scores", scores, DType.F32, DType.F64).shape("scores", scores, down, across);
    checks
        .done()
        .run(
            new KernelCall(ScoreKernels.BLOCKS)
                .array(0, weight)
                .array(2, scores)
                .integers(rows, columns, size, norm.kind, norm.finish)
                .units(down * across, weight.elements()));
  }

  private void axis(Norm norm, Tensor weight, int axis, Tensor scores) {
    long[] shape = weight.shape();
    if (shape.length <= axis) {
      throw new IllegalArgumentException(
          "weight is " + weight + ": expected at least " + (axis + 1) + " axes");
    }
    long outer = axis == 0 ? 1 : shape[0];
    long inner = 1;
    for (int i = axis + 1; i < shape.length; i++) {
      inner *= shape[i];
    }
    groups(weight, null, outer, shape[axis], inner, norm.kind, norm.finish, scores);
  }

  private void groups(
      Tensor weight,
      Tensor other,
      long outer,
      long middle,
      long inner,
      int kind,
      int finish,
      Tensor scores) {
    TensorChecks checks = new TensorChecks(backend).reads("weight", weight, DType.F32);
    if (other != null) {
      checks.reads("gradient", other, DType.F32).like("gradient", other, weight);
    }
    checks.writes("scores", scores, DType.F32, DType.F64).shape("scores", scores, middle);
    checks
        .done()
        .run(
            new KernelCall(ScoreKernels.GROUPS)
                .arrays(weight, other, scores)
                .integers(outer, middle, inner, kind, finish)
                .units(middle, weight.elements()));
  }
}
