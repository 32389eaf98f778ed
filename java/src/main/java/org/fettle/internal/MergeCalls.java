package org.fettle.internal;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import org.fettle.DType;
import org.fettle.Tensor;
import org.fettle.internal.kernels.MergeKernels;
import org.fettle.internal.kernels.MergeSumKernels;

/**
 * The kernels of merging over any number of models: those that do not fit one call go through
 * accumulators that stay in the caches. Whoever calls this has checked everything.
 */
public final class MergeCalls {
  /** Elements between the first and the last call of models that need several. */
  static final long BLOCK = 1L << 18;

  private MergeCalls() {}

  /** {@code out = sum of c_k x_k + constant}. */
  public static void combine(
      Engine engine, List<Tensor> models, double[] coefficients, double constant, Tensor out) {
    int most = MergeKernels.MOST_MODELS;
    inBlocks(
        engine,
        MergeKernels.COMBINE,
        1,
        models.size(),
        most,
        out,
        (call, k, at) ->
            call.array(MergeKernels.MODEL + at, models.get(k)).number(at, coefficients[k]),
        call -> call.number(12, constant));
  }

  /**
   * {@code out = t (sum of c_k x_k) + (1 - t) base}, with a t for each row.
   *
   * @param models at most {@link MergeKernels#MOST_MODELS}
   */
  public static void rowBlend(
      Engine engine,
      List<Tensor> models,
      double[] coefficients,
      double[] rowFactors,
      long rowLength,
      Tensor base,
      Tensor out) {
    if (out.elements() == 0) {
      return;
    }
    Tensor factors = doubles(engine, rowFactors);
    try {
      KernelCall call =
          new KernelCall(MergeKernels.ROW_BLEND)
              .array(MergeKernels.OUT, out)
              .array(MergeKernels.BASE, base)
              .array(MergeKernels.EXTRA, factors)
              .integers(models.size(), 1, 1, 0, out.elements(), rowLength)
              .units(
                  out.elements() / rowLength * chunks(rowLength), out.elements() * models.size());
      for (int k = 0; k < models.size(); k++) {
        call.array(MergeKernels.MODEL + k, models.get(k)).number(k, coefficients[k]);
      }
      engine.run(call);
    } finally {
      engine.release(factors);
    }
  }

  /**
   * The merge by Fisher information.
   *
   * @param factors of the weighted sums
   * @param plain factors of the plain sum, for elements whose weights are all 0
   * @param floor of the weights
   * @param floored whether a model's weights are raised to the floor
   * @return how many elements had no weight
   */
  public static long fisher(
      Engine engine,
      List<Tensor> models,
      List<Tensor> fishers,
      double[] factors,
      double[] plain,
      double floor,
      boolean[] floored,
      Tensor out) {
    Tensor counts = engine.allocate(DType.F64, new long[] {chunks(out.elements())}, 0);
    try {
      int most = MergeKernels.MOST_WEIGHTED;
      inBlocks(
          engine,
          MergeKernels.FISHER_MERGE,
          3,
          models.size(),
          most,
          out,
          (call, k, at) -> {
            call.array(MergeKernels.MODEL + at, models.get(k));
            call.array(MergeKernels.MODEL + most + at, fishers.get(k));
            call.number(at, factors[k]).number(most + at, plain[k]);
            call.integer(6, (at == 0 ? 0 : call.integer(6)) | (floored[k] ? 1L << at : 0));
          },
          call -> call.array(MergeKernels.EXTRA, counts).number(12, floor));
      double undecided = 0;
      for (double count : read(engine, counts)) {
        undecided += count;
      }
      return (long) undecided;
    } finally {
      engine.release(counts);
    }
  }

  /** The merge by gradient matching. */
  public static void gradientMatch(
      Engine engine,
      Tensor base,
      Tensor baseHessian,
      List<Tensor> models,
      List<Tensor> hessians,
      double[] scales,
      double scale,
      double baseScale,
      double delta,
      Tensor out) {
    int most = MergeKernels.MOST_WEIGHTED;
    inBlocks(
        engine,
        MergeKernels.GRADIENT_MATCH,
        2,
        models.size(),
        most,
        out,
        (call, k, at) -> {
          call.array(MergeKernels.MODEL + at, models.get(k));
          call.array(MergeKernels.MODEL + most + at, hessians.get(k)).number(at, scales[k]);
        },
        call ->
            call.array(MergeKernels.BASE, base)
                .array(MergeKernels.EXTRA, baseHessian)
                .number(12, scale)
                .number(13, baseScale)
                .number(14, delta));
  }

  /** Puts model {@code k} to place {@code at} of a call. */
  private interface Place {
    void put(KernelCall call, int k, int at);
  }

  /** What all calls are told. */
  private interface Setup {
    void apply(KernelCall call);
  }

  private static void inBlocks(
      Engine engine,
      Kernel kernel,
      int sums,
      int models,
      int most,
      Tensor out,
      Place place,
      Setup setup) {
    long elements = out.elements();
    if (elements == 0) {
      return;
    }
    long block = models <= most ? elements : Math.min(BLOCK, elements);
    Tensor accumulator =
        models <= most ? null : engine.allocate(DType.F64, new long[] {sums * block}, 0);
    try {
      for (long start = 0; start < elements; start += block) {
        long length = Math.min(block, elements - start);
        for (int first = 0; first < models; first += most) {
          int count = Math.min(most, models - first);
          KernelCall call =
              new KernelCall(kernel)
                  .array(MergeKernels.OUT, out)
                  .array(MergeKernels.ACCUMULATOR, accumulator)
                  .integers(count, first == 0 ? 1 : 0, first + count == models ? 1 : 0)
                  .integer(3, start)
                  .integer(4, length)
                  .units(chunks(length), length * count);
          setup.apply(call);
          for (int k = 0; k < count; k++) {
            place.put(call, first + k, k);
          }
          engine.run(call);
        }
      }
    } finally {
      if (accumulator != null) {
        engine.release(accumulator);
      }
    }
  }

