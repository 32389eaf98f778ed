package org.fettle.demo;

import org.fettle.DType;
import org.fettle.Parameter;
import org.fettle.Tensor;
import org.fettle.recipes.Binarization;
import org.fettle.recipes.Reste;

/**
 * ReSTE: all weights of a layer but the last are plus or minus one number, their mean magnitude;
 * the slope of the sign is estimated more steeply as the training goes on.
 *
 * @param end where the exponent o ends
 */
record BinaryWeights(double end) implements Format {
  @Override
  public String label() {
    return "1 bit, ReSTE";
  }

  @Override
  public Stored store(Place place, Context context) {
    if (!place.isHiddenWeight()) {
      return Format.f32().store(place, context);
    }
    Tensor view = place.view();
    Tensor latent = QuantizedCopy.copy(view);
    Tensor scale = Tensor.allocate(DType.F32, 1);
    return new Stored() {
      @Override
      public Parameter parameter() {
        return Parameter.of(latent, place.gradient());
      }

      @Override
      public void show() {
        scale.buffer().putFloat((float) Reste.layerScale(context.backend(), latent));
        Binarization.scaledSign(context.backend(), latent, scale, view);
      }

      @Override
      public void differentiate() {
        Reste estimator = Reste.of(Reste.schedule(context.clock().progress(), 1, end));
        Tensor gradient = place.gradient();
        estimator.layerBackward(
            context.backend(), latent, gradient, scale.buffer().getFloat(0), gradient);
      }

      @Override
      public double modelBits() {
        return 1;
      }
    };
  }
}
