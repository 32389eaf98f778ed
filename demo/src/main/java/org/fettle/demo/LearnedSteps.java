package org.fettle.demo;

import java.util.List;
import org.fettle.DType;
import org.fettle.Parameter;
import org.fettle.Tensor;
import org.fettle.recipes.LearnedStep;

/**
 * LSQ: weights of few bits between which a learned step size lies, one for each layer.
 *
 * @param bits of a weight
 */
record LearnedSteps(int bits) implements Format {
  @Override
  public String label() {
    return bits + " bits, LSQ";
  }

  @Override
  public Stored store(Place place, Context context) {
    if (!place.isWeight()) {
      return Format.f32().store(place, context);
    }
    LearnedStep quantizer = LearnedStep.ofBits(bits, true);
    Tensor view = place.view();
    Tensor latent = QuantizedCopy.copy(view);
    Tensor size = Tensor.allocate(DType.F32, 1);
    Tensor sizeGradient = Tensor.allocate(DType.F32, 1);
    double first = quantizer.initialStep(context.backend(), latent, false)[0];
    size.buffer().putFloat((float) first);
    double scale = quantizer.gradientScale(view.elements());
    return new Stored() {
      @Override
      public Parameter parameter() {
        return Parameter.of(latent, place.gradient());
      }

      @Override
      public List<Parameter> scales() {
        return List.of(Parameter.of(size, sizeGradient));
      }

      @Override
      public void show() {
        quantizer.forward(context.backend(), latent, size, view);
      }

      @Override
      public void differentiate() {
        Tensor gradient = place.gradient();
        LearnedStep.StepGradients gradients =
            quantizer.backward(context.backend(), latent, gradient, size, 0, scale, gradient);
        sizeGradient.buffer().putFloat(gradients.step().get(0).floatValue());
      }

      @Override
      public double modelBits() {
        return bits;
      }
    };
  }
}
