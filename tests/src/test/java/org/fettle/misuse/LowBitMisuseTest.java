package org.fettle.misuse;

import org.fettle.Backend;
import org.fettle.CodeBook;
import org.fettle.DType;
import org.fettle.Plan;
import org.fettle.StateFormat;
import org.fettle.StateStorage;
import org.fettle.Tensor;
import org.fettle.rules.AdamW;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Low-bit formats and code books, asked for what they do not have. */
class LowBitMisuseTest {
  private static final String BACKENDS = "org.fettle.testkit.Machine#hostBackends";

  @ParameterizedTest
  @MethodSource(BACKENDS)
  @Misuses({
    "StateFormat.new(Kind, int, long)",
    "StateFormat.withBlockSize(int)",
    "StateFormat.withThreshold(long)",
    "PlanBuilder.states(StateFormat)",
    "StateStorage.new(DType, StateFormat, boolean)",
    "StateStorage.of(DType)",
    "StateStorage.of(StateFormat)",
    "Plan.scales(int, String)"
  })
  void formats(Backend backend) {
    Refusal.ofNull(() -> new StateFormat(null, 256, 0));
    for (int size : new int[] {0, -256, 3, 100, 8192}) {
      Refusal.ofArgument(
          () -> StateFormat.linear8().withBlockSize(size), "blockSize is " + size, "power of two");
    }
    Refusal.ofArgument(() -> StateFormat.torchao4().withBlockSize(1), "blockSize is 1");
    Refusal.ofArgument(() -> StateFormat.fp8().withThreshold(-1), "threshold is -1", "expected");
    Refusal.ofNull(() -> Plan.builder().states((StateFormat) null));
    Refusal.ofNull(() -> StateStorage.of((StateFormat) null));
    Refusal.ofNull(() -> StateStorage.of((DType) null));
    Refusal.ofArgument(() -> StateStorage.of(DType.BIT), "states are BIT", "expected F32");
    Refusal.ofArgument(
        () -> new StateStorage(DType.BF16, StateFormat.fp8(), false),
        "states are BF16",
        "expected F32 beside FP8");
    try (Subject subject = new Subject(backend);
        Plan low = subject.builder(new AdamW()).states(StateFormat.linear8()).build();
        Plan plain = subject.builder(new AdamW()).build()) {
      Refusal.ofArgument(() -> low.scales(0, "x"), "state x", "expected one of [m, v]");
      Refusal.ofArgument(() -> low.scales(1, "m"), "tensor 1");
      Refusal.ofArgument(() -> plain.scales(0, "m"), "state m of tensor 0", "no blocks");
    }
  }

  @ParameterizedTest
  @MethodSource(BACKENDS)
  @Misuses({
    "CodeBook.of(float[])",
    "CodeBook.encode(Backend, Tensor, Tensor, Tensor, int, Style)",
    "CodeBook.decode(Backend, Tensor, Tensor, Tensor, int)"
  })
  void codeBooks(Backend backend) {
    Refusal.ofNull(() -> CodeBook.of((float[]) null));
    Refusal.ofArgument(() -> CodeBook.of(), "values is 0", "1 to 256");
    Refusal.ofArgument(() -> CodeBook.of(new float[257]), "values is 257");
    Refusal.ofArgument(() -> CodeBook.of(1f, Float.NaN), "value is NaN", "finite");
    CodeBook book = CodeBook.nf4();
    CodeBook.Style style = CodeBook.Style.TORCHAO;
    try (Subject subject = new Subject(backend)) {
      Tensor x = subject.value;
      Tensor codes = subject.tensor(1, DType.U8);
      Tensor packed = subject.tensor(1, DType.U8, 2500);
      Tensor scales = subject.tensor(2, DType.F32, 79);
      Refusal.ofNull(() -> book.encode(null, x, codes, scales, 64, style));
      Refusal.ofNull(() -> book.encode(backend, x, codes, scales, 64, null));
      Refusal.ofNull(() -> book.encode(backend, null, codes, scales, 64, style));
      Refusal.ofNull(() -> book.decode(backend, codes, null, x, 64));
      Refusal.ofArgument(
          () -> book.encode(backend, x, codes, scales, 0, style), "blockSize is 0", "expected");
      Refusal.ofArgument(
          () -> book.encode(backend, x, codes, scales, 32, style), "scales", "expected 157");
      Refusal.ofArgument(
          () -> book.encode(backend, x, packed, scales, 63, style), "blockSize is 63", "even");
      Refusal.ofArgument(
          () -> CodeBook.dynamicSigned().encode(backend, x, packed, scales, 64, style), "codes");
      Refusal.ofArgument(
          () -> book.encode(backend, subject.copy, codes, scales, 64, style), "x is", "F32");
      Refusal.ofArgument(() -> book.encode(backend, x, x, scales, 64, style), "codes is", "U8");
      Refusal.ofArgument(
          () -> book.decode(backend, codes, scales, subject.tensor(1, DType.F32), 64), "overlaps");
    }
  }
}
