package org.fettle.misuse;

import org.fettle.Backend;
import org.fettle.BinaryProduct;
import org.fettle.BlockProduct;
import org.fettle.DType;
import org.fettle.Int8Linear;
import org.fettle.IntegerProduct;
import org.fettle.IntegerProduct.Epilogue;
import org.fettle.ScaleGrid;
import org.fettle.Tensor;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Products whose operands do not fit. */
class ProductsMisuseTest {
  private static final String BACKENDS = "org.fettle.testkit.Machine#hostBackends";

  private static Tensor tensor(DType dtype, long... shape) {
    return Tensor.allocate(dtype, shape);
  }

  @ParameterizedTest
  @MethodSource(BACKENDS)
  @Misuses({
    "IntegerProduct.on(Backend)",
    "IntegerProduct.multiply(Tensor, Tensor, Epilogue, Tensor)",
    "Epilogue.new(Tensor, Tensor, Tensor, int, double)",
    "Epilogue.scales(Tensor, Tensor)",
    "Epilogue.withBias(Tensor)",
    "Epilogue.withZeroPoint(int)",
    "Epilogue.withMultiplier(double)"
  })
  void integers(Backend backend) {
    Refusal.ofNull(() -> IntegerProduct.on(null));
    IntegerProduct product = IntegerProduct.on(backend);
    Tensor left = tensor(DType.I8, 2, 5);
    Tensor right = tensor(DType.I8, 3, 5);
    Tensor result = tensor(DType.F32, 2, 3);
    Refusal.ofNull(() -> product.multiply(left, right, null, result));
    Refusal.ofNull(() -> product.multiply(left, right, Epilogue.NONE, null));
    Refusal.ofNull(() -> product.multiply(null, right, Epilogue.NONE, result));
    Refusal.ofArgument(
        () -> product.multiply(left, tensor(DType.I8, 3, 4), Epilogue.NONE, result),
        "right",
        "[3, 5]");
    Refusal.ofArgument(
        () -> product.multiply(left, tensor(DType.I8, 15), Epilogue.NONE, result),
        "right",
        "two axes");
    Refusal.ofArgument(
        () -> product.multiply(tensor(DType.U8, 2, 5), right, Epilogue.NONE, result),
        "left is U8",
        "I8");
    Refusal.ofArgument(
        () -> product.multiply(left, right, Epilogue.NONE, tensor(DType.F32, 3, 2)),
        "result",
        "[2, 3]");
    Refusal.ofArgument(
        () -> product.multiply(left, right, Epilogue.NONE, tensor(DType.BF16, 2, 3)),
        "result is BF16",
        "I32, F32 or I8");
    Refusal.ofArgument(
        () -> product.multiply(left, left, Epilogue.NONE, tensor(DType.I32, 2, 3)), "result");
    long deep = IntegerProduct.MAX_DEPTH + 1;
    Tensor deepLeft = tensor(DType.I8, 1, deep);
    Refusal.ofArgument(
        () -> product.multiply(deepLeft, deepLeft, Epilogue.NONE, tensor(DType.I32, 1, 1)),
        "depth is " + deep,
        "131071");
    Tensor four = tensor(DType.F32, 4);
    Refusal.ofArgument(
        () -> product.multiply(left, right, Epilogue.scales(four, null), result),
        "row scales",
        "2 elements");
    Refusal.ofArgument(
        () -> product.multiply(left, right, Epilogue.scales(null, four), result),
        "column scales",
        "3 elements");
    Refusal.ofArgument(
        () -> product.multiply(left, right, Epilogue.NONE.withBias(four), result),
        "bias",
        "3 elements");
    Refusal.ofArgument(
        () -> product.multiply(left, right, Epilogue.NONE.withBias(result), result), "bias");
    Refusal.ofArgument(() -> Epilogue.NONE.withZeroPoint(256), "zero point is 256", "-128..255");
    Refusal.ofArgument(() -> Epilogue.NONE.withMultiplier(Double.NaN), "multiplier is NaN");
  }

  @ParameterizedTest
  @MethodSource(BACKENDS)
  @Misuses({
    "BlockProduct.on(Backend)",
    "BlockProduct.multiply(Tensor, Tensor, Tensor, Tensor, Tensor)"
  })
  void blocks(Backend backend) {
    Refusal.ofNull(() -> BlockProduct.on(null));
    BlockProduct product = BlockProduct.on(backend);
    Tensor left = tensor(DType.I8, 33, 40);
    Tensor leftScales = tensor(DType.F32, 2, 2);
    Tensor right = tensor(DType.I8, 5, 40);
    Tensor rightScales = tensor(DType.F32, 1, 2);
    Tensor result = tensor(DType.F32, 33, 5);
    Refusal.ofNull(() -> product.multiply(left, null, right, rightScales, result));
    Refusal.ofArgument(
        () -> product.multiply(left, rightScales, right, rightScales, result),
        "left scales",
        "[2, 2]");
    Refusal.ofArgument(
        () -> product.multiply(left, leftScales, right, leftScales, result),
        "right scales",
        "[1, 2]");
    Refusal.ofArgument(
        () -> product.multiply(left, leftScales, tensor(DType.I8, 5, 41), rightScales, result),
        "right",
        "[5, 40]");
    Refusal.ofArgument(
        () -> product.multiply(left, leftScales, right, rightScales, tensor(DType.F32, 5, 33)),
        "result",
        "[33, 5]");
    Refusal.ofArgument(
        () -> product.multiply(left, leftScales, right, rightScales, leftScales), "result");
  }

