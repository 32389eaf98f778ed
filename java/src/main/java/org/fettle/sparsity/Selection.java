package org.fettle.sparsity;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.Engine;
import org.fettle.internal.KernelCall;
import org.fettle.internal.Keys;
import org.fettle.internal.Selector;
import org.fettle.internal.TensorChecks;
import org.fettle.internal.kernels.SelectKernels;

/**
 * The k largest of one tensor or of many, as if they stood one behind the other: masks, the k-th
 * value, counts, indices. Exact, with ties to the lowest index, and the same on every backend.
 *
 * <p>Values are compared by integer keys: zeros of both signs are equal, denormals are told apart,
 * NaN stands above infinity and so is kept. The values are read once before the mask is written,
 * and at most five times where most of them are equal.
 *
 * <p>Immutable; each {@code with} method answers another one.
 */
public final class Selection {
  /** What is compared. */
  public enum Key {
    /** Magnitudes. */
    MAGNITUDE,
    /** Values with their signs, such as scores. */
    SIGNED
  }

  /** What becomes of values that equal the k-th largest. */
  public enum Ties {
    /** Exactly k stay: of equal ones those with the lowest indices. */
    LOWEST_INDEX(Selector.Ties.LOWEST_INDEX),
    /** None of them stays: only what is above the k-th (GraNet, open_lth). */
    NONE(Selector.Ties.NONE),
    /** All of them stay (the original SNIP). */
    ALL(Selector.Ties.ALL);

    private final Selector.Ties ties;

    Ties(Selector.Ties ties) {
      this.ties = ties;
    }
  }

  /**
   * What a selection has found.
   *
   * @param threshold the k-th largest magnitude or value; infinity for k = 0
   * @param greater how many are above it
   * @param equal how many equal it
   * @param kept how many stay
   * @param passes how often the values were read before masks were written
   */
  public record Outcome(float threshold, long greater, long equal, long kept, int passes) {}

  private static final DType[] VALUES = {DType.F32, DType.BF16, DType.F16};

  private final Backend backend;
  private final Key key;
  private final Ties ties;
  private final List<Tensor> part;
  private final boolean outside;
  private final int threads;

  private Selection(
      Backend backend, Key key, Ties ties, List<Tensor> part, boolean outside, int threads) {
    this.backend = backend;
    this.key = key;
    this.ties = ties;
    this.part = part;
    this.outside = outside;
    this.threads = threads;
  }

  /** Selection of exactly k by magnitude among all elements, on a backend. */
  public static Selection on(Backend backend) {
    return new Selection(
        Objects.requireNonNull(backend, "backend"),
        Key.MAGNITUDE,
        Ties.LOWEST_INDEX,
        null,
        false,
        Runtime.getRuntime().availableProcessors());
  }

  /** By another key; magnitude by default. */
  public Selection withKey(Key newKey) {
    Objects.requireNonNull(newKey, "key");
    return new Selection(backend, newKey, ties, part, outside, threads);
  }

  /** With another rule for ties; {@link Ties#LOWEST_INDEX} by default. */
  public Selection withTies(Ties newTies) {
    Objects.requireNonNull(newTies, "ties");
    return new Selection(backend, key, newTies, part, outside, threads);
  }

  /**
   * Only among elements whose bit is 1, one BIT tensor per tensor. What is outside is never kept.
   */
  public Selection inside(List<Tensor> masks) {
    return new Selection(backend, key, ties, List.copyOf(masks), false, threads);
  }

  /**
   * Only among elements whose bit is 0, one BIT tensor per tensor. What is inside is never kept.
   */
  public Selection outside(List<Tensor> masks) {
    return new Selection(backend, key, ties, List.copyOf(masks), true, threads);
  }

  /** With at most so many threads; all processors by default. Results do not depend on it. */
  public Selection withThreads(int most) {
    Range.check("threads", most, most >= 1, ">= 1");
    return new Selection(backend, key, ties, part, outside, most);
  }

  /**
   * The masks of the k largest.
   *
   * @param k 0 to the number of elements that take part
   * @param values F32, BF16 or F16 tensors of one format
   * @param masks BIT tensors of their shapes, which are written; may be those of {@link #inside}
   * @throws IllegalArgumentException if there are no tensors, k is out of range, a format, shape or
   *     device does not fit, or a mask has ones behind its last element
   */
  public Outcome keepLargest(long k, List<Tensor> values, List<Tensor> masks) {
    Engine engine = check(values, masks);
    Selector selector = selector(engine, values);
    checkCount(k, selector);
    selector.find(k);
    int passes = selector.passes();
    long kept = selector.write(masks, k, ties.ties);
    return outcome(selector, k, values, kept, passes);
  }

