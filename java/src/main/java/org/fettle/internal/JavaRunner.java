package org.fettle.internal;

import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.fettle.GradientClip;
import org.fettle.NonFinite;
import org.fettle.Rule;
import org.fettle.Step;
import org.fettle.Tensor;

/**
 * A plan on the Java backend: the phases of a step, in the order of {@code
 * native/include/fettle/step.h}.
 *
 * <p>Chunks are independent of each other; participants take ranges of them from one cursor.
 */
final class JavaRunner implements Runner {
  private static final long INLINE_ELEMENTS = 16 * 1024;

  private enum Phase {
    GRADIENT,
    GATHER,
    APPLY
  }

  private final PlanSpec plan;
  private final JavaTensor[] tensors;
  private final long chunks;
  private final double[][] sums;
  private final double[] tensorSums;
  private final boolean gradientPass;
  private final int gathers;
  private final Workers workers;
  private final int participants;
  private final long rangeChunks;
  private final AtomicLong cursor = new AtomicLong();
  private final AtomicBoolean nonFinite = new AtomicBoolean();
  private final ThreadLocal<JavaTile> tiles = ThreadLocal.withInitial(JavaTile::new);
  private final Runnable work = this::takeRanges;
  private Phase phase;
  private int gather;
  private double gradientNorm = Double.NaN;
  private double ruleNorm;

  JavaRunner(PlanSpec plan) {
    this.plan = plan;
    tensors = new JavaTensor[plan.tensors().size()];
    long count = 0;
    for (int i = 0; i < tensors.length; i++) {
      PlanSpec.Entry entry = plan.tensors().get(i);
      tensors[i] = new JavaTensor(plan, entry, i, count);
      count += entry.chunks();
    }
    chunks = count;
    gradientPass = plan.needsGradientPass();
    gathers = plan.gathers();
    int planes = plan.rules().stream().mapToInt(Rule::sums).max().orElse(0);
    planes = Math.max(planes, gradientPass ? 1 : 0);
    sums = new double[planes][Math.toIntExact(planes == 0 ? 0 : chunks)];
    tensorSums = new double[tensors.length];
    long elements = plan.elements();
    participants = (int) Math.max(1, Math.min(plan.threads(), elements / INLINE_ELEMENTS));
    rangeChunks = Math.max(1, chunks / (4L * participants));
    workers = new Workers(participants, plan.executor());
  }

  @Override
  public void stage(Step step) {
    for (JavaTensor tensor : tensors) {
      tensor.stage(step);
    }
  }

  @Override
  public boolean stopped() {
    return nonFinite.get() && plan.nonFinite() != NonFinite.PASS;
  }

  @Override
  public void checkThread() {
    checkDenormals();
  }

  @Override
  public boolean stepStaged() {
    nonFinite.set(false);
    if (gradientPass) {
      run(Phase.GRADIENT, 0);
      finishGradientPass();
      if (stopped()) {
        return false;
      }
    }
    for (JavaTensor tensor : tensors) {
      if (tensor.active) {
        tensor.prepare(gradientNorm, ruleNorm);
      }
    }
    for (int k = 0; k < gathers; k++) {
      run(Phase.GATHER, k);
      combine(k);
    }
    run(Phase.APPLY, 0);
    for (JavaTensor tensor : tensors) {
      tensor.commit();
    }
    return true;
  }

  private void run(Phase newPhase, int newGather) {
    phase = newPhase;
    gather = newGather;
    cursor.set(0);
    if (participants == 1) {
      takeRanges();
    } else {
      workers.run(participants, work);
    }
  }

  private void takeRanges() {
    if (Denormals.areFlushed()) {
      // A helper's thread; the caller's was looked at before the step. Others do its work.
      return;
    }
    JavaTile tile = tiles.get();
    while (true) {
      long first = cursor.getAndAdd(rangeChunks);
      if (first >= chunks) {
        return;
      }
      range(tile, first, Math.min(chunks, first + rangeChunks));
    }
  }

  private void range(JavaTile tile, long first, long last) {
    long chunk = first;
    for (int i = tensorOf(first); i < tensors.length && chunk < last; i++) {
      JavaTensor tensor = tensors[i];
      long from = chunk - tensor.firstChunk;
      long to = Math.min(tensor.entry.chunks(), last - tensor.firstChunk);
      if (to <= from) {
        continue;
      }
      chunk = tensor.firstChunk + to;
      if (!tensor.active) {
        continue;
      }
      for (long k = from; k < to; k++) {
        switch (phase) {
          case GRADIENT -> gradientChunk(tile, tensor, k);
          case GATHER -> gatherChunk(tile, tensor, k);
          case APPLY -> applyChunk(tile, tensor, k);
        }
      }
    }
  }

