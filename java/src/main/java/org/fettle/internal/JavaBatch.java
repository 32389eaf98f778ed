package org.fettle.internal;

import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;

/**
 * A batch on the Java backend: the drivers of {@code native/src/cpu/primitives.cpp} and what {@code
 * cpu_primitives.cpp} does around them.
 */
final class JavaBatch implements BatchRunner {
  /** Elements of a tile, and pixels of a unit. */
  static final int TILE = 512;

  private static final long LEAST_PER_PARTICIPANT = 16 * 1024;
  private static final int FACTORS = 8;
  private static final int SUMS = 4;

  private final List<Batch.Item> items;
  private final StoredArray[][] arrays;
  private final int[] tiles;
  private final long[] firstUnit;
  private final int[] firstSum;
  private final long units;
  private final double[][] factors;
  private final double[][] partial;
  private final double[][] sums;
  private final Workers workers;
  private final int participants;
  private final long rangeUnits;
  private final AtomicLong cursor = new AtomicLong();
  private final ThreadLocal<Scratch> scratches;
  private final Runnable work = this::takeRanges;

  JavaBatch(Batch batch) {
    items = batch.items();
    int count = items.size();
    arrays = new StoredArray[count][];
    tiles = new int[count];
    int tile = TILE;
    firstUnit = new long[count];
    firstSum = new int[count];
    long unit = 0;
    long sum = 0;
    int planes = 0;
    for (int i = 0; i < count; i++) {
      Batch.Item item = items.get(i);
      arrays[i] = item.arrays().stream().map(StoredArray::new).toArray(StoredArray[]::new);
      tiles[i] = item.tile(TILE);
      tile = Math.max(tile, tiles[i]);
      firstUnit[i] = unit;
      firstSum[i] = Math.toIntExact(sum);
      unit += item.units();
      sum = Math.addExact(sum, item.units() * item.sumsPerUnit());
      planes = Math.max(planes, item.primitive().sums());
    }
    units = unit;
    factors = new double[count][FACTORS];
    sums = new double[count][SUMS];
    partial = new double[planes][Math.toIntExact(planes == 0 ? 0 : sum)];
    participants = batch.participants(LEAST_PER_PARTICIPANT);
    workers = new Workers(participants, null);
    int largest = tile;
    scratches = ThreadLocal.withInitial(() -> new Scratch(largest));
    rangeUnits = Math.max(1, units / (participants == 1 ? 1 : 8L * participants));
  }

  /** A participant's tiles. */
  private static final class Scratch {
    final StoredArray.Scratch stored;
    final float[] c = new float[FACTORS];
    final float[] row = new float[FACTORS];
    final float[][] in;
    final float[][] out;
    final float[][] a;
    final float[][] b;
    final double[][] lanes = new double[SUMS][PlanSpec.LANES];

    Scratch(int tile) {
      stored = new StoredArray.Scratch(tile);
      in = new float[4][tile];
      out = new float[3][tile];
      a = new float[SUMS][tile];
      b = new float[SUMS][tile];
    }
  }

  @Override
  public void factor(int item, int index, double value) {
    factors[item][index] = value;
  }

  @Override
  public double sum(int item, int index) {
    return sums[item][index];
  }

  @Override
  public void run() {
    JavaRunner.checkDenormals();
    cursor.set(0);
    if (participants == 1) {
      takeRanges();
    } else {
      workers.run(participants, work);
    }
    for (int i = 0; i < items.size(); i++) {
      finish(i);
    }
  }

  private void finish(int index) {
    Batch.Item item = items.get(index);
    int count = (int) item.units();
    int each = (int) item.sumsPerUnit();
    int at = firstSum[index];
    for (int plane = 0; plane < item.primitive().sums(); plane++) {
      double[] values = partial[plane];
      // A row's value stands at the front of the row's own scratch.
      for (int unit = 1; each > 1 && unit < count; unit++) {
        values[at + unit] = values[at + unit * each];
      }
      sums[index][plane] =
          item.primitive().isMaximum()
              ? largest(values, at, count)
              : Reduction.tree(values, at, count);
    }
  }

  private static double largest(double[] values, int at, int count) {
    double largest = 0.0;
    for (int i = 0; i < count; i++) {
      if (Double.isNaN(values[at + i])) {
        return Double.NaN;
      }
      largest = Math.max(largest, values[at + i]);
    }
    return largest;
  }

  private void takeRanges() {
    Scratch scratch = scratches.get();
    while (true) {
      long first = cursor.getAndAdd(rangeUnits);
      if (first >= units) {
        return;
      }
      range(scratch, first, Math.min(units, first + rangeUnits));
    }
  }

  private void range(Scratch scratch, long first, long last) {
    long unit = first;
    for (int i = 0; i < items.size() && unit < last; i++) {
      long end = Math.min(firstUnit[i] + items.get(i).units(), last);
      for (; unit < end; unit++) {
        switch (items.get(i).primitive().kind()) {
          case ELEMENTS -> chunk(scratch, i, unit - firstUnit[i]);
          case ROWS -> row(scratch, i, unit - firstUnit[i]);
          case PIXELS -> pixels(scratch, i, unit - firstUnit[i]);
        }
      }
    }
  }

