package org.fettle.internal;

import java.util.List;
import org.fettle.DType;
import org.fettle.Tensor;
import org.fettle.internal.kernels.MaskKernels;
import org.fettle.internal.kernels.SelectKernels;

/**
 * The k-th largest key over any number of tensors, as if they stood one behind the other, and the
 * mask of the k largest.
 *
 * <p>A sample tells a bracket of keys in which the k-th lies nearly always; one pass over the
 * values counts what is above it and collects what is in it. Where that fails (many equal values,
 * most of them in the bracket), three histograms find the key and one more pass counts what equals
 * it.
 */
public final class Selector {
  /** How the values of a call are told apart. */
  public enum Ties {
    /** Exactly k stay, of equal ones the lowest indices. */
    LOWEST_INDEX,
    /** Those above the k-th stay. */
    NONE,
    /** Those above the k-th and all that equal it stay. */
    ALL
  }

  private static final long SAMPLES = 65536;
  private static final int CAPACITY = SelectKernels.UNIT / 4;

  private final Engine engine;
  private final List<Tensor> values;
  private final List<Tensor> masks;
  private final boolean outside;
  private final boolean signed;
  private final int threads;
  private final long[][] equal;
  private long candidates;
  private int threshold;
  private long greater;
  private long equals;
  private int passes;

  /**
   * A selection.
   *
   * @param values F32, BF16 or F16, all of one format
   * @param masks what takes part, one per tensor; null for all
   * @param outside whether it is the complement of the masks that takes part
   * @param signed whether the values count instead of the magnitudes
   */
  public Selector(
      Engine engine,
      List<Tensor> values,
      List<Tensor> masks,
      boolean outside,
      boolean signed,
      int threads) {
    this.engine = engine;
    this.values = values;
    this.masks = masks;
    this.outside = outside;
    this.signed = signed;
    this.threads = threads;
    equal = new long[values.size()][];
    for (int i = 0; i < values.size(); i++) {
      candidates += values.get(i).elements();
    }
    if (masks != null) {
      long inside = 0;
      for (int i = 0; i < masks.size(); i++) {
        inside += countBits(engine, "mask " + i, masks.get(i), threads);
      }
      candidates = outside ? candidates - inside : inside;
    }
  }

  /**
   * The number of ones of a mask.
   *
   * @throws IllegalArgumentException if a bit behind the last element is 1
   */
  public static long countBits(Engine engine, String name, Tensor mask, int threads) {
    try (Scratch scratch = new Scratch(engine)) {
      long units = units(mask.elements(), MaskKernels.UNIT);
      Tensor counts = scratch.tensor(DType.I64, 2 * units);
      engine.run(
          new KernelCall(MaskKernels.COUNT)
              .arrays(mask, counts)
              .integers(mask.elements())
              .units(units, mask.elements() / 16)
              .threads(threads));
      long ones = 0;
      long behind = 0;
      long[] all = scratch.longs(counts);
      for (int i = 0; i < all.length; i += 2) {
        ones += all[i];
        behind += all[i + 1];
      }
      if (behind != 0) {
        throw new IllegalArgumentException(
            name + " has " + behind + " ones behind its last element: expected zeros");
      }
      return ones;
    }
  }

  /** Units of a size that cover a number of elements. */
  public static long units(long elements, long size) {
    return elements / size + (elements % size != 0 ? 1 : 0);
  }

  /** Elements that take part. */
  public long candidates() {
    return candidates;
  }

  /** The k-th largest key, once {@link #find} has found it. */
  public int threshold() {
    return threshold;
  }

  /** Keys above the k-th. */
  public long greater() {
    return greater;
  }

  /** Keys that equal it. */
  public long equals() {
    return equals;
  }

  /** How often every value has been read so far. */
  public int passes() {
    return passes;
  }