  /**
   * The inner products of {@code x_j - base} and {@code x_k - base}.
   *
   * @param base null for none
   * @param rowLength elements of a row; all of a tensor for one row
   * @return by row, then by pair: (0,0), (0,1), ..., (1,1), ...
   */
  public static double[][] dots(Engine engine, Tensor base, List<Tensor> models, long rowLength) {
    int count = models.size();
    int rows = rowLength == 0 ? 0 : Math.toIntExact(models.get(0).elements() / rowLength);
    double[][] results = new double[rows][count * (count + 1) / 2];
    int most = MergeSumKernels.MOST_MODELS;
    if (count <= most) {
      int[] all = new int[count];
      for (int k = 0; k < count; k++) {
        all[k] = k;
      }
      someDots(engine, base, models, rowLength, all, results);
      return results;
    }
    int half = most / 2;
    for (int first = 0; first < count; first += half) {
      for (int second = first + half; second < count; second += half) {
        int size = Math.min(half, count - second);
        int[] some = new int[half + size];
        for (int k = 0; k < half; k++) {
          some[k] = first + k;
        }
        for (int k = 0; k < size; k++) {
          some[half + k] = second + k;
        }
        someDots(engine, base, models, rowLength, some, results);
      }
    }
    return results;
  }

  private static void someDots(
      Engine engine,
      Tensor base,
      List<Tensor> models,
      long rowLength,
      int[] some,
      double[][] results) {
    int pairs = some.length * (some.length + 1) / 2;
    int perRow = Math.toIntExact(chunks(rowLength));
    long units = (long) results.length * perRow;
    Tensor sums = engine.allocate(DType.F64, new long[] {units * pairs}, 0);
    try {
      KernelCall call =
          new KernelCall(MergeSumKernels.DELTA_DOTS)
              .array(0, sums)
              .array(1, base)
              .integers(some.length, rowLength)
              .units(units, models.get(0).elements() * some.length);
      for (int k = 0; k < some.length; k++) {
        call.array(2 + k, models.get(some[k]));
      }
      engine.run(call);
      double[] partial = read(engine, sums);
      double[] chunks = new double[perRow];
      for (int row = 0; row < results.length; row++) {
        int pair = 0;
        for (int j = 0; j < some.length; j++) {
          for (int k = j; k < some.length; k++) {
            for (int c = 0; c < perRow; c++) {
              chunks[c] = partial[(row * perRow + c) * pairs + pair];
            }
            results[row][pairIndex(models.size(), some[j], some[k])] =
                Reduction.tree(chunks, 0, perRow);
            pair++;
          }
        }
      }
    } finally {
      engine.release(sums);
    }
  }

  /** Where the product of j and k, j &lt;= k, stands among those of so many models. */
  public static int pairIndex(int models, int j, int k) {
    return j * models - j * (j - 1) / 2 + k - j;
  }

  /** Mean and population variance of a tensor that is not empty. */
  public static double[] moments(Engine engine, Tensor tensor) {
    int chunks = Math.toIntExact(chunks(tensor.elements()));
    Tensor sums = engine.allocate(DType.F64, new long[] {2L * chunks}, 0);
    try {
      engine.run(
          new KernelCall(MergeSumKernels.DEVIATION_SUMS)
              .arrays(sums, tensor)
              .units(chunks, tensor.elements()));
      double[] partial = read(engine, sums);
      double[] plain = new double[chunks];
      double[] square = new double[chunks];
      for (int i = 0; i < chunks; i++) {
        plain[i] = partial[2 * i];
        square[i] = partial[2 * i + 1];
      }
      double mean = Reduction.tree(plain, 0, chunks) / tensor.elements();
      double variance = Reduction.tree(square, 0, chunks) / tensor.elements() - mean * mean;
      return new double[] {first(engine, tensor) + mean, Math.max(variance, 0.0)};
    } finally {
      engine.release(sums);
    }
  }

  private static double first(Engine engine, Tensor tensor) {
    int bytes = tensor.dtype().bits() / 8;
    ByteBuffer buffer = ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder());
    engine.read(tensor, 0, buffer);
    return tensor.dtype() == DType.F32
        ? buffer.getFloat(0)
        : Formats.decode(tensor.dtype(), buffer.getShort(0));
  }

  private static Tensor doubles(Engine engine, double[] values) {
    Tensor tensor = engine.allocate(DType.F64, new long[] {values.length}, 0);
    ByteBuffer buffer = buffer(values.length);
    buffer.asDoubleBuffer().put(values);
    engine.write(tensor, 0, buffer);
    return tensor;
  }

  private static double[] read(Engine engine, Tensor tensor) {
    double[] values = new double[Math.toIntExact(tensor.elements())];
    ByteBuffer buffer = buffer(values.length);
    engine.read(tensor, 0, buffer);
    buffer.flip();
    buffer.order(ByteOrder.nativeOrder()).asDoubleBuffer().get(values);
    return values;
  }

  private static ByteBuffer buffer(int doubles) {
    return ByteBuffer.allocateDirect(Math.multiplyExact(doubles, Double.BYTES))
        .order(ByteOrder.nativeOrder());
  }

  private static long chunks(long elements) {
    return elements / PlanSpec.CHUNK + (elements % PlanSpec.CHUNK != 0 ? 1 : 0);
  }
}
