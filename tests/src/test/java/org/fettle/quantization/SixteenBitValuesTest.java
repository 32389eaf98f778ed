package org.fettle.quantization;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.ByteOrder;
import java.util.List;
import java.util.Random;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Fp8Format;
import org.fettle.IntegerFormat;
import org.fettle.MicroscalingFormat;
import org.fettle.Minifloat;
import org.fettle.Nvfp4Format;
import org.fettle.QuantizationFormat;
import org.fettle.Quantized;
import org.fettle.Quantizer;
import org.fettle.ScaleGrid;
import org.fettle.Tensor;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Values of 16 bits give the codes of the F32 values that they stand for, and take rounded ones.
 */
class SixteenBitValuesTest {
  private static final int ROWS = 5;
  private static final int COLUMNS = 96;

  private static final String BACKENDS = "org.fettle.testkit.Machine#hostBackends";

  private static final List<QuantizationFormat> FORMATS =
      List.of(
          IntegerFormat.int8(ScaleGrid.ROW),
          IntegerFormat.int4(ScaleGrid.group(32)),
          Fp8Format.blocks(1, 32),
          MicroscalingFormat.of(Minifloat.E2M1),
          new Nvfp4Format(false));

  private static Quantized memory(QuantizationFormat format) {
    return Quantized.of(
        Tensor.allocate(format.codes(), ROWS, COLUMNS),
        Tensor.allocate(format.scales(), format.scales(ROWS, COLUMNS)));
  }

  /** bf16 codes of random numbers, with their values. */
  private static short[] codes(float[] values) {
    Random random = new Random(11);
    short[] codes = new short[values.length];
    for (int i = 0; i < codes.length; i++) {
      codes[i] = (short) (Float.floatToIntBits((float) random.nextGaussian()) >>> 16);
      values[i] = Float.intBitsToFloat(codes[i] << 16);
    }
    return codes;
  }

  private static Tensor floats(float[] values, long... shape) {
    Tensor tensor = Tensor.allocate(DType.F32, shape);
    tensor.buffer().order(ByteOrder.nativeOrder()).asFloatBuffer().put(values);
    return tensor;
  }

  private static float[] floats(Tensor tensor) {
    float[] values = new float[(int) tensor.elements()];
    tensor.buffer().order(ByteOrder.nativeOrder()).asFloatBuffer().get(values);
    return values;
  }

  private static byte[] bytes(Tensor tensor) {
    byte[] bytes = new byte[(int) tensor.bytes()];
    tensor.buffer().get(0, bytes);
    return bytes;
  }

  @ParameterizedTest
  @MethodSource(BACKENDS)
  void quantizeAndDequantize(Backend backend) {
    float[] values = new float[ROWS * COLUMNS];
    short[] codes = codes(values);
    Quantizer quantizer = Quantizer.on(backend);
    Tensor wide = floats(values, ROWS, COLUMNS);
    Tensor narrow = Tensor.allocate(DType.BF16, ROWS, COLUMNS);
    narrow.buffer().order(ByteOrder.nativeOrder()).asShortBuffer().put(codes);
    for (QuantizationFormat format : FORMATS) {
      Quantized expected = memory(format);
      Quantized actual = memory(format);
      quantizer.quantize(format, wide, expected);
      quantizer.quantize(format, narrow, actual);
      assertArrayEquals(bytes(expected.codes()), bytes(actual.codes()), format.toString());
      assertArrayEquals(bytes(expected.scales()), bytes(actual.scales()), format.toString());
      Tensor decoded = Tensor.allocate(DType.F32, ROWS, COLUMNS);
      Tensor rounded = Tensor.allocate(DType.BF16, ROWS, COLUMNS);
      quantizer.dequantize(format, expected, decoded);
      quantizer.dequantize(format, expected, rounded);
      float[] floats = floats(decoded);
      for (int i = 0; i < floats.length; i++) {
        int bits = Float.floatToIntBits(floats[i]);
        int nearest = bits + 0x7FFF + (bits >>> 16 & 1);
        assertEquals(
            (short) (nearest >>> 16),
            rounded.buffer().order(ByteOrder.nativeOrder()).getShort(2 * i),
            "element " + i);
      }
    }
  }

  @ParameterizedTest
  @MethodSource(BACKENDS)
  void castsAndMeasures(Backend backend) {
    float[] values = new float[ROWS * COLUMNS];
    short[] codes = codes(values);
    Quantizer quantizer = Quantizer.on(backend);
    Tensor narrow = Tensor.allocate(DType.BF16, ROWS, COLUMNS);
    narrow.buffer().order(ByteOrder.nativeOrder()).asShortBuffer().put(codes);
    Tensor fp8 = Tensor.allocate(DType.U8, ROWS, COLUMNS);
    quantizer.cast(Minifloat.E5M2, true, narrow, fp8);
    float largest = 0;
    for (int i = 0; i < values.length; i++) {
      assertEquals((byte) Minifloat.E5M2.encode(values[i]), fp8.buffer().get(i), "element " + i);
      largest = Math.max(largest, Math.abs(values[i]));
    }
    Tensor most = Tensor.allocate(DType.F32, 1);
    quantizer.absoluteMax(narrow, most);
    assertEquals(largest, floats(most)[0]);
    Tensor back = Tensor.allocate(DType.F16, ROWS, COLUMNS);
    quantizer.decode(Minifloat.E5M2, fp8, back);
    for (int i = 0; i < values.length; i++) {
      // An E5M2 code is the upper half of an F16.
      assertEquals(
          (short) (fp8.buffer().get(i) << 8),
          back.buffer().order(ByteOrder.nativeOrder()).getShort(2 * i));
    }
    Tensor counts = Tensor.allocate(DType.I64, 8);
    quantizer.histogram(narrow, -10, 10, counts);
    long total = 0;
    for (int i = 0; i < 8; i++) {
      total += counts.buffer().order(ByteOrder.nativeOrder()).getLong(8 * i);
    }
    assertEquals(values.length, total);
  }
}
