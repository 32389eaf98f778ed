package org.fettle.internal.kernels;

import java.util.Arrays;
import org.fettle.internal.JavaCall;
import org.fettle.internal.Kernel;
import org.fettle.internal.KeyRun;
import org.fettle.internal.Keys;

/**
 * Selection: twins of {@code native/src/kernels/select}, which says what arrays and integers mean.
 */
public final class SelectKernels {
  /** Elements of a unit of {@link #BRACKET} and {@link #MASK}. */
  public static final int UNIT = 65536;

  /** Elements of a unit of {@link #HISTOGRAM}. */
  public static final int HISTOGRAM_UNIT = 262144;

  /** Stretches of a unit of {@link #SAMPLE}. */
  public static final int SAMPLE_UNIT = 1024;

  /** Keys of a sample. */
  public static final Kernel SAMPLE = new Kernel("select_sample", SelectKernels::sample);

  /** How many keys lie above a bracket and in it; collects those in it. */
  public static final Kernel BRACKET = new Kernel("select_bracket", SelectKernels::bracket);

  /** Counts of some bits of the keys that have a prefix. */
  public static final Kernel HISTOGRAM = new Kernel("select_histogram", SelectKernels::histogram);

  /** The mask of the keys above a threshold and of the first few that equal it. */
  public static final Kernel MASK = new Kernel("select_mask", SelectKernels::mask);

  /** The k largest of every row, sorted. */
  public static final Kernel TOPK_ROWS = new Kernel("topk_rows", SelectKernels::topkRows);

  private SelectKernels() {}

  private static KeyRun runOf(JavaCall call) {
    return new KeyRun(call.array(0), call.array(1), call.integer(1), call.integer(0) == 1);
  }

  private static long sampleAt(long j, long stride) {
    long h = j * 0x9E3779B97F4A7C15L;
    h ^= h >>> 29;
    h *= 0xBF58476D1CE4E5B9L;
    h ^= h >>> 32;
    return j * stride + (h & 0x7FFFFFFFL) % stride;
  }

  private static void sample(JavaCall call, long first, long last) {
    KeyRun run = runOf(call);
    long elements = call.integer(2);
    long stride = call.integer(3);
    long stretches = (elements + stride - 1) / stride;
    int[] keys = new int[SAMPLE_UNIT];
    for (long unit = first; unit < last; unit++) {
      long from = unit * SAMPLE_UNIT;
      int n = (int) Math.min(SAMPLE_UNIT, stretches - from);
      for (int j = 0; j < n; j++) {
        keys[j] = run.at(Math.min(sampleAt(from + j, stride), elements - 1));
      }
      call.array(2).putInts(from, keys, n);
    }
  }

  private static void bracket(JavaCall call, long first, long last) {
    KeyRun run = runOf(call);
    int low = (int) call.integer(3);
    int high = (int) call.integer(4);
    int capacity = (int) call.integer(5);
    int[] collected = new int[KeyRun.LONGEST];
    long[] counts = new long[2];
    for (long unit = first; unit < last; unit++) {
      long end = Math.min((unit + 1) * UNIT, call.integer(2));
      long above = 0;
      long inside = 0;
      for (long at = unit * UNIT; at < end; at += KeyRun.LONGEST) {
        int n = (int) Math.min(KeyRun.LONGEST, end - at);
        int[] keys = run.load(at, n);
        int found = 0;
        for (int i = 0; i < n; i++) {
          if (keys[i] > high) {
            above++;
          } else if (keys[i] >= low && keys[i] != Keys.NONE) {
            collected[found++] = keys[i];
          }
        }
        int kept = (int) Math.max(0, Math.min(found, capacity - inside));
        if (kept > 0) {
          call.array(3).putInts(unit * capacity + inside, collected, kept);
        }
        inside += found;
      }
      counts[0] = above;
      counts[1] = inside;
      call.array(2).putLongs(2 * unit, counts, 2);
    }
  }

  private static void histogram(JavaCall call, long first, long last) {
    KeyRun run = runOf(call);
    int flip = call.integer(0) == 1 ? Integer.MIN_VALUE : 0;
    int shift = (int) call.integer(3);
    int bins = (int) call.integer(4);
    int prefixShift = (int) call.integer(5);
    long prefix = call.integer(6);
    int[] counts = new int[bins];
    for (long unit = first; unit < last; unit++) {
      Arrays.fill(counts, 0);
      long end = Math.min((unit + 1) * HISTOGRAM_UNIT, call.integer(2));
      for (long at = unit * HISTOGRAM_UNIT; at < end; at += KeyRun.LONGEST) {
        int n = (int) Math.min(KeyRun.LONGEST, end - at);
        int[] keys = run.load(at, n);
        for (int i = 0; i < n; i++) {
          int key = keys[i] ^ flip;
          if (keys[i] != Keys.NONE && (key & 0xFFFFFFFFL) >>> prefixShift == prefix) {
            counts[key >>> shift & (bins - 1)]++;
          }
        }
      }
      call.array(2).putInts(unit * bins, counts, bins);
    }
  }

  private static void mask(JavaCall call, long first, long last) {
    KeyRun run = runOf(call);
    int threshold = (int) call.integer(3);
    long[] equal = new long[1];
    byte[] bits = new byte[KeyRun.LONGEST / 8];
    for (long unit = first; unit < last; unit++) {
      call.array(2).getLongs(unit, equal, 1);
      long left = equal[0];
      long end = Math.min((unit + 1) * UNIT, call.integer(2));
      for (long at = unit * UNIT; at < end; at += KeyRun.LONGEST) {
        int n = (int) Math.min(KeyRun.LONGEST, end - at);
        int[] keys = run.load(at, n);
        Arrays.fill(bits, (byte) 0);
        for (int i = 0; i < n; i++) {
          boolean takesPart = keys[i] != Keys.NONE;
          if (takesPart && (keys[i] > threshold || (keys[i] == threshold && left-- > 0))) {
            bits[i / 8] |= (byte) (1 << i % 8);
          }
        }
        call.array(3).putBytes(at / 8, bits, (n + 7) / 8);
      }
    }
  }

  private static void topkRows(JavaCall call, long first, long last) {
    boolean signed = call.integer(0) == 1;
    int columns = (int) call.integer(1);
    int k = (int) call.integer(2);
    if (k == 0) {
      return;
    }
    KeyRun run = new KeyRun(call.array(0), null, 0, signed);
    float[] part = new float[KeyRun.LONGEST];
    float[] values = new float[KeyRun.LONGEST];
    int[] places = new int[KeyRun.LONGEST];
    // Keys descend and columns ascend in the order of these words.
    long[] order = new long[columns];
    for (long row = first; row < last; row++) {
      for (int at = 0; at < columns; at += KeyRun.LONGEST) {
        int n = Math.min(KeyRun.LONGEST, columns - at);
        int[] keys = run.load(row * columns + at, n);
        for (int i = 0; i < n; i++) {
          order[at + i] = (long) ~keys[i] << 32 | (at + i);
        }
      }
      Arrays.sort(order);
      for (int at = 0; at < k; at += KeyRun.LONGEST) {
        int n = Math.min(KeyRun.LONGEST, k - at);
        for (int i = 0; i < n; i++) {
          places[i] = (int) order[at + i];
          call.array(0).getFloats(row * columns + places[i], part, 1);
          values[i] = part[0];
        }
        call.array(1).putFloats(row * k + at, values, n);
        call.array(2).putInts(row * k + at, places, n);
      }
    }
  }
}
