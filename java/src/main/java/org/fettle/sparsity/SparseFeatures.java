package org.fettle.sparsity;

import java.util.Arrays;
import java.util.Objects;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.Engine;
import org.fettle.internal.KernelCall;
import org.fettle.internal.Scratch;
import org.fettle.internal.Selector;
import org.fettle.internal.TensorChecks;
import org.fettle.internal.kernels.ActivationKernels;
import org.fettle.internal.kernels.ScoreKernels;

/**
 * The sparse activations of autoencoders: TopK and AuxK (arXiv:2406.04093), Feature Choice and
 * Mutual Choice (arXiv:2411.02124). Every choice is rectified afterwards, so less than k positives
 * are possible. Activations are F32 [batch, features].
 */
public final class SparseFeatures {
  private final Backend backend;

  private SparseFeatures(Backend backend) {
    this.backend = backend;
  }

  /** Activations on a backend. */
  public static SparseFeatures on(Backend backend) {
    return new SparseFeatures(Objects.requireNonNull(backend, "backend"));
  }

  /**
   * The k largest of every row, before rectification.
   *
   * @param values F32 [batch, k]
   * @param columns I32 [batch, k]
   */
  public void topK(int k, Tensor activations, Tensor values, Tensor columns) {
    Selection.on(backend).withKey(Selection.Key.SIGNED).topRows(k, activations, values, columns);
  }

  /**
   * The k largest of every row among dead features; those of live ones are multiplied by 0 before.
   *
   * @param dead BIT [features], see {@link #dead}
   */
  public void auxiliaryTopK(int k, Tensor activations, Tensor dead, Tensor values, Tensor columns) {
    TensorChecks checks = new TensorChecks(backend).reads("activations", activations, DType.F32);
    checks.rank("activations", activations, 2);
    long features = activations.shape()[1];
    checks.reads("dead", dead, DType.BIT).shape("dead", dead, features);
    Engine engine = checks.done();
    try (Scratch scratch = new Scratch(engine)) {
      Tensor chosen = scratch.tensor(DType.F32, activations.shape());
      engine.run(
          new KernelCall(ActivationKernels.SELECT_COLUMNS)
              .arrays(activations, dead, chosen)
              .integers(features)
              .units(activations.shape()[0], activations.elements()));
      topK(k, chosen, values, columns);
    }
  }

  /**
   * Rectified entries where they stand, zeros elsewhere.
   *
   * @param out F32 [batch, features]
   */
  public void dense(Tensor values, Tensor columns, Tensor out) {
    TensorChecks checks = sparse(values, columns);
    checks.writes("out", out, DType.F32).rank("out", out, 2);
    checks.shape("out", out, values.shape()[0], out.shape()[1]);
    Engine engine = checks.done();
    checkColumns(engine, columns, out.shape()[1]);
    engine.run(
        new KernelCall(ActivationKernels.SCATTER)
            .arrays(values, columns, out)
            .integers(values.shape()[1], out.shape()[1])
            .units(values.shape()[0], out.elements()));
  }

  /**
   * Rectified entries times a decoder, summed in double in their order.
   *
   * @param decoder F32 [features, width]
   * @param out F32 [batch, width]
   */
  public void decode(Tensor values, Tensor columns, Tensor decoder, Tensor out) {
    TensorChecks checks = sparse(values, columns);
    checks.reads("decoder", decoder, DType.F32).rank("decoder", decoder, 2);
    long width = decoder.shape()[1];
    checks.writes("out", out, DType.F32).shape("out", out, values.shape()[0], width);
    Engine engine = checks.done();
    checkColumns(engine, columns, decoder.shape()[0]);
    engine.run(
        new KernelCall(ActivationKernels.DECODE)
            .arrays(values, columns, decoder, out)
            .integers(values.shape()[1], width)
            .units(values.shape()[0], values.elements() * width));
  }

  /**
   * Feature Choice: the m largest of every column, rectified.
   *
   * @param m 0 to batch
   * @param out F32 of the activations' shape
   */
  public void featureChoice(int m, Tensor activations, Tensor out) {
    TensorChecks checks = new TensorChecks(backend).reads("activations", activations, DType.F32);
    checks.rank("activations", activations, 2);
    long batch = activations.shape()[0];
    long features = activations.shape()[1];
    Range.check("m", m, m >= 0 && m <= batch, "0 to " + batch + ", the batch");
    checks.writes("out", out, DType.F32).like("out", out, activations);
    Engine engine = checks.done();
    try (Scratch scratch = new Scratch(engine)) {
      Tensor turned = scratch.tensor(DType.F32, features, batch);
      Tensor values = scratch.tensor(DType.F32, features, m);
      Tensor columns = scratch.tensor(DType.I32, features, m);
      transpose(engine, activations, turned);
      topK(m, turned, values, columns);
      dense(values, columns, turned);
      transpose(engine, turned, out);
    }
  }

