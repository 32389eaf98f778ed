package org.fettle.internal.kernels;

import org.fettle.Arithmetic;
import org.fettle.internal.JavaCall;
import org.fettle.internal.Kernel;
import org.fettle.internal.MinifloatCodec;

/**
 * Largest magnitudes, histograms, casts that measure, delayed scaling: twins of {@code
 * native/src/kernels/formats/measures.h}, which tells the arrays and integers of a call.
 */
public final class MeasureKernels {
  /** One number from largest magnitudes. */
  public static final Kernel MAXIMUM = new Kernel("maximum_finish", MeasureKernels::maximum);

  /** Counts of every 65,536 elements. */
  public static final Kernel HISTOGRAM_COUNT =
      new Kernel("histogram_count", MeasureKernels::histogramCount);

  /** Their sums. */
  public static final Kernel HISTOGRAM_SUM =
      new Kernel("histogram_sum", MeasureKernels::histogramSum);

  /** FP8 codes, those of the transposed matrix, and largest magnitudes. */
  public static final Kernel CAST_TRANSPOSE =
      new Kernel("cast_transpose", MeasureKernels::castTranspose);

  /** The update of delayed scaling. */
  public static final Kernel DELAYED_SCALING =
      new Kernel("delayed_scaling", MeasureKernels::delayedScaling);

  /** Elements of a unit of the histogram. */
  public static final long HISTOGRAM_CHUNK = 65536;

  /** Rows and columns of a unit of the cast. */
  public static final int CAST_TILE = 64;

  private MeasureKernels() {}

  private static void maximum(JavaCall call, long first, long last) {
    ByteRun run = new ByteRun();
    long mode = call.integer(1);
    float largest = mode == 2 ? run.floatAt(call.array(1), call.integer(2)) : 0f;
    long end = call.integer(0);
    for (long at = 0; at < end; at += ByteRun.LENGTH) {
      int n = ByteRun.length(at, end);
      call.array(0).getFloats(at, run.floats, n);
      for (int i = 0; i < n; i++) {
        float x = run.floats[i];
        if (mode != 2) {
          largest = Arithmetic.larger(largest, x);
        } else if (x > largest || Float.isNaN(largest)) {
          largest = x;
        }
      }
    }
    if (mode == 1) {
      largest = largest == 0f ? 1f : Float.isFinite(largest) ? largest / 2688f : Float.NaN;
    }
    run.putFloat(call.array(1), call.integer(2), largest);
  }

  private static void histogramCount(JavaCall call, long first, long last) {
    int bins = (int) call.integer(1);
    float low = (float) call.number(0);
    float high = (float) call.number(1);
    float perUnit = (float) call.number(2);
    ByteRun run = new ByteRun();
    long[] counts = new long[bins];
    for (long unit = first; unit < last; unit++) {
      java.util.Arrays.fill(counts, 0);
      long end = Math.min((unit + 1) * HISTOGRAM_CHUNK, call.integer(0));
      for (long at = unit * HISTOGRAM_CHUNK; at < end; at += ByteRun.LENGTH) {
        int n = ByteRun.length(at, end);
        call.array(0).getFloats(at, run.floats, n);
        for (int i = 0; i < n; i++) {
          float x = run.floats[i];
          if (x >= low && x <= high) {
            counts[(int) Math.min((long) ((x - low) * perUnit), bins - 1L)]++;
          }
        }
      }
      putLongs(call, unit * bins, counts, bins);
    }
  }

  private static void putLongs(JavaCall call, long at, long[] counts, int bins) {
    long[] part = new long[Math.min(bins, ByteRun.LENGTH)];
    for (int k = 0; k < bins; k += part.length) {
      int n = Math.min(part.length, bins - k);
      System.arraycopy(counts, k, part, 0, n);
      call.array(1).putLongs(at + k, part, n);
    }
  }

  private static void histogramSum(JavaCall call, long first, long last) {
    long[] count = new long[1];
    for (long bin = first; bin < last; bin++) {
      long sum = 0;
      for (long row = 0; row < call.integer(0); row++) {
        call.array(0).getLongs(row * call.integer(1) + bin, count, 1);
        sum += count[0];
      }
      count[0] = sum;
      call.array(1).putLongs(bin, count, 1);
    }
  }

  private static void castTranspose(JavaCall call, long first, long last) {
    long rows = call.integer(0);
    long columns = call.integer(1);
    long across = (columns + CAST_TILE - 1) / CAST_TILE;
    MinifloatCodec codec = MinifloatCodec.of(call.integer(2), true);
    ByteRun run = new ByteRun();
    float factor = call.array(3) == null ? 1f : run.floatAt(call.array(3), call.integer(3));
    for (long unit = first; unit < last; unit++) {
      long firstRow = unit / across * CAST_TILE;
      long firstColumn = unit % across * CAST_TILE;
      long lastRow = Math.min(firstRow + CAST_TILE, rows);
      int n = (int) (Math.min(firstColumn + CAST_TILE, columns) - firstColumn);
      int largest = 0;
      for (long row = firstRow; row < lastRow; row++) {
        long at = row * columns + firstColumn;
        call.array(0).getFloats(at, run.floats, n);
        for (int i = 0; i < n; i++) {
          largest = Math.max(largest, Float.floatToRawIntBits(run.floats[i]) & 0x7FFFFFFF);
          run.bytes[i] = (byte) codec.nearest(MinifloatCodec.scaledBy(run.floats[i], factor));
        }
        call.array(1).putBytes(at, run.bytes, n);
        if (call.array(2) != null) {
          for (int i = 0; i < n; i++) {
            run.putByte(call.array(2), (firstColumn + i) * rows + row, run.bytes[i]);
          }
        }
      }
      if (call.array(4) != null) {
        run.putFloat(call.array(4), unit, Float.intBitsToFloat(largest));
      }
    }
  }

  private static void delayedScaling(JavaCall call, long first, long last) {
    long tensors = call.integer(0);
    long length = call.integer(1);
    ByteRun run = new ByteRun();
    for (long tensor = first; tensor < last; tensor++) {
      float newest = run.floatAt(call.array(0), tensor);
      if (call.array(2) != null) {
        float measured = run.floatAt(call.array(2), tensor);
        if (measured > newest || Float.isNaN(newest)) {
          newest = measured;
        }
      }
      float amax = newest;
      if (call.integer(2) == 0) {
        for (long i = 1; i < length; i++) {
          float x = run.floatAt(call.array(0), i * tensors + tensor);
          if (x > amax || Float.isNaN(amax)) {
            amax = x;
          }
        }
      }
      for (long i = 1; i + 1 < length; i++) {
        run.putFloat(
            call.array(0),
            i * tensors + tensor,
            run.floatAt(call.array(0), (i + 1) * tensors + tensor));
      }
      if (length > 1) {
        run.putFloat(call.array(0), (length - 1) * tensors + tensor, newest);
      }
      run.putFloat(call.array(0), tensor, 0f);
      if (amax > 0f && Float.isFinite(amax)) {
        float scale = (float) call.number(0) / amax;
        run.putFloat(call.array(1), tensor, Float.isFinite(scale) ? scale : Float.MAX_VALUE);
      }
    }
  }
}
