package org.fettle.pruning;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.stream.IntStream;
import org.fettle.Backend;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.algebra.Matrix;

/**
 * Structured pruning of whole input columns, or of heads of several, by how much their inputs
 * fluctuate; what a constant input contributed goes to the bias.
 *
 * <pre>
 * score_j = var(x_j) sum_i w_ij^2 ; z = (score - mean) / deviation per layer, the deviation unbiased ; a head's z is the mean of its columns'
 * units of all layers by z, descending: the cumulated cost nearest to (1 - sparsity) of all sets a threshold, and what is above it stays
 * bias_i += sum over removed j of mean(x_j) w_ij
 * </pre>
 *
 * <p>Mean and variance run over all tokens observed, merged in double; the authors' code lets its
 * old mean alias the new one, so that its variance is another and its first batch adds nothing.
 * Everything is on the host, in double; each call that needs the weights reads them once. Source:
 * FLAP, arXiv:2312.11983, as AmoebaLLM uses it for widths (arXiv:2411.10606; a head of 128 columns
 * costs 512 / 3 channels).
 */
public final class FluctuationPruning {
  private final Layer access;
  private final List<Columns> layers = new ArrayList<>();

  /** The method on a backend, without layers yet. */
  public FluctuationPruning(Backend backend) {
    access = new Layer(Objects.requireNonNull(backend, "backend"));
  }

  /** A layer whose columns are pruned. */
  public final class Columns {
    private final Tensor weight;
    private final int perUnit;
    private final double cost;
    private final double[] mean;
    private final double[] squares;
    private long tokens;

    private Columns(Tensor weight, int perUnit, double cost) {
      this.weight = weight;
      this.perUnit = perUnit;
      this.cost = cost;
      mean = new double[(int) weight.shape()[1]];
      squares = new double[mean.length];
    }

    /**
     * Takes inputs into account.
     *
     * @param inputs [tokens, columns], floating point; finite values
     */
    public void observe(Tensor inputs) {
      access.check("inputs", inputs, -1, mean.length);
      long added = inputs.shape()[0];
      if (added == 0) {
        return;
      }
      Matrix x = access.matrix(inputs);
      for (int j = 0; j < mean.length; j++) {
        double sum = 0;
        for (int i = 0; i < x.rows(); i++) {
          sum += x.get(i, j);
        }
        double average = sum / added;
        double square = 0;
        for (int i = 0; i < x.rows(); i++) {
          double apart = x.get(i, j) - average;
          square += apart * apart;
        }
        double shift = average - mean[j];
        double total = tokens + (double) added;
        squares[j] += square + shift * shift * ((double) tokens * added / total);
        mean[j] += shift * (added / total);
      }
      tokens += added;
    }

    /** Tokens observed. */
    public long tokens() {
      return tokens;
    }

    /** The mean of every column's inputs. */
    public double[] mean() {
      return mean.clone();
    }

    /** The variance of every column's inputs, over all tokens; 0 before there are any. */
    public double[] fluctuation() {
      double[] fluctuation = new double[squares.length];
      for (int j = 0; j < fluctuation.length; j++) {
        fluctuation[j] = tokens == 0 ? 0 : squares[j] / tokens;
      }
      return fluctuation;
    }

    /** The score of every column. */
    public double[] scores() {
      Matrix w = access.matrix(weight);
      double[] scores = fluctuation();
      for (int j = 0; j < scores.length; j++) {
        double square = 0;
        for (int i = 0; i < w.rows(); i++) {
          square += w.get(i, j) * w.get(i, j);
        }
        scores[j] *= square;
      }
      return scores;
    }

    private double[] standardized() {
      double[] scores = scores();
      double average =
          IntStream.range(0, scores.length).mapToDouble(j -> scores[j]).sum() / scores.length;
      double square = 0;
      for (double score : scores) {
        square += (score - average) * (score - average);
      }
      double deviation = Math.sqrt(square / (scores.length - 1));
      double[] units = new double[scores.length / perUnit];
      for (int j = 0; j < scores.length; j++) {
        // A layer whose columns are all alike has no preference.
        units[j / perUnit] += deviation == 0 ? 0 : (scores[j] - average) / deviation / perUnit;
      }
      return units;
    }

