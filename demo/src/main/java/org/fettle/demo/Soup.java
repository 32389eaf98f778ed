package org.fettle.demo;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.fettle.Tensor;
import org.fettle.merge.LinearCombination;

/**
 * A soup: several runs from one trained start, each with its own order and rate, and their mean.
 */
final class Soup implements Recipe {
  private static final double[] RATES = {0.25, 0.35, 0.5};

  private final List<List<Tensor>> members = new ArrayList<>();
  private List<Tensor> start;

  @Override
  public List<Cycle> cycles(int epochs) {
    List<Cycle> cycles = new ArrayList<>();
    cycles.add(Cycle.of(epochs / 2));
    for (double rate : RATES) {
      cycles.add(new Cycle(Math.max(1, epochs / 2), rate));
    }
    return cycles;
  }

  @Override
  public void beginCycle(Run run, int cycle) {
    if (cycle == 1) {
      start = copies(run);
    }
    if (cycle > 0) {
      List<Tensor> values = run.values();
      for (int i = 0; i < values.size(); i++) {
        values.get(i).buffer().put(start.get(i).buffer());
      }
      run.forget();
    }
  }

  @Override
  public void endCycle(Run run, int cycle) {
    if (cycle > 0) {
      members.add(copies(run));
    }
    if (cycle == RATES.length) {
      List<Tensor> values = run.values();
      for (int i = 0; i < values.size(); i++) {
        int tensor = i;
        List<Tensor> models = members.stream().map(member -> member.get(tensor)).toList();
        LinearCombination.mean(run.context().backend(), models, values.get(i));
      }
    }
  }

  static List<Tensor> copies(Run run) {
    return run.values().stream().map(QuantizedCopy::copy).toList();
  }

  @Override
  public long bytes() {
    return Stream.concat(members.stream(), Stream.of(start))
        .flatMap(List::stream)
        .mapToLong(Tensor::bytes)
        .sum();
  }
}
