package org.fettle.demo;

import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.List;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Parameter;
import org.fettle.Tensor;
import org.fettle.pruning.ErdosRenyi;
import org.fettle.pruning.PrunedLayer;
import org.fettle.sparsity.Masks;
import org.fettle.sparsity.Selection;

/** A recipe whose plan keeps masked weights 0; all weights are there at first. */
abstract class Masked implements Recipe {
  final List<Tensor> weights = new ArrayList<>();
  final List<Tensor> masks = new ArrayList<>();
  final List<Tensor> gradients = new ArrayList<>();

  @Override
  public Parameter attach(Parameter parameter, Place place) {
    if (!place.isWeight()) {
      return parameter;
    }
    Tensor mask = Tensor.allocate(DType.BIT, place.view().shape());
    weights.add(parameter.value());
    masks.add(mask);
    gradients.add(place.gradient());
    return parameter.withMask(mask);
  }

  @Override
  public void beginCycle(Run run, int cycle) {
    if (cycle == 0) {
      masks.forEach(mask -> Masks.on(run.context().backend()).fill(mask, true));
    }
  }

  /** Weights at random: of each layer the share that Erdős-Rényi gives it. */
  final void scatter(Run run, double density) {
    Backend backend = run.context().backend();
    double[] densities =
        new ErdosRenyi().densities(weights.stream().map(Tensor::shape).toList(), 1 - density);
    SplitMix random = new SplitMix(run.context().seed());
    for (int i = 0; i < weights.size(); i++) {
      Tensor scores = Tensor.allocate(DType.F32, weights.get(i).shape());
      FloatBuffer buffer = scores.buffer().asFloatBuffer();
      while (buffer.hasRemaining()) {
        buffer.put(random.uniform());
      }
      long kept = Math.round(densities[i] * scores.elements());
      Selection.on(backend).keepLargest(kept, scores, masks.get(i));
      Masks.on(backend).apply(masks.get(i), weights.get(i), weights.get(i));
    }
  }

  /** The layers with the plan's first moments. */
  final List<PrunedLayer> layers(Run run) {
    List<PrunedLayer> layers = new ArrayList<>();
    for (int i = 0; i < weights.size(); i++) {
      // The plan's first group are the weights.
      layers.add(
          new PrunedLayer(
              weights.get(i), masks.get(i), run.plan().state(i, "m"), gradients.get(i)));
    }
    return layers;
  }
}
