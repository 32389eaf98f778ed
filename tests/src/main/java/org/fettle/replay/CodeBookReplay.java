package org.fettle.replay;

import java.util.Arrays;
import java.util.Set;
import org.fettle.CodeBook;
import org.fettle.DType;
import org.fettle.Hyper;
import org.fettle.Tensor;
import org.fettle.internal.KernelCall;
import org.fettle.internal.kernels.BlockKernels;

/** Code books and what they encode. */
final class CodeBookReplay implements MethodReplay {
  @Override
  public Set<String> methods() {
    return Set.of("codebook", "blockwise8", "blockwise4", "block-quantize-ao");
  }

  @Override
  public void replay(GoldenCase golden, Workbench bench, Outputs outputs) {
    Hyper hyper = golden.hyper();
    switch (golden.method()) {
      case "codebook" -> {
        outputs.add("dynamic_signed", CodeBook.dynamicSigned().values());
        outputs.add("dynamic_unsigned", CodeBook.dynamicUnsigned().values());
        outputs.add("nf4", CodeBook.nf4().values());
        outputs.add("fp4_bnb", CodeBook.fp4().values());
        outputs.add("signed_4bit", CodeBook.signed4().values());
        outputs.add("unsigned_4bit", CodeBook.unsigned4().values());
      }
      case "blockwise8" -> {
        hyper.flag("signed");
        CodeBook book = CodeBook.of(golden.array("map").floats());
        encode(golden, bench, outputs, book, false, CodeBook.Style.BITSANDBYTES);
      }
      case "blockwise4" -> {
        CodeBook book = hyper.word("type").equals("nf4") ? CodeBook.nf4() : CodeBook.fp4();
        encode(golden, bench, outputs, book, true, CodeBook.Style.BITSANDBYTES);
      }
      default -> {
        boolean signed = hyper.flag("signed");
        switch (hyper.word("kind")) {
          case "8" ->
              encode(
                  golden,
                  bench,
                  outputs,
                  signed ? CodeBook.dynamicSigned() : CodeBook.dynamicUnsigned(),
                  false,
                  CodeBook.Style.TORCHAO);
          case "4" ->
              encode(
                  golden,
                  bench,
                  outputs,
                  signed ? CodeBook.signed4() : CodeBook.unsigned4(),
                  false,
                  CodeBook.Style.TORCHAO);
          default -> minifloat(golden, bench, outputs);
        }
      }
    }
  }

  private static void encode(
      GoldenCase golden,
      Workbench bench,
      Outputs outputs,
      CodeBook book,
      boolean packed,
      CodeBook.Style style) {
    int block = (int) golden.hyper().number("block_size");
    Values values = golden.array("x");
    // One byte is one code, packed or not: a second element, 0, says which.
    int n = packed ? Math.max(2, values.length()) : values.length();
    Tensor x = bench.tensor(Arrays.copyOf(values.floats(), n), n);
    Tensor codes = bench.tensor(DType.U8, packed ? (n + 1) / 2 : n);
    Tensor scales = bench.tensor(DType.F32, (n + block - 1) / block);
    book.encode(bench.backend(), x, codes, scales, block, style);
    for (byte code : bench.bytes(codes)) {
      outputs.add(packed ? "packed" : "code", code & 0xFF);
    }
    outputs.add(style == CodeBook.Style.TORCHAO ? "scale" : "absmax", bench.floats(scales));
    Tensor back = bench.tensor(DType.F32, n);
    book.decode(bench.backend(), codes, scales, back, block);
    outputs.add("dequantized", Arrays.copyOf(bench.floats(back), values.length()));
  }

  private static void minifloat(GoldenCase golden, Workbench bench, Outputs outputs) {
    int block = (int) golden.hyper().number("block_size");
    Values values = golden.array("x");
    int n = values.length();
    int blocks = (n + block - 1) / block;
    Tensor codes = bench.tensor(DType.U8, n);
    Tensor scales = bench.tensor(DType.F32, blocks);
    bench.run(
        new KernelCall(BlockKernels.BLOCK_ENCODE)
            .arrays(bench.tensor(values.floats(), n), codes, scales)
            .integers(block, org.fettle.internal.BlockFormat.BLOCK_E4M3.code())
            .units(blocks, n));
    for (byte code : bench.bytes(codes)) {
      outputs.add("code", code & 0xFF);
    }
    outputs.add("scale", bench.floats(scales));
  }
}
