package org.fettle.demo;

import java.nio.FloatBuffer;
import java.util.List;
import org.fettle.Parameter;
import org.fettle.Tensor;

/**
 * Bytes, counted at the end of a run.
 *
 * @param state what the optimizer remembers between steps
 * @param stored the parameters with copies, masks, averages and what a recipe keeps
 * @param model the trained parameters: of a sparse row those that are not 0, and a bit for each
 *     weight that says where they are
 * @param density the share of the weights that are not 0
 * @param weightBits of a weight that is kept, scales included
 */
record Footprint(long state, long stored, double model, double density, double weightBits) {

  static Footprint of(Row row, Recipe recipe, Updater updater, List<Slot> slots) {
    double stored = recipe.bytes();
    double model = 0;
    double kept = 0;
    double bits = 0;
    long weights = 0;
    for (Slot slot : slots) {
      long elements = slot.view().elements();
      double own = slot.moved() ? updater.mover().modelBits() : slot.stored().modelBits();
      stored += slot.moved() ? updater.mover().trainingBits() * elements / 8 : bytes(slot);
      long there = row.family() == Family.SPARSE ? nonZeros(slot.view()) : elements;
      model += own * there / 8;
      if (slot.place().isWeight()) {
        model += row.family() == Family.SPARSE ? elements / 8.0 : 0;
        weights += elements;
        kept += nonZeros(slot.view());
        bits += own * elements;
      }
    }
    return new Footprint(
        updater.stateBytes(), Math.round(stored), model, kept / weights, bits / weights);
  }

  private static long bytes(Slot slot) {
    Parameter p = slot.parameter();
    long bytes = slot.stored().extraBytes();
    bytes += slot.stored().scales().stream().mapToLong(scale -> scale.value().bytes()).sum();
    for (Tensor tensor : new Tensor[] {p.value(), p.copy(), p.mask(), p.average()}) {
      bytes += tensor == null ? 0 : tensor.bytes();
    }
    return bytes;
  }

  private static long nonZeros(Tensor view) {
    FloatBuffer values = view.buffer().asFloatBuffer();
    long count = 0;
    while (values.hasRemaining()) {
      count += values.get() != 0f ? 1 : 0;
    }
    return count;
  }
}
