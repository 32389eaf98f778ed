package org.fettle.primitives;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.function.DoubleUnaryOperator;
import org.fettle.Transcendental;
import org.fettle.testkit.Machine;
import org.junit.jupiter.api.Test;

/**
 * How far the arctangent and the logarithm are from the true values, over every 1009th float. That
 * native code has the same bits is tested with the primitives that use them.
 */
class ElementFunctionsTest {
  private static final int STRIDE = 1009;

  private interface FloatFunction {
    float of(float x);
  }

  /** The largest error in units in the last place of the true value, over positive floats. */
  private static double largestError(FloatFunction ours, DoubleUnaryOperator reference) {
    double largest = 0;
    for (int bits = 1; bits < 0x7F800000; bits += STRIDE) {
      float x = Float.intBitsToFloat(bits);
      double expected = reference.applyAsDouble(x);
      if (expected != 0) {
        double ulp = Math.ulp((float) expected);
        largest = Math.max(largest, Math.abs(ours.of(x) - expected) / ulp);
      }
    }
    return largest;
  }

  @Test
  void arctangent() {
    double error = largestError(Transcendental::arctangent, StrictMath::atan);
    Machine.say("arctangent", String.format("largest error %.3f ulp", error));
    assertTrue(error <= 1.8, "error " + error);
    assertEquals(-Transcendental.arctangent(0.7f), Transcendental.arctangent(-0.7f));
    assertEquals(
        Float.floatToRawIntBits(-0f), Float.floatToRawIntBits(Transcendental.arctangent(-0f)));
    assertEquals((float) (Math.PI / 2), Transcendental.arctangent(Float.POSITIVE_INFINITY));
    assertEquals((float) (-Math.PI / 2), Transcendental.arctangent(Float.NEGATIVE_INFINITY));
    assertTrue(Float.isNaN(Transcendental.arctangent(Float.NaN)));
  }

  @Test
  void logarithm() {
    double error = largestError(Transcendental::logarithm, StrictMath::log);
    Machine.say("logarithm", String.format("largest error %.3f ulp", error));
    assertTrue(error <= 0.8, "error " + error);
    assertEquals(0f, Transcendental.logarithm(1f));
    assertEquals(Float.NEGATIVE_INFINITY, Transcendental.logarithm(0f));
    assertEquals(Float.NEGATIVE_INFINITY, Transcendental.logarithm(-0f));
    assertEquals(Float.POSITIVE_INFINITY, Transcendental.logarithm(Float.POSITIVE_INFINITY));
    assertTrue(Float.isNaN(Transcendental.logarithm(-1e-30f)));
    assertTrue(Float.isNaN(Transcendental.logarithm(Float.NaN)));
    // Around 1 the result is small and cancellation would show.
    for (int bits = 0x3F000000; bits < 0x40000000; bits += 7) {
      float x = Float.intBitsToFloat(bits);
      double expected = StrictMath.log(x);
      double ulp = Math.ulp((float) expected);
      assertTrue(Math.abs(Transcendental.logarithm(x) - expected) <= ulp, "at " + x);
    }
  }

  @Test
  void powerBelowOne() {
    for (float k : new float[] {0.1f, 0.25f, 0.5f, 0.7f, 0.9f, 0.999f}) {
      double largest = 0;
      int last = Float.floatToRawIntBits(0x1p64f);
      for (int bits = Float.floatToRawIntBits(0x1p-75f); bits <= last; bits += STRIDE) {
        float x = Float.intBitsToFloat(bits);
        double expected = StrictMath.pow(x, k);
        double ulp = Math.ulp((float) expected);
        largest = Math.max(largest, Math.abs(Transcendental.powerBelowOne(x, k) - expected) / ulp);
      }
      Machine.say("power " + k, String.format("largest error %.3f ulp", largest));
      assertTrue(largest <= 3, "error " + largest + " for the power " + k);
    }
    assertEquals(1f, Transcendental.powerBelowOne(0f, 0f));
    assertEquals(0f, Transcendental.powerBelowOne(0f, 0.5f));
    assertEquals(
        Float.POSITIVE_INFINITY, Transcendental.powerBelowOne(Float.POSITIVE_INFINITY, 0.5f));
    assertTrue(Float.isNaN(Transcendental.powerBelowOne(Float.NaN, 0.5f)));
  }
}
