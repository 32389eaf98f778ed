package org.fettle.internal;

import org.fettle.GradientClip;
import org.fettle.Rule;
import org.fettle.Step;
import org.fettle.Tensor;

/**
 * One tensor of a plan on the Java backend: where its memory is, and what the step that is being
 * made needs of it.
 */
final class JavaTensor implements Rule.StepContext {
  static final int ROW_COEFFICIENTS = 2;

  final PlanSpec plan;
  final PlanSpec.Entry entry;
  final Rule rule;
  final long firstChunk;
  final int stream;
  final Windows parameter;
  final Windows mask;
  final Windows copy;
  final Windows[] averages;
  final Windows[] states;
  final BlockWindows[] blocks;
  final int tile;
  final float[] coefficients = new float[24];
  final double[] ruleSums = new double[4];
  final double[] scalars;
  final float[] rowCoefficients;
  private final double[][] rowSums;
  private final double[] rowScratch;
  private final double[] oneRow = new double[4];
  private final float[] oneRowCoefficients = new float[ROW_COEFFICIENTS];
  private final double[] kept;
  private double largestScore;
  private final double[] nextScalars;
  private final String[] inputNames;
  private final double[] inputs;

  Windows gradient;
  long stepCount;
  boolean active;
  private boolean skipped;
  double gradientSquare = Double.NaN;
  float unscale;
  float clipValue;
  float clipFactor;
  final float[] averageKeep;
  final float[] averageTake;
  final boolean[] averageDue;
  private double lr;
  private double ruleNorm;

  JavaTensor(PlanSpec plan, PlanSpec.Entry entry, int number, long firstChunk) {
    this.plan = plan;
    this.entry = entry;
    this.firstChunk = firstChunk;
    rule = plan.rules().get(entry.group());
    stream = number * PlanSpec.STREAMS;
    parameter = new Windows(entry.parameter().value());
    mask = windows(entry.parameter().mask());
    copy = windows(entry.parameter().copy());
    averages = entry.parameter().averages().stream().map(Windows::new).toArray(Windows[]::new);
    averageKeep = new float[averages.length];
    averageTake = new float[averages.length];
    averageDue = new boolean[averages.length];
    states = entry.states().stream().map(Windows::new).toArray(Windows[]::new);
    blocks = new BlockWindows[states.length];
    int largest = JavaTile.SIZE;
    for (int k = 0; k < blocks.length; k++) {
      if (entry.blocks().get(k).isPresent()) {
        Blocks stored = entry.blocks().get(k).get();
        blocks[k] = new BlockWindows(entry.states().get(k), stored, entry.rowLength());
        largest = Math.max(largest, stored.size());
      }
    }
    tile = largest;
    gradient = windows(entry.parameter().gradient());
    scalars = new double[rule.scalars().size()];
    for (int i = 0; i < scalars.length; i++) {
      scalars[i] = rule.initialScalar(i);
    }
    nextScalars = scalars.clone();
    int rows = rule.rowwise() ? Math.toIntExact(entry.rows()) : 0;
    rowSums = new double[rule.rowwise() ? rule.sums() : 0][rows];
    rowScratch = new double[rows];
    rowCoefficients = new float[rows * ROW_COEFFICIENTS];
    kept = new double[entry.rowState() == null ? 0 : 1];
    inputNames = rule.inputs().toArray(new String[0]);
    inputs = new double[inputNames.length];
  }

  private static Windows windows(Tensor tensor) {
    return tensor == null ? null : new Windows(tensor);
  }

  void gradient(Tensor tensor) {
    gradient = windows(tensor);
    active = tensor != null && !skipped;
  }

  /** Takes over what the next steps are given. */
  void stage(Step step) {
    skipped = step.skips(entry.group());
    active = gradient != null && !skipped;
    lr = step.lrOf(entry.group(), rule.lr());
    for (int i = 0; i < inputs.length; i++) {
      inputs[i] = step.input(inputNames[i]);
    }
    unscale = (float) (1.0 / step.lossScale());
    clipValue = (float) plan.clip().value();
  }

