package org.fettle.recipes;

import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.Engine;
import org.fettle.internal.KernelCall;
import org.fettle.internal.Scratch;
import org.fettle.internal.TensorChecks;
import org.fettle.internal.kernels.EstimatorKernels;

/**
 * Query-key reparametrization (QKR, arXiv:2302.02210): per head the product {@code Wq^T Wk} is
 * quantized by StatsQ instead of its factors. Factors are F32, [C, C], their rows dealt out to the
 * heads in turn; the product is [heads * C, C].
 *
 * @param heads heads; they divide C
 * @param bits of StatsQ
 */
public record QueryKey(int heads, int bits) {
  /** Checks the numbers. */
  public QueryKey {
    Range.check("heads", heads, heads >= 1, ">= 1");
    new StatisticsQuantizer(bits);
  }

  /** Writes the quantized product. */
  public void forward(Backend backend, Tensor query, Tensor key, Tensor output) {
    Engine engine =
        checks(backend, query, key, output)
            .reads("query", query, DType.F32)
            .reads("key", key, DType.F32)
            .writes("output", output, DType.F32)
            .done();
    long c = query.shape()[0];
    long d = c / heads;
    product(engine, query, key, output, c, d, c, new long[] {d * c, 1, c, d * c, c, 1});
    StatisticsQuantizer quantizer = new StatisticsQuantizer(bits);
    try (Scratch scratch = new Scratch(engine)) {
      Tensor scales = scratch.tensor(DType.F32, heads * c);
      quantizer.scales(backend, output, scales);
      quantizer.forward(backend, output, scales, output);
    }
  }

  /**
   * Writes the gradients of the factors from that of the product, which passes StatsQ unchanged.
   */
  public void backward(
      Backend backend,
      Tensor query,
      Tensor key,
      Tensor gradient,
      Tensor gradientQuery,
      Tensor gradientKey) {
    Engine engine =
        checks(backend, query, key, gradient)
            .like("gradientQuery", gradientQuery, query)
            .like("gradientKey", gradientKey, key)
            .reads("query", query, DType.F32)
            .reads("key", key, DType.F32)
            .reads("gradient", gradient, DType.F32)
            .writes("gradientQuery", gradientQuery, DType.F32)
            .writes("gradientKey", gradientKey, DType.F32)
            .done();
    long c = query.shape()[0];
    long d = c / heads;
    product(engine, key, gradient, gradientQuery, d, c, c, new long[] {d * c, c, 1, c * c, 1, c});
    product(engine, query, gradient, gradientKey, d, c, c, new long[] {d * c, c, 1, c * c, c, 1});
  }

  private void product(
      Engine engine, Tensor a, Tensor b, Tensor to, long rows, long inner, long n, long[] strides) {
    KernelCall call =
        new KernelCall(EstimatorKernels.HEAD_PRODUCT).arrays(a, b, to).integers(rows, inner, n);
    for (int i = 0; i < strides.length; i++) {
      call.integer(3 + i, strides[i]);
    }
    engine.run(call.units(heads * rows, heads * rows * inner * n));
  }

  private TensorChecks checks(Backend backend, Tensor query, Tensor key, Tensor product) {
    TensorChecks checks = new TensorChecks(backend).rank("query", query, 2);
    long c = query.shape()[0];
    Range.check("the extent of query", c, c % heads == 0, "a multiple of heads, " + heads);
    return checks
        .shape("query", query, c, c)
        .shape("key", key, c, c)
        .shape("the product", product, heads * c, c);
  }
}
