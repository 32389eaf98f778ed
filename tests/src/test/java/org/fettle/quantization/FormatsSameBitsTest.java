package org.fettle.quantization;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.DelayedScaling;
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
import org.fettle.recipes.LearnedStep;
import org.junit.jupiter.api.Test;

/** Every format gives the same bits on every backend, and what it encodes it decodes. */
class FormatsSameBitsTest {
  /** Fewer, for every format meets every one. */
  private static final long[][] GRID_SHAPES = {{0}, {7}, {513}, {3, 0}, {5, 33}, {129, 130}};

  private static List<QuantizationFormat> gridFormats() {
    List<QuantizationFormat> formats = new ArrayList<>();
    for (ScaleGrid grid :
        List.of(
            ScaleGrid.TENSOR,
            ScaleGrid.ROW,
            ScaleGrid.COLUMN,
            ScaleGrid.group(32),
            ScaleGrid.block(32, 32),
            ScaleGrid.block(1, 128),
            ScaleGrid.block(128, 128))) {
      for (IntegerFormat.Scheme scheme : IntegerFormat.Scheme.values()) {
        formats.add(new IntegerFormat(8, scheme, grid));
      }
      formats.add(IntegerFormat.int4(grid));
      formats.add(IntegerFormat.int2(grid));
      formats.add(new IntegerFormat(4, IntegerFormat.Scheme.ASYMMETRIC, grid));
      formats.add(new IntegerFormat(1, IntegerFormat.Scheme.CENTRED, grid));
      formats.add(new Fp8Format(Minifloat.E4M3, grid, 0, true));
      formats.add(new Fp8Format(Minifloat.E5M2, grid, 1e-4, false));
    }
    return formats;
  }

  @Test
  void grids() {
    for (long[] shape : GRID_SHAPES) {
      for (boolean odd : new boolean[] {false, true}) {
        Tensor values = Probe.values(shape.length + shape[0], odd, shape);
        for (QuantizationFormat format : gridFormats()) {
          compare(format, values, shape);
        }
      }
    }
  }

  private static void compare(QuantizationFormat format, Tensor values, long... shape) {
    for (boolean stochastic : new boolean[] {false, true}) {
      List<ByteBuffer> expected = null;
      for (Backend backend : Probe.backends()) {
        Quantizer quantizer = Quantizer.on(backend);
        List<ByteBuffer> actual =
            quantize(
                stochastic ? quantizer.stochastic(77, 5, 2) : quantizer,
                format,
                values,
                format instanceof IntegerFormat || format instanceof Fp8Format);
        expected = expected == null ? actual : expected;
        Probe.assertSame(
            format + " of " + java.util.Arrays.toString(shape) + " on " + backend,
            expected,
            actual);
      }
    }
  }

  private static List<ByteBuffer> quantize(
      Quantizer quantizer, QuantizationFormat format, Tensor values, boolean grid) {
    long[] shape = values.shape();
    long columns = shape[shape.length - 1];
    long rows = columns == 0 ? 1 : values.elements() / columns;
    for (int i = 0; columns == 0 && i + 1 < shape.length; i++) {
      rows *= shape[i];
    }
    long scales = format.scales(shape);
    Quantized into =
        Quantized.of(
            Tensor.allocate(format.codes(), shape), Tensor.allocate(format.scales(), scales));
    if (grid) {
      into = into.withTransposed(Tensor.allocate(format.codes(), columns, rows));
    }
    if (format instanceof IntegerFormat integer
        && (integer.scheme() == IntegerFormat.Scheme.ASYMMETRIC
            || integer.scheme() == IntegerFormat.Scheme.CENTRED)) {
      into = into.withZeroPoints(Tensor.allocate(DType.I32, scales));
    }
    if (format instanceof Nvfp4Format nvfp4 && nvfp4.globalScale()) {
      into = into.withGlobalScale(Tensor.allocate(DType.F32, 1));
    }
    quantizer.quantize(format, values, into);
    Tensor decoded = Tensor.allocate(DType.F32, shape);
    quantizer.dequantize(format, into, decoded);
    for (long i = 0; grid && i < values.elements(); i++) {
      byte code = into.codes().buffer().get((int) i);
      byte there = into.transposed().buffer().get((int) (i % columns * rows + i / columns));
      assertEquals(code, there, format + ", transposed element " + i);
    }
    return Probe.bits(
        into.codes(),
        into.scales(),
        into.zeroPoints(),
        into.transposed(),
        into.globalScale(),
        decoded);
  }

