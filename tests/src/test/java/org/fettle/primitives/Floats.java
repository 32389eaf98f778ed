package org.fettle.primitives;

import java.nio.FloatBuffer;
import org.fettle.DType;
import org.fettle.Tensor;

/** F32 tensors in this process's memory, to and from arrays. */
final class Floats {
  private Floats() {}

  static Tensor tensor(float... values) {
    return tensor(values, values.length);
  }

  static Tensor tensor(float[] values, long... shape) {
    Tensor tensor = Tensor.allocate(DType.F32, shape);
    buffer(tensor).put(values);
    return tensor;
  }

  static float[] of(Tensor tensor) {
    float[] values = new float[(int) tensor.elements()];
    buffer(tensor).get(values);
    return values;
  }

  static double[] doubles(Tensor tensor) {
    float[] values = of(tensor);
    double[] doubles = new double[values.length];
    for (int i = 0; i < values.length; i++) {
      doubles[i] = values[i];
    }
    return doubles;
  }

  static int[] bits(float... values) {
    int[] bits = new int[values.length];
    for (int i = 0; i < bits.length; i++) {
      bits[i] = Float.floatToRawIntBits(values[i]);
    }
    return bits;
  }

  private static FloatBuffer buffer(Tensor tensor) {
    return tensor.buffer().asFloatBuffer();
  }
}
