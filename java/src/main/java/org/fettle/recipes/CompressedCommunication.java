package org.fettle.recipes;

import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.Engine;
import org.fettle.internal.KernelCall;
import org.fettle.internal.Scratch;
import org.fettle.internal.TensorChecks;
import org.fettle.internal.Trees;
import org.fettle.internal.kernels.CompressionKernels;

/**
 * What workers send instead of a gradient. An encoder adds what it is given to the error that it
 * kept, sends part, and keeps the rest; a receiver decodes and adds, rank after rank, so that the
 * sum does not depend on who comes first. Values and errors are F32 of one length.
 */
public final class CompressedCommunication {
  private CompressedCommunication() {}

  /**
   * 8-bit blocks: {@code scale = largest / 127}, code to the nearest.
   *
   * @param error read and written
   * @param block elements of a block; the last may be shorter
   * @param codes I8, as many as values
   * @param scales F32, one per block
   */
  public static void encodeBlocks(
      Backend backend, Tensor value, Tensor error, long block, Tensor codes, Tensor scales) {
    long n = value.elements();
    Engine engine =
        blocks(backend, n, block, codes, scales)
            .like("error", error, value)
            .reads("value", value, DType.F32)
            .writes("error", error, DType.F32)
            .writes("codes", codes, DType.I8)
            .writes("scales", scales, DType.F32)
            .done();
    engine.run(
        new KernelCall(CompressionKernels.BLOCK_ENCODE)
            .arrays(value, error, codes, scales)
            .integers(n, block)
            .units(scales.elements(), n));
  }

  /** Adds {@code weight} times decoded blocks to the sum. */
  public static void addBlocks(
      Backend backend, Tensor codes, Tensor scales, long block, double weight, Tensor sum) {
    Range.finite("weight", weight);
    long n = sum.elements();
    Engine engine =
        blocks(backend, n, block, codes, scales)
            .reads("codes", codes, DType.I8)
            .reads("scales", scales, DType.F32)
            .writes("sum", sum, DType.F32)
            .done();
    engine.run(
        new KernelCall(CompressionKernels.BLOCK_DECODE_ADD)
            .arrays(codes, scales, sum)
            .integers(n, block)
            .numbers(weight)
            .units(scales.elements(), n));
  }

  private static TensorChecks blocks(
      Backend backend, long n, long block, Tensor codes, Tensor scales) {
    Range.check("block", block, block >= 1, ">= 1");
    long count = n / block + (n % block == 0 ? 0 : 1);
    return new TensorChecks(backend).shape("codes", codes, n).shape("scales", scales, count);
  }

  /**
   * One bit per element (1-bit Adam, arXiv:2102.02888): the bit says "not below 0", the scale is
   * the norm divided by {@code sqrt(n)}, n of the padded length if the caller pads.
   *
   * @param error read and written
   * @param bits BIT, as many as values
   * @return the scale, a float
   */
  public static double encodeSigns(Backend backend, Tensor value, Tensor error, Tensor bits) {
    Engine engine =
        new TensorChecks(backend)
            .like("error", error, value)
            .like("bits", bits, value)
            .reads("value", value, DType.F32)
            .writes("error", error, DType.F32)
            .writes("bits", bits, DType.BIT)
            .done();
    long n = value.elements();
    if (n == 0) {
      return 0.0;
    }
    double scale = (float) (Math.sqrt(remember(engine, value, error)) / Math.sqrt((double) n));
    engine.run(
        new KernelCall(CompressionKernels.SIGN_ENCODE)
            .arrays(error, bits)
            .integers(n)
            .numbers(scale)
            .units(RowCall.chunks(n), n));
    return scale;
  }

  /** Adds what is given to the error; the sum of squares. */
  private static double remember(Engine engine, Tensor value, Tensor error) {
    int chunks = Math.toIntExact(RowCall.chunks(value.elements()));
    try (Scratch scratch = new Scratch(engine)) {
      Tensor partial = scratch.tensor(DType.F64, chunks);
      engine.run(
          new KernelCall(CompressionKernels.MEMORY_ADD)
              .arrays(value, error, partial)
              .integers(value.elements())
              .units(chunks, value.elements()));
      return Trees.sum(scratch.doubles(partial), chunks);
    }
  }

  /** Adds {@code weight * scale * sign} to the sum. */
  public static void addSigns(
      Backend backend, Tensor bits, double scale, double weight, Tensor sum) {
    Range.finite("weight", weight);
    Engine engine =
        new TensorChecks(backend)
            .like("bits", bits, sum)
            .reads("bits", bits, DType.BIT)
            .writes("sum", sum, DType.F32)
            .done();
    engine.run(
        new KernelCall(CompressionKernels.SIGN_DECODE_ADD)
            .arrays(bits, sum)
            .integers(sum.elements())
            .numbers(scale, weight)
            .units(RowCall.chunks(sum.elements()), sum.elements()));
  }

  /** The bits "not below 0", without memory: what a worker votes with. */
  public static void packSigns(Backend backend, Tensor value, Tensor bits) {
    Engine engine =
        new TensorChecks(backend)
            .like("bits", bits, value)
            .reads("value", value, DType.F32)
            .writes("bits", bits, DType.BIT)
            .done();
    engine.run(
        new KernelCall(CompressionKernels.SIGN_PACK)
            .arrays(value, bits)
            .integers(value.elements())
            .units(RowCall.chunks(value.elements()), value.elements()));
  }