  /** The mask of the k largest of one tensor. */
  public Outcome keepLargest(long k, Tensor values, Tensor mask) {
    return keepLargest(k, List.of(values), List.of(mask));
  }

  /**
   * The masks without the {@code count} smallest: with the other rules for ties, without all that
   * are at most ({@link Ties#NONE}) or less than ({@link Ties#ALL}) the next larger one.
   *
   * @param count 0 to the number of elements that take part
   */
  public Outcome dropSmallest(long count, List<Tensor> values, List<Tensor> masks) {
    Engine engine = check(values, masks);
    Selector selector = selector(engine, values);
    checkCount(count, selector);
    long k = selector.candidates() - count;
    selector.find(k);
    int passes = selector.passes();
    long kept = selector.write(masks, k, ties.ties);
    return outcome(selector, k, values, kept, passes);
  }

  /** What {@link #keepLargest} would find, without masks. */
  public Outcome find(long k, List<Tensor> values) {
    Engine engine = check(values, null);
    Selector selector = selector(engine, values);
    checkCount(k, selector);
    selector.find(k);
    long kept =
        switch (ties) {
          case LOWEST_INDEX -> k;
          case NONE -> selector.greater();
          case ALL -> selector.greater() + selector.equals();
        };
    return outcome(selector, k, values, kept, selector.passes());
  }

  /** How many elements of some tensors take part. */
  public long candidates(List<Tensor> values) {
    return selector(check(values, null), values).candidates();
  }

  /**
   * The places of the k largest of one tensor, the largest first, of equal ones the lowest index.
   *
   * @param values a tensor of less than 2^31 elements
   */
  public int[] indices(long k, Tensor values) {
    Range.check("elements", values.elements(), values.elements() <= Integer.MAX_VALUE, "< 2^31");
    Engine engine = check(List.of(values), null);
    Selector selector = selector(engine, List.of(values));
    checkCount(k, selector);
    selector.find(k);
    Gatherer gatherer = new Gatherer(engine, values, part == null ? null : part.get(0));
    long[] order = gatherer.gather(k, selector.threshold(), k - selector.greater());
    Arrays.sort(order);
    int[] indices = new int[order.length];
    for (int i = 0; i < indices.length; i++) {
      indices[i] = (int) order[i];
    }
    return indices;
  }

  /**
   * The k largest of every row, the largest first, of equal ones the lowest column.
   *
   * @param k 0 to the number of columns
   * @param x F32 of two axes
   * @param values F32 [rows, k], which receives the values, bit for bit
   * @param columns I32 [rows, k], which receives where they stand
   */
  public void topRows(int k, Tensor x, Tensor values, Tensor columns) {
    TensorChecks checks = new TensorChecks(backend);
    checks.reads("x", x, DType.F32).rank("x", x, 2);
    long rows = x.shape()[0];
    long width = x.shape()[1];
    Range.check("k", k, k >= 0 && k <= width, "0 to " + width + ", the columns");
    Range.check("columns", width, width <= Integer.MAX_VALUE, "< 2^31");
    checks.writes("values", values, DType.F32).shape("values", values, rows, k);
    checks.writes("columns", columns, DType.I32).shape("columns", columns, rows, k);
    checks
        .done()
        .run(
            new KernelCall(SelectKernels.TOPK_ROWS)
                .arrays(x, values, columns)
                .integers(key == Key.SIGNED ? 1 : 0, width, k)
                .units(rows, 16 * x.elements())
                .threads(threads));
  }

  /**
   * How many values have each of the 2,048 upper 11 bits of a magnitude key; of F32 values, eight
   * bins of one exponent each.
   */
  public long[] histogram(Tensor values) {
    Selector selector = selector(check(List.of(values), null), List.of(values));
    return key == Key.SIGNED
        ? selector.histogram(21, 2048, 32, 0)
        : selector.histogram(20, 2048, 32, 0);
  }