  private void chunk(Scratch s, int index, long chunk) {
    Batch.Item item = items.get(index);
    Primitive primitive = item.primitive();
    StoredArray[] array = arrays[index];
    int tile = tiles[index];
    int inputs = primitive.inputs();
    int outputs = primitive.outputs();
    for (int k = 0; k < FACTORS; k++) {
      s.c[k] = (float) factors[index][k];
    }
    for (double[] lanes : s.lanes) {
      Arrays.fill(lanes, 0.0);
    }
    float largest = 0f;
    long first = chunk * PlanSpec.CHUNK;
    long last = Math.min(first + PlanSpec.CHUNK, item.elements());
    for (long at = first; at < last; at += tile) {
      int n = (int) Math.min(tile, last - at);
      if (primitive.saves()) {
        s.stored.codec.copy(array[0].values(), array[inputs + outputs].values(), at, n);
      }
      for (int k = 0; k < inputs; k++) {
        array[k].decode(at, n, s.in[k], s.stored);
      }
      primitive.apply(s.c, n, s.in, s.out, s.a, s.b);
      for (int k = 0; k < outputs; k++) {
        array[inputs + k].encode(at, n, s.out[k], s.stored);
      }
      if (primitive.isMaximum()) {
        for (int i = 0; i < n; i++) {
          // Math.max keeps NaN, and no value is below 0.
          largest = Math.max(largest, s.a[0][i]);
        }
      } else {
        for (int k = 0; k < primitive.sums(); k++) {
          Reduction.accumulate(s.lanes[k], s.a[k], s.b[k], n);
        }
      }
    }
    for (int k = 0; k < primitive.sums(); k++) {
      partial[k][firstSum[index] + (int) chunk] =
          primitive.isMaximum() ? largest : Reduction.tree(s.lanes[k], 0, PlanSpec.LANES);
    }
  }

  private void row(Scratch s, int index, long row) {
    Batch.Item item = items.get(index);
    RowPrimitive primitive = item.primitive().rows();
    StoredArray[] array = arrays[index];
    int inputs = item.primitive().inputs();
    int chunks = (int) item.sumsPerUnit();
    long first = row * item.row();
    long last = first + item.row();
    int sumsAt = firstSum[index] + (int) row * chunks;
    for (int k = 0; k < chunks; k++) {
      long from = first + (long) k * PlanSpec.CHUNK;
      partial[0][sumsAt + k] =
          rowChunk(s, primitive, array[0], from, Math.min(from + PlanSpec.CHUNK, last));
    }
    double sum = Reduction.tree(partial[0], sumsAt, chunks);
    float at = 0f;
    long label = 0;
    if (primitive.isLabelled()) {
      label = first + item.labels().at((int) row);
      array[0].decode(label, 1, s.in[0], s.stored);
      at = s.in[0][0];
    }
    partial[0][sumsAt] = primitive.begin(factors[index], sum, at, s.row);
    if (item.primitive().outputs() == 0) {
      return;
    }
    for (long tile = first; tile < last; tile += TILE) {
      int n = (int) Math.min(TILE, last - tile);
      for (int k = 0; k < inputs; k++) {
        array[k].decode(tile, n, s.in[k], s.stored);
      }
      primitive.apply(s.row, n, s.in, s.out[0]);
      array[inputs].encode(tile, n, s.out[0], s.stored);
    }
    if (primitive.isLabelled()) {
      s.out[0][0] = primitive.applyLabel(s.row, at);
      array[inputs].encode(label, 1, s.out[0], s.stored);
    }
  }

  private static double rowChunk(
      Scratch s, RowPrimitive primitive, StoredArray array, long first, long last) {
    int used = (int) Math.min(PlanSpec.LANES, last - first);
    Arrays.fill(s.lanes[0], 0, used, 0.0);
    for (long at = first; at < last; at += TILE) {
      int n = (int) Math.min(TILE, last - at);
      array.decode(at, n, s.in[0], s.stored);
      primitive.terms(n, s.in[0], s.a[0], s.b[0]);
      Reduction.accumulate(s.lanes[0], s.a[0], s.b[0], n);
    }
    return Reduction.tree(s.lanes[0], 0, used);
  }

  private void pixels(Scratch s, int index, long unit) {
    Batch.Item item = items.get(index);
    StoredArray[] array = arrays[index];
    long runs = (item.pixels() - 1) / TILE + 1;
    long pixel = unit % runs * TILE;
    int n = (int) Math.min(TILE, item.pixels() - pixel);
    long image = unit / runs * item.row() * item.pixels() + pixel;
    float limit = (float) factors[index][0];
    float[] factor = s.a[0];
    float[] g = s.in[0];
    Arrays.fill(factor, 0, n, 0f);
    for (long channel = 0; channel < item.row(); channel++) {
      array[0].decode(image + channel * item.pixels(), n, g, s.stored);
      for (int i = 0; i < n; i++) {
        factor[i] = Math.max(factor[i], Math.abs(g[i]));
      }
    }
    for (int i = 0; i < n; i++) {
      factor[i] = item.primitive().pixelFactor(limit, factor[i]);
    }
    for (long channel = 0; channel < item.row(); channel++) {
      long at = image + channel * item.pixels();
      array[0].decode(at, n, g, s.stored);
      for (int i = 0; i < n; i++) {
        s.out[0][i] = g[i] * factor[i];
      }
      array[1].encode(at, n, s.out[0], s.stored);
    }
  }

  @Override
  public void close() {
    // The tensors are the caller's.
  }
}
