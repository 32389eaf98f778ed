package org.fettle.demo;

import java.nio.FloatBuffer;
import java.util.List;
import org.fettle.DType;
import org.fettle.Parameter;
import org.fettle.Tensor;
import org.fettle.recipes.Biper;

/**
 * BiPer: a weight is the sine of what is stored in the first half of the training, and its sign in
 * the second; a learned factor for each unit. The last layer stays f32.
 *
 * @param frequency of the sine
 */
record PeriodicWeights(double frequency) implements Format {
  @Override
  public String label() {
    return "1 bit, BiPer";
  }

  @Override
  public Stored store(Place place, Context context) {
    return place.isHiddenWeight()
        ? new Periodic(place, context, frequency)
        : Format.f32().store(place, context);
  }

  /** A stored weight. */
  private static final class Periodic implements Stored {
    private final Place place;
    private final Context context;
    private final Biper waves;
    private final Biper signs;
    private final Tensor latent;
    private final Tensor factors;
    private final Tensor factorGradients;
    private final float[] plain;
    private final float[] values;
    private final int columns;

    Periodic(Place place, Context context, double frequency) {
      this.place = place;
      this.context = context;
      waves = new Biper(frequency, 1);
      signs = new Biper(frequency, 2);
      latent = QuantizedCopy.copy(place.view());
      int rows = (int) latent.shape()[0];
      columns = (int) latent.shape()[1];
      plain = new float[rows * columns];
      values = new float[rows * columns];
      factors = Tensor.allocate(DType.F32, rows);
      factorGradients = Tensor.allocate(DType.F32, rows);
      FloatBuffer all = factors.buffer().asFloatBuffer();
      while (all.hasRemaining()) {
        all.put((float) Math.sqrt(2.0 / columns));
      }
    }

    @Override
    public Parameter parameter() {
      return Parameter.of(latent, place.gradient());
    }

    @Override
    public List<Parameter> scales() {
      return List.of(Parameter.of(factors, factorGradients));
    }

    @Override
    public void show() {
      Biper biper = context.clock().progress() < 0.5 ? waves : signs;
      biper.weight(context.backend(), latent, place.view());
      place.view().buffer().asFloatBuffer().get(plain);
      scale(plain, values);
      place.view().buffer().asFloatBuffer().put(values);
    }

    @Override
    public void differentiate() {
      FloatBuffer gradients = place.gradient().buffer().asFloatBuffer();
      gradients.get(0, values);
      FloatBuffer sums = factorGradients.buffer().asFloatBuffer();
      for (int row = 0; row < sums.capacity(); row++) {
        float sum = 0;
        for (int i = row * columns; i < (row + 1) * columns; i++) {
          sum = Math.fma(values[i], plain[i], sum);
        }
        sums.put(row, sum);
      }
      scale(values, values);
      gradients.put(0, values);
      waves.weightGradient(context.backend(), latent, place.gradient(), place.gradient());
    }

    /** Each row by its factor. */
    private void scale(float[] from, float[] to) {
      FloatBuffer all = factors.buffer().asFloatBuffer();
      for (int row = 0; row < all.capacity(); row++) {
        float factor = all.get(row);
        for (int i = row * columns; i < (row + 1) * columns; i++) {
          to[i] = factor * from[i];
        }
      }
    }

    @Override
    public double modelBits() {
      return 1 + (double) Float.SIZE / columns;
    }
  }
}