  /** Finds the k-th largest key, 0 &lt;= k &lt;= candidates. For 0, a key above all is found. */
  public void find(long k) {
    greater = 0;
    equals = 0;
    if (k == 0) {
      threshold = Integer.MAX_VALUE;
      for (int i = 0; i < equal.length; i++) {
        equal[i] = new long[(int) units(values.get(i).elements(), SelectKernels.UNIT)];
      }
      return;
    }
    if (!bracket(k)) {
      radix(k);
    }
  }

  private KernelCall call(Kernel kernel, int i, long unit) {
    Tensor x = values.get(i);
    return new KernelCall(kernel)
        .array(0, x)
        .array(1, masks == null ? null : masks.get(i))
        .integers(signed ? 1 : 0, outside ? 1 : 0, x.elements())
        .units(units(x.elements(), unit), x.elements())
        .threads(threads);
  }

  private long elements() {
    return values.stream().mapToLong(Tensor::elements).sum();
  }

  private boolean bracket(long k) {
    long stride = Math.max(1, elements() / SAMPLES);
    int[] keys = new int[Math.toIntExact(sampleSize(stride))];
    int n = 0;
    for (int i = 0; i < values.size(); i++) {
      long stretches = units(values.get(i).elements(), stride);
      if (stretches == 0) {
        continue;
      }
      try (Scratch sample = new Scratch(engine)) {
        Tensor out = sample.tensor(DType.I32, stretches);
        engine.run(
            call(SelectKernels.SAMPLE, i, SelectKernels.SAMPLE_UNIT)
                .array(2, out)
                .integer(3, stride)
                .units(units(stretches, SelectKernels.SAMPLE_UNIT), 8 * stretches));
        for (int key : sample.ints(out)) {
          if (key != Keys.NONE) {
            keys[n++] = key;
          }
        }
      }
    }
    int low;
    int high;
    if (stride == 1) {
      low = KeySearch.nthLargest(keys, n, k);
      high = low;
    } else {
      // Four standard deviations of the rank in the sample to each side.
      double share = (double) k / candidates;
      double rank = share * n;
      double margin = 4 * Math.sqrt(n * share * (1 - share)) + 8;
      long above = (long) Math.floor(rank - margin);
      long below = (long) Math.ceil(rank + margin);
      high = above < 1 ? Integer.MAX_VALUE : KeySearch.nthLargest(keys.clone(), n, above);
      low = below > n ? Keys.NONE + 1 : KeySearch.nthLargest(keys, n, below);
    }
    return search(k, low, high);
  }

  private long sampleSize(long stride) {
    return values.stream().mapToLong(x -> units(x.elements(), stride)).sum();
  }

  /** Counts and collects around a bracket; answers whether that has found the k-th. */
  private boolean search(long k, int low, int high) {
    int capacity = low == high ? 0 : CAPACITY;
    try (Scratch pass = new Scratch(engine)) {
      Tensor[] collected = new Tensor[values.size()];
      long[][] counts = new long[values.size()][];
      long above = 0;
      long inside = 0;
      boolean fits = true;
      for (int i = 0; i < values.size(); i++) {
        long units = units(values.get(i).elements(), SelectKernels.UNIT);
        Tensor count = pass.tensor(DType.I64, 2 * units);
        collected[i] = capacity == 0 ? null : pass.tensor(DType.I32, units * capacity);
        engine.run(
            call(SelectKernels.BRACKET, i, SelectKernels.UNIT)
                .array(2, count)
                .array(3, collected[i])
                .integer(3, low)
                .integer(4, high)
                .integer(5, capacity));
        counts[i] = pass.longs(count);
        for (int u = 0; u < units; u++) {
          above += counts[i][2 * u];
          inside += counts[i][2 * u + 1];
          fits &= capacity == 0 || counts[i][2 * u + 1] <= capacity;
        }
      }
      passes++;
      if (above >= k || above + inside < k) {
        return false;
      }
      if (low == high) {
        threshold = low;
        greater = above;
        equals = inside;
        for (int i = 0; i < counts.length; i++) {
          equal[i] = new long[counts[i].length / 2];
          for (int u = 0; u < equal[i].length; u++) {
            equal[i][u] = counts[i][2 * u + 1];
          }
        }
        return true;
      }
      if (!fits || inside > Integer.MAX_VALUE / 2) {
        return false;
      }
      return among(k, above, (int) inside, pass, collected, counts);
    }
  }