    /**
     * Adds what the removed columns contribute on average.
     *
     * @param kept BIT [columns]
     * @param bias [out], floating point; may start at 0
     */
    public void compensate(Tensor kept, Tensor bias) {
      access.checkMask("kept", kept, mean.length);
      access.values("bias", bias);
      long outputs = weight.shape()[0];
      if (bias.elements() != outputs) {
        throw new IllegalArgumentException(
            "bias is " + bias + ": expected " + outputs + " elements");
      }
      boolean[] stays = access.readMask(kept);
      Matrix w = access.matrix(weight);
      double[] values = access.read(bias);
      for (int i = 0; i < values.length; i++) {
        for (int j = 0; j < mean.length; j++) {
          if (!stays[j]) {
            values[i] += mean[j] * w.get(i, j);
          }
        }
      }
      access.write(bias, values);
    }
  }

  /**
   * Adds a layer.
   *
   * @param weight [out, columns], floating point, at least 2 columns
   * @param perUnit consecutive columns that stay or go together: 1 for channels, the head size for
   *     heads; divides the columns
   * @param cost what a unit costs, finite and more than 0; 1 for channels, 512 / 3 for heads of 128
   *     in AmoebaLLM
   */
  public Columns addLayer(Tensor weight, int perUnit, double cost) {
    access.check("weight", weight, -1, -1);
    Range.positive("cost", cost);
    long columns = weight.shape()[1];
    Range.check("columns of weight", columns, columns >= 2, ">= 2");
    if (perUnit < 1 || columns % perUnit != 0) {
      throw new IllegalArgumentException(
          "perUnit is " + perUnit + ": expected a divisor of " + columns + " columns");
    }
    Columns layer = new Columns(weight, perUnit, cost);
    layers.add(layer);
    return layer;
  }

  /**
   * Chooses over all layers with one threshold.
   *
   * @param sparsity share of the cost to remove, in [0, 1)
   * @param kept BIT [columns], one per layer in the order in which they were added
   * @return the threshold; what stays is above it
   * @throws IllegalStateException if a layer has observed nothing; nothing was written
   */
  public double choose(double sparsity, List<Tensor> kept) {
    Range.fraction("sparsity", sparsity);
    if (kept.size() != layers.size() || layers.isEmpty()) {
      throw new IllegalArgumentException(
          kept.size() + " masks for " + layers.size() + " layers: expected one each");
    }
    record Unit(int layer, double score) {}
    List<Unit> units = new ArrayList<>();
    List<double[]> scores = new ArrayList<>();
    double total = 0;
    for (int i = 0; i < layers.size(); i++) {
      Columns layer = layers.get(i);
      access.checkMask("mask " + i, kept.get(i), layer.mean.length);
      if (layer.tokens == 0) {
        throw new IllegalStateException("layer " + i + " has observed no inputs");
      }
      scores.add(layer.standardized());
      for (double score : scores.get(i)) {
        units.add(new Unit(i, score));
        total += layer.cost;
      }
    }
    units.sort(Comparator.comparingDouble(Unit::score).reversed());
    double wanted = total * (1 - sparsity);
    double cumulated = 0;
    double nearest = Double.POSITIVE_INFINITY;
    double threshold = Double.NEGATIVE_INFINITY;
    for (Unit unit : units) {
      cumulated += layers.get(unit.layer()).cost;
      if (Math.abs(cumulated - wanted) < nearest) {
        nearest = Math.abs(cumulated - wanted);
        threshold = unit.score();
      }
    }
    for (int i = 0; i < layers.size(); i++) {
      boolean[] stays = new boolean[layers.get(i).mean.length];
      for (int j = 0; j < stays.length; j++) {
        stays[j] = scores.get(i)[j / layers.get(i).perUnit] > threshold;
      }
      access.writeMask(kept.get(i), stays);
    }
    return threshold;
  }
}