  @Test
  void blocks() {
    List<QuantizationFormat> formats = new ArrayList<>();
    for (Minifloat element : Minifloat.values()) {
      for (MicroscalingFormat.Rule rule : MicroscalingFormat.Rule.values()) {
        if (element != Minifloat.E8M0) {
          formats.add(new MicroscalingFormat(element, rule));
        }
      }
    }
    formats.add(new Nvfp4Format(true));
    formats.add(new Nvfp4Format(false));
    for (long[] shape : new long[][] {{0}, {32}, {96}, {4096}, {5, 96}, {3, 4160}}) {
      for (boolean odd : new boolean[] {false, true}) {
        Tensor values = Probe.values(31 + shape[0], odd, shape);
        for (QuantizationFormat format : formats) {
          compare(format, values, shape);
        }
      }
    }
  }

  @Test
  void casts() {
    for (long n : new long[] {0, 1, 7, 511, 513, 4095, 4096, 4097, 10000}) {
      Tensor values = Probe.values(n, true, n);
      for (Minifloat format : Minifloat.values()) {
        if (format == Minifloat.E8M0) {
          continue;
        }
        for (int way = 0; way < 4; way++) {
          List<ByteBuffer> expected = null;
          for (Backend backend : Probe.backends()) {
            Quantizer quantizer = Quantizer.on(backend);
            quantizer = way < 2 ? quantizer : quantizer.stochastic(9, 2, 1);
            Tensor codes = Tensor.allocate(DType.U8, n);
            Tensor decoded = Tensor.allocate(DType.F32, n);
            quantizer.cast(format, way % 2 == 0, values, codes);
            quantizer.decode(format, codes, decoded);
            List<ByteBuffer> actual = Probe.bits(codes, decoded);
            expected = expected == null ? actual : expected;
            Probe.assertSame(format + ", way " + way + " on " + backend, expected, actual);
          }
        }
      }
    }
  }

  /** A NaN, and the NaN that a product with infinity is of a zero, has the sign of the value. */
  @Test
  void signsOfNan() {
    int[] kinds = {0xFFC00000, 0x7FC00000, 0x80000000, 0, 0xFF800001};
    Tensor values = Tensor.allocate(DType.F32, 5, 33);
    for (int i = 0; i < values.elements(); i++) {
      values.buffer().putInt(Float.BYTES * i, kinds[i % kinds.length]);
    }
    Fp8Format format = new Fp8Format(Minifloat.E4M3, ScaleGrid.TENSOR, 0, false);
    for (Backend backend : Probe.backends()) {
      for (boolean stochastic : new boolean[] {false, true}) {
        Quantizer quantizer = Quantizer.on(backend);
        quantizer = stochastic ? quantizer.stochastic(9, 2, 1) : quantizer;
        Tensor codes = Tensor.allocate(DType.U8, 5, 33);
        quantizer.cast(Minifloat.E4M3, true, values, codes);
        assertSigns(values, codes, false, "cast on " + backend);
        Quantized into = Quantized.of(codes, Tensor.allocate(DType.F32, 1));
        into.scales().buffer().putFloat(0, 0f);
        quantizer.encode(format, values, into);
        assertSigns(values, codes, true, "times infinity on " + backend);
      }
      Tensor multipliers = Tensor.allocate(DType.F32, 1);
      multipliers.buffer().putFloat(0, Float.POSITIVE_INFINITY);
      Tensor codes = Tensor.allocate(DType.U8, 5, 33);
      DelayedScaling.on(backend, Minifloat.E4M3, Tensor.allocate(DType.F32, 2, 1), multipliers)
          .cast(0, values, codes, Tensor.allocate(DType.U8, 33, 5));
      assertSigns(values, codes, true, "delayed scaling on " + backend);
    }
  }

