package org.fettle.quantization;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.fettle.Backend;
import org.fettle.BinaryProduct;
import org.fettle.BlockProduct;
import org.fettle.DType;
import org.fettle.Int8Linear;
import org.fettle.IntegerFormat;
import org.fettle.IntegerProduct;
import org.fettle.Quantized;
import org.fettle.Quantizer;
import org.fettle.ScaleGrid;
import org.fettle.Tensor;
import org.fettle.internal.NativeLibrary;
import org.junit.jupiter.api.Test;

/** Products of integers and signs against plain loops, on every backend and by every path. */
class ProductsTest {
  private static final int[][] SHAPES = {
    {1, 1, 1},
    {3, 5, 7},
    {17, 16, 64},
    {64, 128, 65},
    {65, 129, 63},
    {1, 300, 130},
    {200, 1, 4099},
    {33, 40, 127},
    {64, 130, 513},
    {129, 70, 1030},
    {70, 290, 255},
    {5, 0, 3},
    {4, 4, 0}
  };

  private static List<String> paths() {
    List<String> paths = new ArrayList<>(List.of("avx2"));
    if (NativeLibrary.tierNames().contains("avx512-vnni")) {
      paths.add("vnni");
    }
    if (NativeLibrary.tierNames().contains("amx-int8")) {
      paths.add("amx");
    }
    return paths;
  }

  @Test
  void sumsAreThoseOfPlainLoops() {
    String before = System.getProperty("fettle.gemm");
    try {
      for (String path : paths()) {
        System.setProperty("fettle.gemm", path);
        for (int[] shape : SHAPES) {
          for (Backend backend : Probe.backends()) {
            sums(path + " on " + backend, backend, shape[0], shape[1], shape[2]);
          }
        }
      }
    } finally {
      if (before == null) {
        System.clearProperty("fettle.gemm");
      } else {
        System.setProperty("fettle.gemm", before);
      }
    }
  }

  private static void sums(String what, Backend backend, int rows, int columns, int depth) {
    Tensor left = Probe.bytes(rows, rows, depth);
    Tensor right = Probe.bytes(columns + 1000, columns, depth);
    if (depth > 0 && columns > 0) {
      // The extremes, where a product of pairs would overflow 16 bits.
      for (int k = 0; k < depth; k++) {
        left.buffer().put(k, (byte) -128);
        right.buffer().put(k, (byte) -128);
      }
    }
    Tensor sums = Tensor.allocate(DType.I32, rows, columns);
    IntegerProduct.on(backend)
        .multiply(left, right, IntegerProduct.Epilogue.NONE.withZeroPoint(3), sums);
    Tensor rowScales = Probe.values(1, false, rows);
    Tensor columnScales = Probe.values(2, false, columns);
    Tensor bias = Probe.values(3, false, columns);
    Tensor y = Tensor.allocate(DType.F32, rows, columns);
    IntegerProduct.Epilogue epilogue =
        IntegerProduct.Epilogue.scales(rowScales, columnScales).withBias(bias).withZeroPoint(3);
    IntegerProduct.on(backend).multiply(left, right, epilogue, y);
    Tensor codes = Tensor.allocate(DType.I8, rows, columns);
    IntegerProduct.on(backend).multiply(left, right, epilogue.withMultiplier(1e-4), codes);
    for (int r = 0; r < rows; r++) {
      for (int c = 0; c < columns; c++) {
        int sum = 0;
        for (int k = 0; k < depth; k++) {
          sum += (left.buffer().get(r * depth + k) - 3) * right.buffer().get(c * depth + k);
        }
        String place = what + ", depth " + depth + ", " + r + ", " + c;
        int at = r * columns + c;
        assertEquals(sum, sums.buffer().getInt(4 * at), place);
        float wanted = sum * columnScales.buffer().getFloat(4 * c);
        wanted = wanted * rowScales.buffer().getFloat(4 * r);
        wanted = wanted + bias.buffer().getFloat(4 * c);
        assertEquals(wanted, y.buffer().getFloat(4 * at), place);
        float rounded = (float) Math.rint(wanted * 1e-4f);
        assertEquals((int) Math.max(-128, Math.min(127, rounded)), codes.buffer().get(at), place);
      }
    }
  }

  @Test
  void signs() {
    for (int[] shape : SHAPES) {
      Tensor left = Probe.values(4, true, shape[0], shape[2]);
      Tensor right = Probe.bytes(5, shape[1], shape[2]);
      for (Backend backend : Probe.backends()) {
        BinaryProduct product = BinaryProduct.on(backend);
        Tensor a = Tensor.allocate(DType.I64, shape[0], BinaryProduct.words(shape[2]));
        Tensor b = Tensor.allocate(DType.I64, shape[1], BinaryProduct.words(shape[2]));
        Tensor dot = Tensor.allocate(DType.I32, shape[0], shape[1]);
        product.pack(left, a);
        product.pack(right, b);
        product.multiply(shape[2], a, b, null, dot);
        for (int i = 0; i < dot.elements(); i++) {
          int sum = 0;
          for (int k = 0; k < shape[2]; k++) {
            boolean negative = left.buffer().getFloat(4 * (i / shape[1] * shape[2] + k)) < 0;
            boolean other = right.buffer().get(i % shape[1] * shape[2] + k) < 0;
            sum += negative == other ? 1 : -1;
          }
          assertEquals(sum, dot.buffer().getInt(4 * i), "element " + i + " on " + backend);
        }
      }
    }
  }

  @Test
  void layersAndBlocksAreTheSameEverywhere() {
    for (int[] shape : new int[][] {{5, 7, 9}, {33, 65, 130}, {70, 31, 64}}) {
      Tensor x = Probe.values(6, false, shape[0], shape[2]);
      Tensor w = Probe.values(7, false, shape[1], shape[2]);
      Tensor g = Probe.values(8, false, shape[0], shape[1]);
      List<ByteBuffer> expected = null;
      for (Backend backend : Probe.backends()) {
        List<ByteBuffer> actual = new ArrayList<>();
        for (Int8Linear.Recipe recipe : Int8Linear.Recipe.values()) {
          Tensor y = Tensor.allocate(DType.F32, shape[0], shape[1]);
          Tensor dx = Tensor.allocate(DType.F32, shape[0], shape[2]);
          Tensor dw = Tensor.allocate(DType.F32, shape[1], shape[2]);
          Int8Linear layer = Int8Linear.on(backend, recipe);
          layer.forward(x, w, null, y);
          layer.inputGradient(g, w, dx);
          layer.weightGradient(g, x, dw);
          actual.addAll(Probe.bits(y, dx, dw));
        }
        IntegerFormat format =
            new IntegerFormat(8, IntegerFormat.Scheme.DIVIDING, ScaleGrid.block(32, 32));
        Quantized left = blocks(backend, format, x);
        Quantized right = blocks(backend, format, w);
        Tensor y = Tensor.allocate(DType.F32, shape[0], shape[1]);
        BlockProduct.on(backend)
            .multiply(left.codes(), left.scales(), right.codes(), right.scales(), y);
        actual.addAll(Probe.bits(y));
        expected = expected == null ? actual : expected;
        Probe.assertSame("layers on " + backend, expected, actual);
      }
    }
  }

  private static Quantized blocks(Backend backend, IntegerFormat format, Tensor values) {
    long[] shape = values.shape();
    Quantized into =
        Quantized.of(
            Tensor.allocate(DType.I8, shape),
            Tensor.allocate(DType.F32, (shape[0] + 31) / 32, (shape[1] + 31) / 32));
    Quantizer.on(backend).quantize(format, values, into);
    return into;
  }
}