  /**
   * How many F32 or BF16 values have each of the 256 exponents; 0 stands for zeros and denormals.
   */
  public long[] exponentHistogram(Tensor values) {
    if (values.dtype() == DType.F16) {
      throw new IllegalArgumentException("values are F16: expected F32 or BF16");
    }
    long[] bins = withKey(Key.MAGNITUDE).histogram(values);
    long[] exponents = new long[256];
    for (int i = 0; i < bins.length; i++) {
      exponents[i / 8] += bins[i];
    }
    return exponents;
  }

  private Engine check(List<Tensor> values, List<Tensor> masks) {
    if (values.isEmpty()) {
      throw new IllegalArgumentException("no tensors: expected at least one");
    }
    TensorChecks checks = new TensorChecks(backend);
    size("masks of what takes part", part, values);
    size("masks", masks, values);
    for (int i = 0; i < values.size(); i++) {
      Tensor x = values.get(i);
      checks.reads("values " + i, x, VALUES);
      if (x.dtype() != values.get(0).dtype()) {
        throw new IllegalArgumentException(
            "values " + i + " is " + x + ": expected the format of " + values.get(0));
      }
      Tensor inside = part == null ? null : part.get(i);
      Tensor mask = masks == null ? null : masks.get(i);
      if (inside != null) {
        checks.like("mask of what takes part " + i, inside, x);
      }
      if (mask != null) {
        checks.like("mask " + i, mask, x);
      }
      if (inside != null && mask != null) {
        checks.maps("mask of what takes part " + i, inside, "mask " + i, mask, DType.BIT);
      } else if (inside != null) {
        checks.reads("mask of what takes part " + i, inside, DType.BIT);
      } else if (mask != null) {
        checks.writes("mask " + i, mask, DType.BIT);
      }
    }
    return checks.done();
  }

  private static void size(String name, List<Tensor> masks, List<Tensor> values) {
    if (masks != null && masks.size() != values.size()) {
      throw new IllegalArgumentException(
          masks.size() + " " + name + ": expected " + values.size() + ", as many as values");
    }
  }

  private Selector selector(Engine engine, List<Tensor> values) {
    return new Selector(engine, values, part, outside, key == Key.SIGNED, threads);
  }

  private static void checkCount(long k, Selector selector) {
    Range.check("k", k, k >= 0 && k <= selector.candidates(), "0 to " + selector.candidates());
  }

  private static Outcome outcome(
      Selector selector, long k, List<Tensor> values, long kept, int passes) {
    float threshold =
        k == 0 ? Float.POSITIVE_INFINITY : Keys.value(selector.threshold(), values.get(0).dtype());
    return new Outcome(threshold, selector.greater(), selector.equals(), kept, passes);
  }

  /** Reads the kept elements of a tensor, a part at a time. */
  private final class Gatherer {
    private static final int RUN = 65536;

    private final Engine engine;
    private final Tensor values;
    private final Tensor mask;

    Gatherer(Engine engine, Tensor values, Tensor mask) {
      this.engine = engine;
      this.values = values;
      this.mask = mask;
    }

    /** Words in whose order the kept elements go: the key, then the place. */
    long[] gather(long k, int threshold, long equal) {
      long[] order = new long[Math.toIntExact(k)];
      int kept = 0;
      long left = equal;
      for (long at = 0; at < values.elements() && kept < k; at += RUN) {
        int n = (int) Math.min(RUN, values.elements() - at);
        ByteBuffer x = read(values, values.dtype().bytes(at), (int) values.dtype().bytes(n));
        ByteBuffer bits = mask == null ? null : read(mask, at / 8, (n + 7) / 8);
        for (int i = 0; i < n && kept < k; i++) {
          if (bits != null && (bits.get(i / 8) >> (i % 8) & 1) == (outside ? 1 : 0)) {
            continue;
          }
          int word = values.dtype() == DType.F32 ? x.getInt(4 * i) : x.getShort(2 * i) << 16;
          int one = Keys.of(word, values.dtype(), key == Key.SIGNED);
          if (one > threshold || (one == threshold && left-- > 0)) {
            order[kept++] = (long) ~one << 32 | (at + i);
          }
        }
      }
      return order;
    }

    private ByteBuffer read(Tensor tensor, long offset, int bytes) {
      ByteBuffer buffer = ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder());
      engine.read(tensor, offset, buffer);
      return buffer.flip().order(ByteOrder.nativeOrder());
    }
  }
}
