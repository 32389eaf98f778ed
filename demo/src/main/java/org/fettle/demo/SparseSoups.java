package org.fettle.demo;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.fettle.Average;
import org.fettle.Backend;
import org.fettle.Parameter;
import org.fettle.PlanBuilder;
import org.fettle.Tensor;
import org.fettle.merge.LinearCombination;
import org.fettle.merge.SparseSoup;
import org.fettle.sparsity.Fraction;
import org.fettle.sparsity.Masks;
import org.fettle.sparsity.Selection;

/**
 * Iterative pruning with a soup at every level: several runs from the same masked start in
 * different orders, averaged, and pruned again. Sparse Model Soups go on from the average; SWAMP
 * averages along each run as well and rewinds to an early step.
 */
final class SparseSoups extends Masked {
  private final boolean swamp;
  private final double density;
  private final int levels;
  private final int particles;
  private final List<List<Tensor>> members = new ArrayList<>();
  private final List<Tensor> averages = new ArrayList<>();
  private List<Tensor> start;
  private long keptBytes;

  /**
   * A recipe for one run.
   *
   * @param swamp which method
   * @param density the share of weights that is left in the end
   * @param levels how often weights are removed
   * @param particles runs that are averaged at a level
   */
  SparseSoups(boolean swamp, double density, int levels, int particles) {
    this.swamp = swamp;
    this.density = density;
    this.levels = levels;
    this.particles = particles;
  }

  @Override
  public Parameter attach(Parameter parameter, Place place) {
    Parameter masked = super.attach(parameter, place);
    if (!swamp) {
      return masked;
    }
    averages.add(QuantizedCopy.copy(place.view()));
    return masked.withAverage(averages.get(averages.size() - 1));
  }

  @Override
  public void configure(PlanBuilder plan, Context context) {
    if (swamp) {
      plan.average(Average.uniform(context.clock().cycleSteps() * 3 / 4, 8));
    }
  }

  /** One dense training, then the particles of each level; SWAMP's dense level has them too. */
  @Override
  public List<Cycle> cycles(int epochs) {
    List<Cycle> cycles = new ArrayList<>();
    if (swamp) {
      return Cycle.of(epochs / 3).times((levels + 1) * particles);
    }
    cycles.add(Cycle.of(epochs / 2));
    for (int i = 0; i < levels * particles; i++) {
      cycles.add(new Cycle(Math.max(1, epochs / 3), 0.6));
    }
    return cycles;
  }

  @Override
  public void beginCycle(Run run, int cycle) {
    super.beginCycle(run, cycle);
    int particle = (cycle + (swamp ? 0 : particles - 1)) % particles;
    if (cycle == 0) {
      return;
    }
    if (particle == 0) {
      prune(run);
      if (!swamp) {
        start = Soup.copies(run);
      }
    }
    List<Tensor> values = run.values();
    for (int i = 0; i < values.size(); i++) {
      values.get(i).buffer().put(start.get(i).buffer());
    }
    mask(run);
    run.forget();
  }

  private void prune(Run run) {
    double share = 1 - Math.pow(density, 1.0 / levels);
    Backend backend = run.context().backend();
    long kept = masks.stream().mapToLong(Masks.on(backend)::count).sum();
    long left = kept - Fraction.ROUND_HALF_EVEN.of(share, kept);
    Selection.on(backend).inside(masks).keepLargest(left, weights, masks);
    mask(run);
    members.clear();
  }

  private void mask(Run run) {
    for (int i = 0; i < weights.size(); i++) {
      Masks.on(run.context().backend()).apply(masks.get(i), weights.get(i), weights.get(i));
    }
  }

  @Override
  public void stepped(Run run) {
    Clock clock = run.clock();
    long early = Math.max(1, Math.round(Settings.WARM_UP * clock.cycleSteps()));
    if (swamp && clock.step() == early) {
      start = Soup.copies(run);
    }
  }

  @Override
  public void endCycle(Run run, int cycle) {
    if (!swamp && cycle == 0) {
      return;
    }
    members.add(swamp ? averages.stream().map(QuantizedCopy::copy).toList() : Soup.copies(run));
    keptBytes = members.stream().flatMap(List::stream).mapToLong(Tensor::bytes).sum();
    if (members.size() < particles) {
      return;
    }
    List<Tensor> values = run.values();
    for (int i = 0; i < values.size(); i++) {
      int tensor = i;
      List<Tensor> models = members.stream().map(member -> member.get(tensor)).toList();
      int layer = weights.indexOf(values.get(i));
      if (layer < 0) {
        LinearCombination.mean(run.context().backend(), models, values.get(i));
      } else {
        SparseSoup.average(
            run.context().backend(),
            models,
            SparseSoup.equal(particles),
            Collections.nCopies(particles, masks.get(layer)),
            values.get(i));
      }
    }
  }

  @Override
  public long bytes() {
    return keptBytes + start.stream().mapToLong(Tensor::bytes).sum();
  }
}
