package org.fettle.tensorflow;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Random;
import org.fettle.DType;
import org.fettle.rules.AdamW;
import org.fettle.rules.Sgd;
import org.junit.jupiter.api.Test;
import org.tensorflow.Graph;
import org.tensorflow.Session;
import org.tensorflow.Tensor;
import org.tensorflow.ndarray.Shape;
import org.tensorflow.op.Ops;
import org.tensorflow.op.core.Gradients;
import org.tensorflow.op.core.Placeholder;
import org.tensorflow.op.math.Mean;
import org.tensorflow.types.TFloat32;
import org.tensorflow.types.TFloat64;
import org.tensorflow.types.TInt64;
import org.tensorflow.types.TString;

class TensorFlowTest {
  private static TFloat32 random(Random random, long... shape) {
    TFloat32 tensor = TFloat32.tensorOf(Shape.of(shape));
    tensor.scalars().forEach(scalar -> scalar.setFloat((float) random.nextGaussian()));
    return tensor;
  }

  @Test
  void trainsInTheTensorThatIsFed() {
    Random random = new Random(4);
    try (Graph graph = new Graph();
        TFloat32 x = random(random, 64, 8);
        TFloat32 wanted = random(random, 64, 2);
        TFloat32 weight = TFloat32.tensorOf(Shape.of(8, 2))) {
      weight.scalars().forEach(scalar -> scalar.setFloat(0)); // its memory comes as it is
      Ops tf = Ops.create(graph);
      Placeholder<TFloat32> in = tf.placeholder(TFloat32.class);
      Placeholder<TFloat32> out = tf.placeholder(TFloat32.class);
      Placeholder<TFloat32> w = tf.placeholder(TFloat32.class, Placeholder.shape(Shape.of(8, 2)));
      Mean<TFloat32> loss =
          tf.math.mean(
              tf.math.squaredDifference(tf.linalg.matMul(in, w), out),
              tf.constant(new int[] {0, 1}));
      Gradients gradients = tf.gradients(loss, List.of(w));
      float first = 0;
      float last = 0;
      try (Session session = new Session(graph);
          TensorFlowOptimizer optimizer =
              new TensorFlowOptimizer(new AdamW().withLr(0.05), List.of(weight))) {
        long address = optimizer.plan().parameter(0).value().address();
        for (int i = 0; i < 100; i++) {
          try (var result =
              session
                  .runner()
                  .feed(in, x)
                  .feed(out, wanted)
                  .feed(w, weight)
                  .fetch(loss)
                  .fetch(gradients.dy(0))
                  .run()) {
            last = ((TFloat32) result.get(0)).getFloat();
            first = i == 0 ? last : first;
            optimizer.applyGradients(List.of(result.get(1)));
          }
        }
        assertEquals(100, optimizer.plan().stepCount(0));
        assertEquals(address, TensorFlowTensors.of("w", weight).address(), "the tensor's memory");
      }
      // TensorFlow saw every step in the tensor itself, so nothing was copied.
      assertTrue(last < 0.95f * first, "loss from " + first + " to " + last);
      assertTrue(Math.abs(weight.getFloat(0, 0)) > 1e-3f, "the weight was written");
    }
  }

  @Test
  void aStepIsSeenByTensorFlowAtOnce() {
    try (TFloat32 weight = TFloat32.vectorOf(1, 2, 3);
        TFloat32 gradient = TFloat32.vectorOf(2, 0, -4);
        TensorFlowOptimizer optimizer =
            new TensorFlowOptimizer(new Sgd().withLr(0.5), List.of(weight))) {
      optimizer.applyGradients(List.of(gradient));
      assertEquals(0f, weight.getFloat(0));
      assertEquals(2f, weight.getFloat(1));
      assertEquals(5f, weight.getFloat(2));
      Throwable error =
          assertThrows(IllegalArgumentException.class, () -> optimizer.applyGradients(List.of()));
      assertTrue(error.getMessage().contains("0 gradients: expected 1"), error.getMessage());
    }
  }

  @Test
  void viewsTellTypeAndShape() {
    try (TFloat64 doubles = TFloat64.tensorOf(Shape.of(2, 3));
        TInt64 longs = TInt64.scalarOf(7)) {
      assertEquals("F64[2, 3] on cpu", TensorFlowTensors.of("doubles", doubles).toString());
      assertEquals(DType.I64, TensorFlowTensors.of("longs", longs).dtype());
      assertEquals(1, TensorFlowTensors.of("longs", longs).elements());
    }
  }

  @Test
  void refusesWhatItCannotView() {
    try (Tensor text = TString.scalarOf("text")) {
      Throwable error =
          assertThrows(IllegalArgumentException.class, () -> TensorFlowTensors.of("text", text));
      assertTrue(error.getMessage().contains("text has type DT_STRING"), error.getMessage());
    }
    assertThrows(IllegalArgumentException.class, () -> TensorFlowTensors.of("nothing", null));
  }
}