  private static void assertSigns(Tensor values, Tensor codes, boolean infinite, String what) {
    for (int i = 0; i < values.elements(); i++) {
      float value = values.buffer().getFloat(Float.BYTES * i);
      int sign = values.buffer().getInt(Float.BYTES * i) < 0 ? 0x80 : 0;
      int expected = sign | (infinite || Float.isNaN(value) ? 0x7F : 0);
      assertEquals(expected, codes.buffer().get(i) & 0xFF, what + ", element " + i);
    }
  }

  /** So large that results are stored past the cache, and of a length that no register divides. */
  @Test
  void largeTensors() {
    long rows = 3;
    long columns = (1 << 23) / 3 + 19;
    Tensor values = Probe.values(11, true, rows, columns);
    List<ByteBuffer> expected = null;
    for (Backend backend : Probe.backends()) {
      Quantizer quantizer = Quantizer.on(backend);
      Tensor cast = Tensor.allocate(DType.U8, rows, columns);
      quantizer.cast(Minifloat.E4M3, true, values, cast);
      Quantized byRow =
          Quantized.of(Tensor.allocate(DType.I8, rows, columns), Tensor.allocate(DType.F32, rows));
      quantizer.quantize(IntegerFormat.int8(ScaleGrid.ROW), values, byRow);
      Quantized whole =
          Quantized.of(Tensor.allocate(DType.I8, rows, columns), Tensor.allocate(DType.F32, 1));
      whole.scales().buffer().order(java.nio.ByteOrder.nativeOrder()).putFloat(0, 0.03f);
      quantizer.encode(IntegerFormat.int8(ScaleGrid.TENSOR), values, whole);
      List<ByteBuffer> actual = Probe.bits(cast, byRow.codes(), byRow.scales(), whole.codes());
      Tensor decoded = Tensor.allocate(DType.F32, rows, columns);
      quantizer.decode(Minifloat.E4M3, cast, decoded);
      actual.addAll(Probe.bits(decoded));
      quantizer.dequantize(IntegerFormat.int8(ScaleGrid.ROW), byRow, decoded);
      actual.addAll(Probe.bits(decoded));
      quantizer.dequantize(IntegerFormat.int8(ScaleGrid.TENSOR), whole, decoded);
      actual.addAll(Probe.bits(decoded));
      LearnedStep.ofBits(8, true).forward(backend, values, whole.scales(), decoded);
      actual.addAll(Probe.bits(decoded));
      expected = expected == null ? actual : expected;
      Probe.assertSame("large on " + backend, expected, actual);
    }
  }

  @Test
  void everyCodeComesBack() {
    for (Minifloat format : Minifloat.values()) {
      for (int code = 0; code < 1 << format.bits() && format != Minifloat.E8M0; code++) {
        float value = format.decode(code);
        if (Float.isFinite(value)) {
          assertEquals(code, format.encode(value), format + " code " + code);
        }
      }
      assertEquals(
          format.largest(),
          format.decode(format == Minifloat.E8M0 ? 254 : format.encode(Float.MAX_VALUE)));
    }
  }