  /**
   * Mutual Choice: the {@code budget} largest of all, rectified.
   *
   * @param budget 0 to the number of activations
   * @param out F32 of the activations' shape
   */
  public void mutualChoice(long budget, Tensor activations, Tensor out) {
    TensorChecks checks = new TensorChecks(backend).reads("activations", activations, DType.F32);
    checks.writes("out", out, DType.F32).like("out", out, activations);
    Engine engine = checks.done();
    try (Scratch scratch = new Scratch(engine)) {
      Tensor mask = scratch.tensor(DType.BIT, activations.shape());
      Selection.on(backend).withKey(Selection.Key.SIGNED).keepLargest(budget, activations, mask);
      long n = activations.elements();
      engine.run(
          new KernelCall(ActivationKernels.RECTIFY_MASKED)
              .arrays(activations, mask, out)
              .integers(n)
              .units(Selector.units(n, ScoreKernels.UNIT), n));
    }
  }

  /**
   * Counts the steps since every feature has fired: 0 where a chosen value, before rectification,
   * is more than 1e-3, then one more everywhere.
   *
   * @param counters I32 [features]
   */
  public void count(Tensor values, Tensor columns, Tensor counters) {
    TensorChecks checks = sparse(values, columns);
    checks.writes("counters", counters, DType.I32).rank("counters", counters, 1);
    Engine engine = checks.done();
    checkColumns(engine, columns, counters.elements());
    int[] steps = Scratch.ints(engine, counters);
    int[] places = Scratch.ints(engine, columns);
    float[] kept = Scratch.floats(engine, values);
    for (int i = 0; i < kept.length; i++) {
      if (kept[i] > 1e-3f) {
        steps[places[i]] = 0;
      }
    }
    for (int i = 0; i < steps.length; i++) {
      steps[i]++;
    }
    Scratch.write(engine, counters, steps);
  }

  /**
   * The features that have not fired for more than {@code threshold} steps, to be asked after
   * {@link #count}.
   *
   * @param dead BIT [features]
   */
  public void dead(long threshold, Tensor counters, Tensor dead) {
    TensorChecks checks = new TensorChecks(backend).reads("counters", counters, DType.I32);
    checks.writes("dead", dead, DType.BIT).like("dead", dead, counters);
    Engine engine = checks.done();
    int[] steps = Scratch.ints(engine, counters);
    byte[] bits = new byte[Math.toIntExact(dead.bytes())];
    for (int i = 0; i < steps.length; i++) {
      if (steps[i] > threshold) {
        bits[i / 8] |= (byte) (1 << i % 8);
      }
    }
    Scratch.write(engine, dead, bits);
  }

  /**
   * The normalised mean square error: the mean over rows of error over mean square of the target.
   *
   * @param target F32 [batch, width]
   * @param reconstruction F32 of that shape
   * @param skipZeroRows leaves out rows whose target is 0, which else give NaN or infinity
   */
  public double loss(Tensor target, Tensor reconstruction, boolean skipZeroRows) {
    return loss(target, reconstruction, null, skipZeroRows);
  }

  /** The same with what the first reconstruction has left over as target. */
  public double auxiliaryLoss(
      Tensor target, Tensor reconstruction, Tensor auxiliary, boolean skipZeroRows) {
    return loss(target, auxiliary, Objects.requireNonNull(reconstruction), skipZeroRows);
  }

  private double loss(Tensor target, Tensor of, Tensor less, boolean skipZeroRows) {
    TensorChecks checks = new TensorChecks(backend).reads("target", target, DType.F32);
    checks.rank("target", target, 2);
    checks.reads("reconstruction", of, DType.F32).like("reconstruction", of, target);
    if (less != null) {
      checks.reads("first reconstruction", less, DType.F32);
      checks.like("first reconstruction", less, target);
    }
    Engine engine = checks.done();
    try (Scratch scratch = new Scratch(engine)) {
      long rows = target.shape()[0];
      Tensor ratios = scratch.tensor(DType.F64, rows);
      engine.run(
          new KernelCall(ActivationKernels.SQUARE_RATIO)
              .arrays(target, of, less, ratios)
              .integers(target.shape()[1])
              .units(rows, target.elements()));
      double[] all = scratch.doubles(ratios);
      double[] counted = skipZeroRows ? Arrays.stream(all).filter(Double::isFinite).toArray() : all;
      double sum = 0;
      for (double one : counted) {
        sum += one;
      }
      return sum / counted.length;
    }
  }

  private TensorChecks sparse(Tensor values, Tensor columns) {
    TensorChecks checks = new TensorChecks(backend).reads("values", values, DType.F32);
    checks.rank("values", values, 2);
    return checks.reads("columns", columns, DType.I32).like("columns", columns, values);
  }

  private static void checkColumns(Engine engine, Tensor columns, long features) {
    for (int column : Scratch.ints(engine, columns)) {
      if (column < 0 || column >= features) {
        throw new IllegalArgumentException(
            "columns has " + column + ": expected 0 to " + (features - 1));
      }
    }
  }

  private static void transpose(Engine engine, Tensor from, Tensor to) {
    long rows = from.shape()[0];
    engine.run(
        new KernelCall(ActivationKernels.TRANSPOSE)
            .arrays(from, to)
            .integers(rows, from.shape()[1])
            .units(Selector.units(rows, ActivationKernels.TRANSPOSE_ROWS), from.elements()));
  }
}