  private boolean among(
      long k, long above, int inside, Scratch pass, Tensor[] collected, long[][] counts) {
    int[] keys = new int[inside];
    int n = 0;
    for (int i = 0; i < counts.length; i++) {
      for (int u = 0; u < counts[i].length / 2; u++) {
        int found = (int) counts[i][2 * u + 1];
        pass.ints(collected[i], (long) u * CAPACITY, keys, n, found);
        n += found;
      }
    }
    threshold = KeySearch.nthLargest(keys.clone(), n, k - above);
    greater = above;
    int at = 0;
    for (int i = 0; i < counts.length; i++) {
      equal[i] = new long[counts[i].length / 2];
      for (int u = 0; u < equal[i].length; u++) {
        for (long end = at + counts[i][2 * u + 1]; at < end; at++) {
          greater += keys[at] > threshold ? 1 : 0;
          equal[i][u] += keys[at] == threshold ? 1 : 0;
        }
        equals += equal[i][u];
      }
    }
    return true;
  }

  /** Finds the k-th by histograms of 11, 10 and 10 bits (11 and 10 after the sign's). */
  private void radix(long k) {
    int[] shifts = signed ? new int[] {21, 10, 0} : new int[] {20, 10, 0};
    int[] bits = signed ? new int[] {11, 11, 10} : new int[] {11, 10, 10};
    long left = k;
    long prefix = 0;
    int prefixShift = 32;
    for (int pass = 0; pass < shifts.length; pass++) {
      long[] counts = histogram(shifts[pass], 1 << bits[pass], prefixShift, prefix);
      int bin = counts.length - 1;
      while (left > counts[bin]) {
        left -= counts[bin--];
      }
      prefix = prefix << bits[pass] | bin;
      prefixShift = shifts[pass];
    }
    int key = signed ? (int) prefix ^ Integer.MIN_VALUE : (int) prefix;
    search(k, key, key);
  }

  /** Counts by some bits of the key among those that have a prefix; all for a shift of 32. */
  public long[] histogram(int shift, int bins, int prefixShift, long prefix) {
    long[] all = new long[bins];
    for (int i = 0; i < values.size(); i++) {
      long units = units(values.get(i).elements(), SelectKernels.HISTOGRAM_UNIT);
      try (Scratch pass = new Scratch(engine)) {
        Tensor counts = pass.tensor(DType.I32, units * bins);
        engine.run(
            call(SelectKernels.HISTOGRAM, i, SelectKernels.HISTOGRAM_UNIT)
                .array(2, counts)
                .integer(3, shift)
                .integer(4, bins)
                .integer(5, prefixShift)
                .integer(6, prefix));
        int[] read = pass.ints(counts);
        for (int u = 0; u < read.length; u++) {
          all[u % bins] += read[u];
        }
      }
    }
    passes++;
    return all;
  }

  /**
   * Writes the masks of what was found.
   *
   * @param out one BIT tensor per tensor; may be the masks of what takes part
   * @param k as given to {@link #find}
   * @return how many stay
   */
  public long write(List<Tensor> out, long k, Ties ties) {
    long quota = ties == Ties.LOWEST_INDEX ? Math.max(0, k - greater) : 0;
    for (int i = 0; i < out.size(); i++) {
      long[] kept = equal[i].clone();
      if (ties != Ties.ALL) {
        for (int u = 0; u < kept.length; u++) {
          kept[u] = Math.min(kept[u], quota);
          quota -= kept[u];
        }
      }
      try (Scratch pass = new Scratch(engine)) {
        engine.run(
            call(SelectKernels.MASK, i, SelectKernels.UNIT)
                .array(2, pass.longs(kept))
                .array(3, out.get(i))
                .integer(3, threshold));
      }
    }
    return switch (ties) {
      case LOWEST_INDEX -> k;
      case NONE -> greater;
      case ALL -> greater + equals;
    };
  }
}
