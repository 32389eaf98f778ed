package org.fettle.recipes;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.Engine;
import org.fettle.internal.MergeCalls;
import org.fettle.internal.Scratch;
import org.fettle.internal.TensorChecks;
import org.fettle.internal.algebra.Matrix;
import org.fettle.sparsity.Masks;

/**
 * ProWD's aggregation (arXiv:2202.11453, known from its abstract; the details are ours): of a
 * low-bit update only those elements count whose choice points it most nearly the way of a high-bit
 * one, and the average of several updates takes each element from those that selected it.
 */
public final class SelectiveAggregation {
  private SelectiveAggregation() {}

  /**
   * Selects the elements for which the cosine between the masked update and the reference is the
   * largest. The best mask keeps elements by falling reference over update, so a sort by that
   * ratio, rounded to float, finds it: in double, on the host. Elements that are 0 or disagree in
   * their sign are never kept; with nothing to keep the mask is empty.
   *
   * @param backend what holds the tensors
   * @param update F32, what the low-bit model sends
   * @param reference F32 of the same shape
   * @param mask BIT of the same shape; written
   * @return the cosine, 0 for an empty mask
   * @throws IllegalArgumentException for a tensor that does not fit or a value that is not finite;
   *     nothing was written
   */
  public static double select(Backend backend, Tensor update, Tensor reference, Tensor mask) {
    Engine engine =
        new TensorChecks(backend)
            .like("reference", reference, update)
            .like("mask", mask, update)
            .reads("update", update, DType.F32)
            .reads("reference", reference, DType.F32)
            .writes("mask", mask, DType.BIT)
            .done();
    double[] u = finite("update", engine, update);
    double[] h = finite("reference", engine, reference);
    long[] order = order(u, h);
    double agreement = 0.0;
    double square = 0.0;
    double best = 0.0;
    int kept = 0;
    for (int k = 0; k < order.length; k++) {
      int i = (int) order[k];
      agreement += u[i] * h[i];
      square += u[i] * u[i];
      double score = agreement / Math.sqrt(square);
      if (score > best) {
        best = score;
        kept = k + 1;
      }
    }
    byte[] bits = new byte[Math.toIntExact(mask.bytes())];
    for (int k = 0; k < kept; k++) {
      int i = (int) order[k];
      bits[i / 8] |= (byte) (1 << i % 8);
    }
    if (bits.length > 0) {
      Scratch.write(engine, Scratch.asBytes(mask), bits);
    }
    double length = 0.0;
    for (double value : h) {
      length += value * value;
    }
    return kept == 0 ? 0.0 : best / Math.sqrt(length);
  }

  /**
   * Indices of the elements whose signs agree, by falling h / u; of equal ones the lowest first.
   */
  private static long[] order(double[] u, double[] h) {
    long[] keys = new long[u.length];
    int count = 0;
    for (int i = 0; i < u.length; i++) {
      if (u[i] * h[i] > 0.0) {
        // Positive floats are ordered as their bits are.
        int ratio = Float.floatToIntBits((float) (h[i] / u[i]));
        keys[count++] = (long) (Integer.MAX_VALUE - ratio) << 32 | i;
      }
    }
    long[] order = Arrays.copyOf(keys, count);
    Arrays.parallelSort(order);
    for (int k = 0; k < count; k++) {
      order[k] &= 0xFFFFFFFFL;
    }
    return order;
  }

  private static double[] finite(String name, Engine engine, Tensor tensor) {
    double[] values = Matrix.read(engine, tensor);
    for (int i = 0; i < values.length; i++) {
      if (!Double.isFinite(values[i])) {
        throw new IllegalArgumentException(
            name
                + " is "
                + tensor
                + " with "
                + values[i]
                + " at "
                + i
                + ": expected finite values");
      }
    }
    return values;
  }

  /**
   * The average of every element over the updates that selected it, 0 where none did: {@code sum
   * c_k m_k u_k / sum c_k m_k}, in double in the order of the updates, with the same bits on every
   * backend. What a mask leaves out counts in nothing, whatever it is.
   *
   * @param backend what carries it out
   * @param updates F32, all of one shape
   * @param masks BIT, one per update, of the same shape
   * @param coefficients c_k &gt; 0, such as how many examples stand behind an update
   * @param output F32 of the same shape
   * @throws IllegalArgumentException naming what does not fit; nothing was written
   */
  public static void average(
      Backend backend,
      List<Tensor> updates,
      List<Tensor> masks,
      List<Double> coefficients,
      Tensor output) {
    Range.check("number of updates", updates.size(), !updates.isEmpty(), ">= 1");
    counted("masks", masks, updates.size());
    counted("coefficients", coefficients, updates.size());
    TensorChecks checks = new TensorChecks(backend);
    for (int k = 0; k < updates.size(); k++) {
      Range.positive("coefficient " + k, coefficients.get(k));
      checks
          .like("update " + k, updates.get(k), output)
          .like("mask " + k, masks.get(k), output)
          .reads("update " + k, updates.get(k), DType.F32)
          .reads("mask " + k, masks.get(k), DType.BIT);
    }
    Engine engine = checks.writes("output", output, DType.F32).done();
    if (output.elements() == 0) {
      return;
    }
    Masks apply = Masks.on(backend);
    try (Scratch scratch = new Scratch(engine)) {
      Tensor ones = ones(scratch, output.shape());
      List<Tensor> values = new ArrayList<>();
      List<Tensor> chosen = new ArrayList<>();
      for (int k = 0; k < updates.size(); k++) {
        values.add(scratch.tensor(DType.F32, output.shape()));
        chosen.add(scratch.tensor(DType.F32, output.shape()));
        apply.apply(masks.get(k), updates.get(k), values.get(k));
        apply.apply(masks.get(k), ones, chosen.get(k));
      }
      double[] factors = coefficients.stream().mapToDouble(c -> c).toArray();
      double[] otherwise = new double[factors.length];
      boolean[] raised = new boolean[factors.length];
      MergeCalls.fisher(engine, values, chosen, factors, otherwise, 0.0, raised, output);
    }
  }

  private static Tensor ones(Scratch scratch, long[] shape) {
    Tensor ones = scratch.tensor(DType.F32, shape);
    int bytes = (int) Math.min(ones.bytes(), Engine.COPY_BYTES);
    ByteBuffer tile = ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder());
    while (tile.hasRemaining()) {
      tile.putFloat(1f);
    }
    for (long offset = 0; offset < ones.bytes(); offset += bytes) {
      tile.position(0).limit((int) Math.min(bytes, ones.bytes() - offset));
      scratch.engine().write(ones, offset, tile);
    }
    return ones;
  }

  private static void counted(String name, List<?> list, int expected) {
    if (list.size() != expected) {
      throw new IllegalArgumentException(
          "number of " + name + " is " + list.size() + ": expected " + expected);
    }
  }
}
