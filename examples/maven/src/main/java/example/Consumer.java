package example;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Parameter;
import org.fettle.Plan;
import org.fettle.Tensor;
import org.fettle.rules.AdamW;

/** Fits one weight to 3 with AdamW, on memory of its own. */
public final class Consumer {
  public static void main(String[] args) {
    ByteBuffer weight = ByteBuffer.allocateDirect(4).order(ByteOrder.nativeOrder());
    ByteBuffer gradient = ByteBuffer.allocateDirect(4).order(ByteOrder.nativeOrder());
    Parameter parameter =
        Parameter.of(Tensor.of(weight, DType.F32, 1), Tensor.of(gradient, DType.F32, 1));
    try (Plan plan =
        Plan.builder().group(new AdamW().withLr(0.1).withWeightDecay(0), parameter).build()) {
      for (int i = 0; i < 300; i++) {
        gradient.putFloat(0, 2 * (weight.getFloat(0) - 3));
        plan.step();
      }
    }
    float result = weight.getFloat(0);
    System.out.println("consumer: weight " + result + " on backend " + Backend.best());
    if (Math.abs(result - 3) > 0.05f || Backend.best().name().equals("java")) {
      throw new AssertionError("expected about 3 on a native backend");
    }
  }
}