  /** The last tensor whose first chunk is not behind {@code chunk}. */
  private int tensorOf(long chunk) {
    int low = 0;
    int high = tensors.length;
    while (high - low > 1) {
      int middle = (low + high) >>> 1;
      if (tensors[middle].firstChunk <= chunk) {
        low = middle;
      } else {
        high = middle;
      }
    }
    return low;
  }

  private void applyChunk(JavaTile tile, JavaTensor tensor, long chunk) {
    PlanSpec.Entry entry = tensor.entry;
    float[] coefficients = tensor.coefficients;
    if (tensor.rule.rowwise()) {
      coefficients = tile.enterRow(tensor, entry.rowOf(chunk));
    }
    tile.apply(tensor, coefficients, entry.first(chunk), entry.last(chunk));
  }

  private void gradientChunk(JavaTile tile, JavaTensor tensor, long chunk) {
    int at = Math.toIntExact(tensor.firstChunk + chunk);
    if (!tile.gradientSum(
        tensor, tensor.entry.first(chunk), tensor.entry.last(chunk), sums[0], at)) {
      nonFinite.set(true);
    }
  }

  private void gatherChunk(JavaTile tile, JavaTensor tensor, long chunk) {
    if (gather < tensor.rule.gathers()) {
      int at = Math.toIntExact(tensor.firstChunk + chunk);
      tile.gather(tensor, gather, tensor.entry.first(chunk), tensor.entry.last(chunk), sums, at);
    }
  }

  private void finishGradientPass() {
    for (int i = 0; i < tensors.length; i++) {
      JavaTensor tensor = tensors[i];
      tensor.gradientSquare =
          tensor.active
              ? Reduction.tree(sums[0], (int) tensor.firstChunk, (int) tensor.entry.chunks())
              : 0.0;
      tensorSums[i] = tensor.gradientSquare;
    }
    gradientNorm = Math.sqrt(Reduction.tree(tensorSums, 0, tensors.length));
    ruleNorm = gradientNorm;
    GradientClip clip = plan.clip();
    if (clip.norm() == GradientClip.Norm.GLOBAL) {
      ruleNorm = gradientNorm * JavaTensor.clipFactor(gradientNorm, clip.maxNorm());
    } else if (clip.norm() == GradientClip.Norm.TENSOR) {
      for (int i = 0; i < tensors.length; i++) {
        double square = tensors[i].gradientSquare;
        double factor = JavaTensor.clipFactor(Math.sqrt(square), clip.maxNorm());
        tensorSums[i] = factor * factor * square;
      }
      ruleNorm = Math.sqrt(Reduction.tree(tensorSums, 0, tensors.length));
    }
  }

  private void combine(int k) {
    for (JavaTensor tensor : tensors) {
      Rule rule = tensor.rule;
      if (!tensor.active || k >= rule.gathers()) {
        continue;
      }
      if (rule.rowwise()) {
        tensor.reduceRows(sums);
      } else {
        for (int j = 0; j < rule.sums(); j++) {
          tensor.ruleSums[j] =
              Reduction.reduce(
                  rule.maximum(), sums[j], (int) tensor.firstChunk, (int) tensor.entry.chunks());
        }
      }
      rule.combine(k, tensor, tensor.ruleSums, tensor.coefficients);
      if (rule.rowwise()) {
        tensor.combineRows(k);
      }
    }
  }

  /**
   * Another library may have made this thread flush denormals, and Java cannot put that right: it
   * can only refuse.
   */
  static void checkDenormals() {
    if (Denormals.areFlushed()) {
      throw new IllegalStateException(
          "this thread flushes denormal numbers, because a library built with -ffast-math was loaded on it; start Java with"
              + " -XX:+RestoreMXCSROnJNICalls");
    }
  }

  /** Kept from being folded by the compiler. */
  private static final class Denormals {
    private static volatile float smallest = Float.MIN_NORMAL;

    static boolean areFlushed() {
      return smallest * 0.5f == 0f;
    }
  }

  @Override
  public void gradient(int tensor, Tensor gradient) {
    tensors[tensor].gradient(gradient);
  }

  @Override
  public long stepCount(int tensor) {
    return tensors[tensor].stepCount;
  }

  @Override
  public void stepCount(int tensor, long count) {
    tensors[tensor].stepCount = count;
  }

  @Override
  public double scalar(int tensor, int index) {
    return tensors[tensor].scalars[index];
  }

  @Override
  public void scalar(int tensor, int index, double value) {
    tensors[tensor].scalars[index] = value;
  }

  @Override
  public double gradientNorm() {
    return gradientPass ? gradientNorm : Double.NaN;
  }

  @Override
  public double gradientNorm(int tensor) {
    return gradientPass ? Math.sqrt(tensors[tensor].gradientSquare) : Double.NaN;
  }

  @Override
  public void close() {
    // The tensors are the plan's and the caller's.
  }
}
