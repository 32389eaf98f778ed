package org.fettle.merge;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.fettle.Backend;
import org.fettle.Tensor;
import org.fettle.internal.Norms;

/** The methods of this package for {@link CheckpointMerge}. */
public final class CheckpointMethods {
  private static final long BLOCK = 1L << 23;

  private CheckpointMethods() {}

  /** {@link LinearCombination} with these coefficients; none for the mean. */
  public static CheckpointMerge.Method linear(Backend backend, double... coefficients) {
    double[] own = coefficients.clone();
    return new CheckpointMerge.Method() {
      @Override
      public void prepare(CheckpointMerge.Checkpoints checkpoints) {
        if (own.length > 0) {
          Models.numbers("coefficients", own, checkpoints.models().size());
        }
      }

      @Override
      public void merge(CheckpointMerge.Sources sources, Tensor out) {
        if (own.length == 0) {
          LinearCombination.mean(backend, sources.models(), out);
        } else {
          LinearCombination.combine(backend, sources.models(), own, out);
        }
      }
    };
  }

  /** {@link ModelStock}; needs a base and at least two models. */
  public static CheckpointMerge.Method modelStock(Backend backend, ModelStock stock) {
    return whole(
        2,
        true,
        (sources, out) -> {
          long row = stock.filterWise() ? sources.rowLength() : out.elements();
          stock.merge(backend, sources.base(), sources.models(), row, out);
        });
  }

  /** {@link VarianceCorrectedAverage}. */
  public static CheckpointMerge.Method varianceCorrected(Backend backend) {
    return whole(
        1,
        false,
        (sources, out) -> VarianceCorrectedAverage.average(backend, sources.models(), out));
  }

  /** {@link Adasum}. */
  public static CheckpointMerge.Method adasum(Backend backend) {
    return whole(1, false, (sources, out) -> Adasum.combine(backend, sources.models(), out));
  }

  /** {@link FisherMerge}; needs the weights of every model. */
  public static CheckpointMerge.Method fisher(Backend backend, FisherMerge merge) {
    return new CheckpointMerge.Method() {
      private double[] norms;

      @Override
      public void prepare(CheckpointMerge.Checkpoints checkpoints) throws IOException {
        int models = checkpoints.models().size();
        same("coefficients", merge.coefficients().size(), models);
        same("Fisher checkpoints", checkpoints.weights().size(), models);
        norms = new double[models];
        for (int k = 0; merge.normalizes() && k < models; k++) {
          norms[k] = norm(backend, checkpoints.models().get(0), checkpoints.weights().get(k));
        }
      }

      @Override
      public void merge(CheckpointMerge.Sources sources, Tensor out) {
        merge.merge(
            backend,
            sources.models().stream().map(List::of).toList(),
            sources.weights().stream().map(List::of).toList(),
            norms,
            List.of(out));
      }
    };
  }

  /** {@link GradientMatchingMerge}; needs a base, its weights and the weights of every model. */
  public static CheckpointMerge.Method gradientMatching(
      Backend backend, GradientMatchingMerge merge) {
    return new CheckpointMerge.Method() {
      @Override
      public void prepare(CheckpointMerge.Checkpoints checkpoints) {
        int models = checkpoints.models().size();
        same("scales", merge.scales().size(), models);
        same("Hessian checkpoints", checkpoints.weights().size(), models);
        same("base", checkpoints.base() == null ? 0 : 1, 1);
        same("Hessian checkpoint of the base", checkpoints.baseWeights() == null ? 0 : 1, 1);
      }

      @Override
      public void merge(CheckpointMerge.Sources sources, Tensor out) {
        merge.merge(
            backend,
            sources.base(),
            sources.baseWeights(),
            sources.models(),
            sources.weights(),
            out);
      }
    };
  }

  private interface Merging {
    void merge(CheckpointMerge.Sources sources, Tensor out);
  }

  private static CheckpointMerge.Method whole(int fewest, boolean based, Merging merging) {
    return new CheckpointMerge.Method() {
      @Override
      public boolean takesWholeArrays() {
        return true;
      }

      @Override
      public void prepare(CheckpointMerge.Checkpoints checkpoints) {
        int models = checkpoints.models().size();
        if (models < fewest) {
          throw new IllegalArgumentException(models + " models: expected at least " + fewest);
        }
        same("base", checkpoints.base() == null ? 0 : 1, based ? 1 : 0);
      }

      @Override
      public void merge(CheckpointMerge.Sources sources, Tensor out) {
        merging.merge(sources, out);
      }
    };
  }

  private static void same(String what, int actual, int expected) {
    if (actual != expected) {
      throw new IllegalArgumentException(actual + " " + what + ": expected " + expected);
    }
  }

  private static double norm(Backend backend, Checkpoint model, Checkpoint weights)
      throws IOException {
    double[] squares = new double[0];
    for (String name : model.names()) {
      long elements = model.dtype(name) == null ? 0 : model.array(name).elements();
      List<Double> parts = new ArrayList<>();
      for (long at = 0; at < elements; at += BLOCK) {
        Tensor block = weights.read(name, at, Math.min(BLOCK, elements - at));
        parts.add(FisherMerge.squares(backend, List.of(block))[0]);
      }
      double[] ofArray = parts.stream().mapToDouble(Double::doubleValue).toArray();
      squares = Arrays.copyOf(squares, squares.length + 1);
      squares[squares.length - 1] = Norms.sum(ofArray);
    }
    return Math.sqrt(Norms.sum(squares));
  }
}
