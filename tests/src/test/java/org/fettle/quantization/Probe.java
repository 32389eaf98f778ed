package org.fettle.quantization;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Tensor;

/** Backends in process memory, inputs with odd values, and the bytes of tensors. */
final class Probe {
  private Probe() {}

  static List<Backend> backends() {
    List<Backend> backends = new ArrayList<>();
    for (Backend.Availability one : Backend.all()) {
      if (one.isAvailable() && !one.name().startsWith("cuda")) {
        backends.add(Backend.named(one.name()));
      }
    }
    return backends;
  }

  /**
   * Values of many magnitudes, with ties, subnormals, signed zeros and, if asked for, NaN and
   * infinities.
   */
  static Tensor values(long seed, boolean odd, long... shape) {
    Tensor tensor = Tensor.allocate(DType.F32, shape);
    Random random = new Random(seed);
    ByteBuffer buffer = tensor.buffer();
    for (int i = 0; i < tensor.elements(); i++) {
      float value = (float) random.nextGaussian();
      int kind = random.nextInt(64);
      if (kind < 6) {
        value = Math.scalb(value, random.nextInt(250) - 140);
      } else if (kind < 10) {
        value = Math.round(value * 8) / 16f;
      } else if (kind == 10) {
        value = -0f;
      } else if (odd && kind == 11 && random.nextInt(16) == 0) {
        value = Float.NaN;
      } else if (odd && kind == 12 && random.nextInt(16) == 0) {
        value = random.nextBoolean() ? Float.POSITIVE_INFINITY : Float.NEGATIVE_INFINITY;
      }
      buffer.putFloat(i * Float.BYTES, value);
    }
    return tensor;
  }

  static Tensor bytes(long seed, long... shape) {
    Tensor tensor = Tensor.allocate(DType.I8, shape);
    byte[] codes = new byte[(int) tensor.elements()];
    new Random(seed).nextBytes(codes);
    tensor.buffer().put(codes);
    return tensor;
  }

  /** The bytes of tensors, NaN of F32 made canonical; null tensors are left out. */
  static List<ByteBuffer> bits(Tensor... tensors) {
    List<ByteBuffer> all = new ArrayList<>();
    for (Tensor tensor : tensors) {
      if (tensor == null) {
        continue;
      }
      ByteBuffer from = tensor.buffer();
      ByteBuffer copy = ByteBuffer.allocate(from.remaining()).order(ByteOrder.nativeOrder());
      copy.put(from).flip();
      for (int i = 0; tensor.dtype() == DType.F32 && i < tensor.elements(); i++) {
        if (Float.isNaN(copy.getFloat(4 * i))) {
          copy.putFloat(4 * i, Float.NaN);
        }
      }
      all.add(copy);
    }
    return all;
  }

  static void assertSame(String what, List<ByteBuffer> expected, List<ByteBuffer> actual) {
    for (int k = 0; k < expected.size(); k++) {
      int at = expected.get(k).mismatch(actual.get(k));
      if (at >= 0) {
        assertEquals(
            expected.get(k).get(at),
            actual.get(k).get(at),
            what + ", tensor " + k + ", byte " + at);
      }
    }
  }
}
