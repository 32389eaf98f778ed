package org.fettle.averages;

import java.util.Objects;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.Access;
import org.fettle.internal.CallChecks;
import org.fettle.internal.Engine;
import org.fettle.internal.Kernel;
import org.fettle.internal.KernelCall;
import org.fettle.internal.kernels.RowNormalizeKernels;

/**
 * Forced weight normalisation (NVlabs/edm2, arXiv:2312.02696). With f elements in a row (an index
 * of the first axis): {@code N(w) = w / (eps + |w| / sqrt(f))}, nearly unit RMS.
 *
 * <p>Before each forward pass of training {@link #force} writes N(w) back; the layer then uses
 * {@link #effective}, which normalises again: eps makes N(N(w)) differ from N(w), so the two are
 * not one. A zero row stays zero. Every function reads and writes a row twice at most.
 *
 * @param eps finite and &gt;= 0; default 1e-4
 */
public record ForcedWeightNorm(double eps) {
  /** Checks eps. */
  public ForcedWeightNorm {
    Range.nonNegative("eps", eps);
  }

  /** With an eps of 1e-4. */
  public ForcedWeightNorm() {
    this(1e-4);
  }

  /** Replaces the stored weight by N(w). */
  public void force(Backend backend, Tensor weight) {
    Access.checks(backend).writes("weight", weight).done();
    run(backend, RowNormalizeKernels.ROW_NORMALIZE, 1.0, weight, weight);
  }

  /**
   * The weight that the layer uses: N(w) * gain / sqrt(f).
   *
   * @param out of the weight's shape, apart from it
   */
  public void effective(Backend backend, double gain, Tensor weight, Tensor out) {
    Range.finite("gain", gain);
    CallChecks checks = Access.checks(backend).reads("weight", weight);
    checks.writesLike("out", out, weight).done();
    run(
        backend,
        RowNormalizeKernels.ROW_NORMALIZE,
        gain / Math.sqrt((double) rowLength(weight)),
        weight,
        out);
  }

  /**
   * The gradient for the stored weight from that of the effective one: {@code d' / q - w <w, d'> /
   * (sqrt(f) q^2 |w|)}, {@code d' = d gain / sqrt(f)}, {@code q = eps + |w| / sqrt(f)}.
   *
   * @param gradient of the effective weight
   * @param out of the weight's shape, apart from both
   */
  public void gradient(Backend backend, double gain, Tensor weight, Tensor gradient, Tensor out) {
    Range.finite("gain", gain);
    CallChecks checks = Access.checks(backend).reads("weight", weight);
    checks.readsLike("gradient", gradient, weight).writesLike("out", out, weight).done();
    run(
        backend,
        RowNormalizeKernels.ROW_NORMALIZE_GRADIENT,
        gain / Math.sqrt((double) rowLength(weight)),
        weight,
        gradient,
        out);
  }

  private void run(Backend backend, Kernel kernel, double gain, Tensor... arrays) {
    Tensor weight = Objects.requireNonNull(arrays[0]);
    if (weight.elements() == 0) {
      return;
    }
    long length = rowLength(weight);
    long rows = weight.elements() / length;
    Engine engine = Access.engine(backend);
    long chunks = length / 4096 + (length % 4096 != 0 ? 1 : 0);
    Tensor scratch = engine.allocate(DType.F64, new long[] {rows * chunks}, 0);
    try {
      engine.run(
          new KernelCall(kernel)
              .arrays(arrays)
              .array(arrays.length, scratch)
              .integers(length)
              .numbers(eps, gain, 1 / Math.sqrt((double) length))
              .units(rows, weight.elements()));
    } finally {
      engine.release(scratch);
    }
  }

  private static long rowLength(Tensor weight) {
    long[] shape = weight.shape();
    return shape.length == 0 || shape[0] == 0 ? 1 : weight.elements() / shape[0];
  }
}