  @Test
  void fieldsOfEveryWidth() {
    for (int bits : new int[] {1, 2, 4, 6}) {
      for (long n : new long[] {0, 1, 2, 3, 5, 7, 4095, 4096, 4097, 9999}) {
        for (DType dtype : new DType[] {DType.I8, DType.U8}) {
          for (Quantizer.PackingOrder order : Quantizer.PackingOrder.values()) {
            if (bits == 6 && order != Quantizer.PackingOrder.LOW_FIRST) {
              continue;
            }
            Tensor codes = Tensor.allocate(dtype, n);
            for (int i = 0; i < n; i++) {
              int code = (i * 7 + i / 5) & ((1 << bits) - 1);
              int low = dtype == DType.I8 && code >= 1 << (bits - 1) ? code - (1 << bits) : code;
              codes.buffer().put(i, (byte) low);
            }
            List<ByteBuffer> expected = null;
            for (Backend backend : Probe.backends()) {
              Tensor packed = Tensor.allocate(DType.U8, Quantizer.packedBytes(bits, n));
              Tensor back = Tensor.allocate(dtype, n);
              Quantizer quantizer = Quantizer.on(backend);
              quantizer.pack(bits, order, codes, packed, 1);
              quantizer.unpack(bits, order, packed, back);
              List<ByteBuffer> actual = Probe.bits(packed);
              expected = expected == null ? actual : expected;
              String what = bits + " bits, " + n + ", " + order + " on " + backend;
              Probe.assertSame(what, expected, actual);
              Probe.assertSame(what, Probe.bits(codes), Probe.bits(back));
            }
          }
        }
      }
    }
  }

  @Test
  void measures() {
    for (long[] shape : new long[][] {{0}, {1}, {513}, {130, 131}, {200000}}) {
      Tensor values = Probe.values(shape[0], false, shape);
      List<ByteBuffer> expected = null;
      for (Backend backend : Probe.backends()) {
        Tensor largest = Tensor.allocate(DType.F32, 1);
        Tensor counts = Tensor.allocate(DType.I64, 37);
        Quantizer quantizer = Quantizer.on(backend);
        quantizer.absoluteMax(values, largest);
        quantizer.histogram(values, -2f, 3f, counts);
        List<ByteBuffer> actual = Probe.bits(largest, counts);
        expected = expected == null ? actual : expected;
        Probe.assertSame("measures on " + backend, expected, actual);
        long sum = 0;
        long inside = 0;
        float amax = 0;
        for (int k = 0; k < 37; k++) {
          sum += counts.buffer().getLong(8 * k);
        }
        for (int i = 0; i < values.elements(); i++) {
          float x = values.buffer().getFloat(4 * i);
          inside += x >= -2f && x <= 3f ? 1 : 0;
          amax = Math.max(amax, Math.abs(x));
        }
        assertEquals(inside, sum);
        assertEquals(amax, largest.buffer().getFloat(0));
      }
    }
  }

  @Test
  void delayedScaling() {
    Tensor values = Probe.values(3, false, 130, 70);
    List<ByteBuffer> expected = null;
    for (Backend backend : Probe.backends()) {
      Tensor history = Tensor.allocate(DType.F32, 3, 2);
      Tensor multipliers = Tensor.allocate(DType.F32, 2);
      multipliers.buffer().putFloat(0, 1f).putFloat(4, 1f);
      Tensor codes = Tensor.allocate(DType.U8, 130, 70);
      Tensor transposed = Tensor.allocate(DType.U8, 70, 130);
      DelayedScaling scaling =
          DelayedScaling.on(backend, Minifloat.E4M3, history, multipliers).margin(1);
      for (int step = 0; step < 4; step++) {
        scaling.cast(1, values, codes, transposed);
        scaling.update();
      }
      assertTrue(multipliers.buffer().getFloat(4) != 1f, "the multiplier has moved");
      assertEquals(1f, multipliers.buffer().getFloat(0), "the other has not");
      List<ByteBuffer> actual = Probe.bits(history, multipliers, codes, transposed);
      expected = expected == null ? actual : expected;
      Probe.assertSame("delayed scaling on " + backend, expected, actual);
    }
  }
}