  /**
   * signSGD with majority vote (arXiv:1810.05291).
   *
   * @param bits U8, [workers, ceil(n / 8)]: the packed signs of every worker
   * @param votes I32, [n]: the sum of the signs
   * @param direction I8, [n]: its sign, 0 on a tie
   */
  public static void majority(Backend backend, Tensor bits, Tensor votes, Tensor direction) {
    long n = votes.elements();
    TensorChecks checks = new TensorChecks(backend).rank("bits", bits, 2).rank("votes", votes, 1);
    long workers = bits.shape()[0];
    Engine engine =
        checks
            .shape("bits", bits, workers, (n + 7) / 8)
            .like("direction", direction, votes)
            .reads("bits", bits, DType.U8)
            .writes("votes", votes, DType.I32)
            .writes("direction", direction, DType.I8)
            .done();
    engine.run(
        new KernelCall(CompressionKernels.SIGN_MAJORITY)
            .arrays(bits, votes, direction)
            .integers(n, workers)
            .units(RowCall.chunks(n), n * workers));
  }

  /**
   * The k largest magnitudes (arXiv:1809.07599), of equal ones the lower indices; NaN counts as the
   * largest.
   *
   * @param error read and written
   * @param indices I32, [k], ascending
   * @param values F32, [k]
   */
  public static void encodeLargest(
      Backend backend, Tensor value, Tensor error, Tensor indices, Tensor values) {
    long n = value.elements();
    Range.check("elements", n, n <= Integer.MAX_VALUE, "at most 2^31 - 1");
    long k = indices.elements();
    Range.check("k", k, k <= n, "at most " + n);
    Engine engine =
        new TensorChecks(backend)
            .like("error", error, value)
            .like("values", values, indices)
            .reads("value", value, DType.F32)
            .writes("error", error, DType.F32)
            .writes("indices", indices, DType.I32)
            .writes("values", values, DType.F32)
            .done();
    remember(engine, value, error);
    if (k == 0) {
      return;
    }
    int units = Math.toIntExact(RowCall.chunks(n));
    try (Scratch scratch = new Scratch(engine)) {
      long threshold = kthLargest(scratch, error, k, units);
      Tensor plan = scratch.tensor(DType.I32, units, 2);
      engine.run(
          new KernelCall(CompressionKernels.LARGEST_COUNT)
              .arrays(error, plan)
              .integers(n, threshold)
              .units(units, n));
      int[] counts = scratch.ints(plan);
      long above = 0;
      for (int i = 0; i < units; i++) {
        above += counts[2 * i];
      }
      long equal = k - above;
      int place = 0;
      for (int i = 0; i < units; i++) {
        int taken = (int) Math.min(equal, counts[2 * i + 1]);
        equal -= taken;
        int next = place + counts[2 * i] + taken;
        counts[2 * i] = place;
        counts[2 * i + 1] = taken;
        place = next;
      }
      Scratch.write(engine, plan, counts);
      engine.run(
          new KernelCall(CompressionKernels.LARGEST_TAKE)
              .arrays(error, plan, indices, values)
              .integers(n, threshold)
              .units(units, n));
    }
  }

  /** The bits of the k-th largest magnitude, a byte at a time. */
  private static long kthLargest(Scratch scratch, Tensor error, long k, int units) {
    Tensor histogram = scratch.tensor(DType.I32, units, 256);
    long left = k;
    long prefix = 0;
    for (int shift = 24; shift >= 0; shift -= 8) {
      scratch
          .engine()
          .run(
              new KernelCall(CompressionKernels.LARGEST_HISTOGRAM)
                  .arrays(error, histogram)
                  .integers(error.elements(), shift, prefix)
                  .units(units, error.elements()));
      long[] totals = new long[256];
      int[] counts = scratch.ints(histogram);
      for (int i = 0; i < counts.length; i++) {
        totals[i % 256] += counts[i];
      }
      int bin = 255;
      while (totals[bin] < left) {
        left -= totals[bin--];
      }
      prefix = prefix << 8 | bin;
    }
    return prefix;
  }

  /** Adds {@code weight} times values at their indices to the sum. */
  public static void addSparse(
      Backend backend, Tensor indices, Tensor values, double weight, Tensor sum) {
    Range.finite("weight", weight);
    Engine engine =
        new TensorChecks(backend)
            .like("values", values, indices)
            .reads("indices", indices, DType.I32)
            .reads("values", values, DType.F32)
            .writes("sum", sum, DType.F32)
            .done();
    int last = -1;
    for (int index : Scratch.ints(engine, indices)) {
      if (index <= last || index >= sum.elements()) {
        throw new IllegalArgumentException(
            "indices has " + index + " behind " + last + ": expected ascending, below " + sum);
      }
      last = index;
    }
    engine.run(
        new KernelCall(CompressionKernels.SPARSE_DECODE_ADD)
            .arrays(indices, values, sum)
            .integers(indices.elements())
            .numbers(weight)
            .units(RowCall.chunks(indices.elements()), indices.elements()));
  }
}