  /** Forms the pipeline's factors and the rule's coefficients. */
  void prepare(double globalNorm, double newRuleNorm) {
    GradientClip clip = plan.clip();
    clipFactor = 1f;
    if (clip.norm() == GradientClip.Norm.TENSOR) {
      clipFactor = (float) clipFactor(Math.sqrt(gradientSquare), clip.maxNorm());
    } else if (clip.norm() == GradientClip.Norm.GLOBAL) {
      clipFactor = (float) clipFactor(globalNorm, clip.maxNorm());
    }
    for (int k = 0; k < averages.length; k++) {
      double keep = plan.averages().get(k).factor(step());
      averageKeep[k] = (float) keep;
      averageTake[k] = (float) (1.0 - keep);
      averageDue[k] = plan.averages().get(k).movesAt(step());
    }
    ruleNorm = newRuleNorm;
    System.arraycopy(scalars, 0, nextScalars, 0, scalars.length);
    rule.coefficients(this, coefficients);
  }

  /** Each row's sums, then the tensor's from them, and the largest score of a row. */
  void reduceRows(double[][] chunkSums) {
    int rows = (int) entry.rows();
    int perRow = (int) entry.chunksPerRow();
    for (int j = 0; j < rule.sums(); j++) {
      for (int row = 0; row < rows; row++) {
        rowSums[j][row] =
            Reduction.reduce(rule.maximum(), chunkSums[j], (int) firstChunk + row * perRow, perRow);
      }
      System.arraycopy(rowSums[j], 0, rowScratch, 0, rows);
      ruleSums[j] = Reduction.reduce(rule.maximum(), rowScratch, 0, rows);
    }
    double largest = 0.0;
    for (int row = 0; row < rows && !Double.isNaN(largest); row++) {
      double score = rule.score(this, sumsOf(row));
      if (score > largest || Double.isNaN(score)) {
        largest = score;
      }
    }
    largestScore = largest;
  }

  /** Lets every row's coefficients follow from its sums. */
  void combineRows(int k) {
    for (int i = 0; i < entry.rows(); i++) {
      if (kept.length > 0) {
        kept[0] = entry.rowState().get(i);
      }
      rule.row(k, this, coefficients, sumsOf(i), kept, oneRowCoefficients);
      if (kept.length > 0) {
        entry.rowState().put(i, kept[0]);
      }
      System.arraycopy(
          oneRowCoefficients, 0, rowCoefficients, i * ROW_COEFFICIENTS, ROW_COEFFICIENTS);
    }
  }

  private double[] sumsOf(int row) {
    for (int j = 0; j < rule.sums(); j++) {
      oneRow[j] = rowSums[j][row];
    }
    return oneRow;
  }

  @Override
  public long rows() {
    return entry.rows();
  }

  @Override
  public long rowLength() {
    return entry.rowLength();
  }

  @Override
  public int rank() {
    return entry.parameter().value().rank();
  }

  @Override
  public double largestScore() {
    return largestScore;
  }

  /** Makes the step count. */
  void commit() {
    if (active) {
      stepCount++;
      System.arraycopy(nextScalars, 0, scalars, 0, scalars.length);
    }
  }

  /** min(1, maxNorm / (norm + 1e-6)); an infinite norm gives 0, a NaN gives NaN. */
  static double clipFactor(double norm, double maxNorm) {
    double factor = maxNorm / (norm + 1e-6);
    return factor > 1.0 ? 1.0 : factor;
  }

  @Override
  public double lr() {
    return lr;
  }

  @Override
  public long step() {
    return stepCount + 1;
  }

  @Override
  public double gradientNorm() {
    return ruleNorm;
  }

  @Override
  public long elements() {
    return entry.elements();
  }

  @Override
  public double input(int index) {
    return inputs[index];
  }

  @Override
  public double scalar(int index) {
    return nextScalars[index];
  }

  @Override
  public void scalar(int index, double value) {
    nextScalars[index] = value;
  }
}