  @ParameterizedTest
  @MethodSource(BACKENDS)
  @Misuses({
    "BinaryProduct.on(Backend)",
    "BinaryProduct.words(long)",
    "BinaryProduct.pack(Tensor, Tensor)",
    "BinaryProduct.multiply(long, Tensor, Tensor, Tensor, Tensor)"
  })
  void signs(Backend backend) {
    Refusal.ofNull(() -> BinaryProduct.on(null));
    Refusal.ofArgument(() -> BinaryProduct.words(-1), "depth is -1");
    BinaryProduct product = BinaryProduct.on(backend);
    Tensor values = tensor(DType.F32, 2, 65);
    Refusal.ofNull(() -> product.pack(null, tensor(DType.I64, 2, 2)));
    Refusal.ofArgument(() -> product.pack(values, tensor(DType.I64, 2, 1)), "packed", "[2, 2]");
    Refusal.ofArgument(() -> product.pack(values, tensor(DType.I32, 2, 2)), "packed is I32");
    Refusal.ofArgument(
        () -> product.pack(tensor(DType.F32, 130), tensor(DType.I64, 2, 2)), "values", "two axes");
    Refusal.ofArgument(
        () -> product.pack(tensor(DType.BF16, 2, 65), tensor(DType.I64, 2, 2)), "values is BF16");
    Tensor left = tensor(DType.I64, 2, 2);
    Tensor right = tensor(DType.I64, 3, 2);
    Tensor result = tensor(DType.I32, 2, 3);
    Refusal.ofArgument(() -> product.multiply(-1, left, right, null, result), "depth is -1");
    Refusal.ofArgument(
        () -> product.multiply(1L << 31, left, right, null, result), "depth is 2147483648");
    Refusal.ofArgument(() -> product.multiply(64, left, right, null, result), "left", "[2, 1]");
    Refusal.ofArgument(
        () -> product.multiply(65, left, right, tensor(DType.F32, 3), result),
        "scales",
        "expected none");
    Refusal.ofArgument(
        () -> product.multiply(65, left, right, tensor(DType.F32, 2), tensor(DType.F32, 2, 3)),
        "scales",
        "3 elements");
    Refusal.ofArgument(
        () -> product.multiply(65, left, right, null, tensor(DType.I32, 3, 2)), "result", "[2, 3]");
    Refusal.ofArgument(
        () -> product.multiply(65, left, right, null, tensor(DType.I64, 2, 3)), "result is I64");
  }

  @ParameterizedTest
  @MethodSource(BACKENDS)
  @Misuses({
    "Int8Linear.on(Backend, Recipe)",
    "Int8Linear.quantizer(Quantizer)",
    "Int8Linear.format(ScaleGrid)",
    "Int8Linear.forward(Tensor, Tensor, Tensor, Tensor)",
    "Int8Linear.inputGradient(Tensor, Tensor, Tensor)",
    "Int8Linear.weightGradient(Tensor, Tensor, Tensor)"
  })
  void linear(Backend backend) {
    Refusal.ofNull(() -> Int8Linear.on(null, Int8Linear.Recipe.MIXED));
    Refusal.ofNull(() -> Int8Linear.on(backend, null));
    for (Int8Linear.Recipe recipe : Int8Linear.Recipe.values()) {
      Int8Linear layer = Int8Linear.on(backend, recipe);
      Refusal.ofNull(() -> layer.quantizer(null));
      Refusal.ofNull(() -> layer.format((ScaleGrid) null));
      Tensor x = tensor(DType.F32, 4, 6);
      Tensor w = tensor(DType.F32, 3, 6);
      Tensor y = tensor(DType.F32, 4, 3);
      Refusal.ofArgument(
          () -> layer.forward(x, tensor(DType.F32, 3, 5), null, y), "w is", "[3, 6]");
      Refusal.ofArgument(() -> layer.forward(x, w, null, x), "y");
      Refusal.ofArgument(
          () -> layer.forward(x, w, null, tensor(DType.F32, 3, 4)), "y is", "[4, 3]");
      Refusal.ofArgument(() -> layer.forward(x, w, tensor(DType.F32, 4), y), "bias", "3 elements");
      Refusal.ofArgument(() -> layer.forward(tensor(DType.BF16, 4, 6), w, null, y), "x is BF16");
      Refusal.ofArgument(
          () -> layer.forward(tensor(DType.F32, 4, 6, 1), w, null, y), "x is", "two axes");
      Refusal.ofArgument(
          () -> layer.inputGradient(y, w, tensor(DType.F32, 4, 5)), "dx is", "[4, 6]");
      Refusal.ofArgument(() -> layer.inputGradient(x, w, x), "dx");
      Refusal.ofArgument(
          () -> layer.weightGradient(y, x, tensor(DType.F32, 6, 3)), "dw is", "[3, 6]");
      Refusal.ofArgument(
          () -> layer.weightGradient(y, tensor(DType.F32, 5, 6), w), "x is", "[4, 6]");
    }
  }
}
