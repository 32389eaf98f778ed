package org.fettle.demo;

import org.fettle.DType;
import org.fettle.Parameter;
import org.fettle.Tensor;
import org.fettle.pruning.Bdwp;
import org.fettle.sparsity.Masks;
import org.fettle.sparsity.NmPattern;

/**
 * BDWP: dense weights, of which the forward pass sees N of M along the inputs and the gradient of
 * the inputs N of M along the outputs. Layers that M does not divide stay dense.
 *
 * @param pattern N of M
 */
record TwoMasks(NmPattern pattern) implements Format {
  @Override
  public String label() {
    return "f32, " + pattern.n() + ":" + pattern.m() + " twice";
  }

  @Override
  public Stored store(Place place, Context context) {
    long[] shape = place.view().shape();
    if (!place.isWeight() || shape[0] % pattern.m() != 0 || shape[1] % pattern.m() != 0) {
      return Format.f32().store(place, context);
    }
    Tensor dense = QuantizedCopy.copy(place.view());
    Tensor backwardWeight = Tensor.allocate(DType.F32, shape);
    Tensor forward = Tensor.allocate(DType.BIT, shape);
    Tensor backward = Tensor.allocate(DType.BIT, shape);
    Bdwp bdwp = new Bdwp(pattern);
    Masks masks = Masks.on(context.backend());
    place.layer().backwardThrough(backwardWeight);
    return new Stored() {
      @Override
      public Parameter parameter() {
        return Parameter.of(dense, place.gradient());
      }

      @Override
      public long extraBytes() {
        return forward.bytes() + backward.bytes() + backwardWeight.bytes();
      }

      @Override
      public void show() {
        bdwp.masks(context.backend(), dense, forward, backward);
        masks.apply(forward, dense, place.view());
        masks.apply(backward, dense, backwardWeight);
      }
    };
  }
}
