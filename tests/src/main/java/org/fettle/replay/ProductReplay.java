package org.fettle.replay;

import java.util.Set;
import org.fettle.BinaryProduct;
import org.fettle.DType;
import org.fettle.Int8Linear;
import org.fettle.IntegerFormat;
import org.fettle.IntegerProduct;
import org.fettle.Quantized;
import org.fettle.Quantizer;
import org.fettle.ScaleGrid;
import org.fettle.Tensor;

/** Products of integers and of signs, and the layers that are made of them. */
final class ProductReplay implements MethodReplay {
  @Override
  public Set<String> methods() {
    return Set.of("int8-gemm", "binary-gemm", "int8-linear", "switchback");
  }

  @Override
  public void replay(GoldenCase golden, Workbench bench, Outputs outputs) {
    switch (golden.method()) {
      case "int8-gemm" -> integer(golden, bench, outputs);
      case "binary-gemm" -> binary(golden, bench, outputs);
      default -> linear(golden, bench, outputs);
    }
  }

  private static Tensor floats(GoldenCase golden, Workbench bench, String name) {
    if (!golden.takes(name)) {
      return null;
    }
    Values values = golden.array(name);
    return bench.tensor(values.floats(), values.shape());
  }

  private static void integer(GoldenCase golden, Workbench bench, Outputs outputs) {
    Tensor a = LowBits.bytes(bench, DType.I8, golden.array("a"));
    Tensor b = LowBits.bytes(bench, DType.I8, golden.array("b"));
    int zeroPoint = (int) golden.hyper().number("zero_point_a");
    IntegerProduct.Epilogue epilogue =
        IntegerProduct.Epilogue.scales(
                floats(golden, bench, "row_scale"), floats(golden, bench, "col_scale"))
            .withBias(floats(golden, bench, "bias"))
            .withZeroPoint(zeroPoint);
    long[] shape = {a.shape()[0], b.shape()[0]};
    Tensor sums = bench.tensor(DType.I32, shape);
    Tensor y = bench.tensor(DType.F32, shape);
    IntegerProduct product = IntegerProduct.on(bench.backend());
    product.multiply(a, b, IntegerProduct.Epilogue.NONE.withZeroPoint(zeroPoint), sums);
    product.multiply(a, b, epilogue, y);
    outputs.add("acc", LowBits.read(bench, sums));
    outputs.add("y32", bench.floats(y));
    outputs.add("y64", bench.floats(y));
  }

  private static void binary(GoldenCase golden, Workbench bench, Outputs outputs) {
    long depth = (long) golden.hyper().number("K");
    Tensor a = LowBits.bytes(bench, DType.I8, golden.array("a"));
    Tensor b = LowBits.bytes(bench, DType.I8, golden.array("b"));
    Tensor left = bench.tensor(DType.I64, a.shape()[0], BinaryProduct.words(depth));
    Tensor right = bench.tensor(DType.I64, b.shape()[0], BinaryProduct.words(depth));
    BinaryProduct product = BinaryProduct.on(bench.backend());
    product.pack(a, left);
    product.pack(b, right);
    long[] shape = {a.shape()[0], b.shape()[0]};
    Tensor dot = bench.tensor(DType.I32, shape);
    Tensor y = bench.tensor(DType.F32, shape);
    product.multiply(depth, left, right, null, dot);
    product.multiply(depth, left, right, floats(golden, bench, "alpha"), y);
    outputs.add("a_packed", LowBits.read(bench, left));
    outputs.add("b_packed", LowBits.read(bench, right));
    outputs.add("dot", LowBits.read(bench, dot));
    outputs.add("y", bench.floats(y));
  }

  private static void linear(GoldenCase golden, Workbench bench, Outputs outputs) {
    boolean mixed = golden.method().equals("int8-linear");
    if (mixed) {
      golden.hyper().numbers("shape");
    }
    Tensor x = floats(golden, bench, "x");
    Tensor w = floats(golden, bench, "w");
    Tensor g = floats(golden, bench, "grad_out");
    Int8Linear layer =
        Int8Linear.on(
            bench.backend(), mixed ? Int8Linear.Recipe.MIXED : Int8Linear.Recipe.SWITCHBACK);
    Tensor y = bench.tensor(DType.F32, g.shape());
    Tensor gradX = bench.tensor(DType.F32, x.shape());
    Tensor gradW = bench.tensor(DType.F32, w.shape());
    layer.forward(x, w, floats(golden, bench, "bias"), y);
    layer.inputGradient(g, w, gradX);
    layer.weightGradient(g, x, gradW);
    outputs.add("y", bench.floats(y));
    outputs.add("grad_x", bench.floats(gradX));
    outputs.add("grad_w", bench.floats(gradW));
    Quantized left = quantized(layer.format(ScaleGrid.ROW), x, bench);
    Quantized right = quantized(layer.format(mixed ? ScaleGrid.ROW : ScaleGrid.TENSOR), w, bench);
    outputs.add("x_q", LowBits.read(bench, left.codes()));
    outputs.add("w_q", LowBits.read(bench, right.codes()));
    if (mixed) {
      Tensor sums = bench.tensor(DType.I32, g.shape());
      IntegerProduct.on(bench.backend())
          .multiply(left.codes(), right.codes(), IntegerProduct.Epilogue.NONE, sums);
      outputs.add("x_scale", bench.floats(left.scales()));
      outputs.add("w_scale", bench.floats(right.scales()));
      outputs.add("acc", LowBits.read(bench, sums));
    } else {
      outputs.add(
          "g_q", LowBits.read(bench, quantized(layer.format(ScaleGrid.ROW), g, bench).codes()));
    }
  }

  private static Quantized quantized(IntegerFormat format, Tensor values, Workbench bench) {
    Quantized into =
        Quantized.of(
            bench.tensor(DType.I8, values.shape()),
            bench.tensor(DType.F32, format.scales(values.shape())));
    Quantizer.on(bench.backend()).quantize(format, values, into);
    return into;
  }
}
