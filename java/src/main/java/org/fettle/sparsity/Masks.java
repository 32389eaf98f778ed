package org.fettle.sparsity;

import java.util.Objects;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Tensor;
import org.fettle.internal.Engine;
import org.fettle.internal.KernelCall;
import org.fettle.internal.Scratch;
import org.fettle.internal.Selector;
import org.fettle.internal.TensorChecks;
import org.fettle.internal.kernels.MaskKernels;

/**
 * Bit masks: BIT tensors in which element i is bit {@code i % 8} of byte {@code i / 8}, 1 means
 * kept and the bits behind the last element are 0.
 */
public final class Masks {
  private final Backend backend;

  private Masks(Backend backend) {
    this.backend = backend;
  }

  /** Masks on a backend. */
  public static Masks on(Backend backend) {
    return new Masks(Objects.requireNonNull(backend, "backend"));
  }

  /**
   * How many elements are kept.
   *
   * @throws IllegalArgumentException if a bit behind the last element is 1
   */
  public long count(Tensor mask) {
    Engine engine = new TensorChecks(backend).reads("mask", mask, DType.BIT).done();
    return Selector.countBits(engine, "mask", mask, Runtime.getRuntime().availableProcessors());
  }

  /** Keeps everything, or nothing. */
  public void fill(Tensor mask, boolean kept) {
    combine(kept ? 5 : 6, null, null, mask);
  }

  /** Keeps what both keep. {@code out} may be one of them. */
  public void and(Tensor a, Tensor b, Tensor out) {
    combine(0, a, b, out);
  }

  /** Keeps what one of them keeps. {@code out} may be one of them. */
  public void or(Tensor a, Tensor b, Tensor out) {
    combine(1, a, b, out);
  }

  /** Keeps what the first keeps and the second does not. {@code out} may be one of them. */
  public void andNot(Tensor a, Tensor b, Tensor out) {
    combine(2, a, b, out);
  }

  /** Keeps what just one of them keeps. {@code out} may be one of them. */
  public void xor(Tensor a, Tensor b, Tensor out) {
    combine(3, a, b, out);
  }

  /** Keeps what the other does not. {@code out} may be it. */
  public void not(Tensor a, Tensor out) {
    combine(4, a, null, out);
  }

  /**
   * Values where the mask keeps them, else +0, whatever they are, NaN and infinity too.
   *
   * @param x F32, BF16, F16, I8 or U8
   * @param out of the same format and shape; may be {@code x}
   */
  public void apply(Tensor mask, Tensor x, Tensor out) {
    TensorChecks checks = new TensorChecks(backend).reads("mask", mask, DType.BIT);
    checks.like("mask", mask, x).like("out", out, x);
    checks.maps("x", x, "out", out, DType.F32, DType.BF16, DType.F16, DType.I8, DType.U8);
    if (x.dtype() != out.dtype()) {
      throw new IllegalArgumentException("out is " + out + ": expected the format of " + x);
    }
    checks
        .done()
        .run(
            new KernelCall(MaskKernels.APPLY)
                .arrays(x, mask, out)
                .integers(x.elements(), x.dtype().bits() / 8)
                .units(Selector.units(x.elements(), MaskKernels.PACK_UNIT), x.elements()));
  }

  /**
   * Bytes of 0 and 1 to bits.
   *
   * @param flags U8
   * @param mask BIT of its shape, or the same bits as I32 words, one behind the other: {@code
   *     ceil(elements / 32)}
   * @throws IllegalArgumentException if a flag is neither 0 nor 1; the mask is then undefined
   */
  public void pack(Tensor flags, Tensor mask) {
    TensorChecks checks = new TensorChecks(backend).reads("flags", flags, DType.U8);
    checks.writes("mask", mask, DType.BIT, DType.I32);
    if (mask.dtype() == DType.BIT) {
      checks.like("mask", mask, flags);
    } else {
      checks.shape("mask", mask, Selector.units(flags.elements(), 32));
    }
    pack(checks.done(), flags, mask, 1, flags.elements(), mask.bytes());
  }

  /**
   * Bytes of 0 and 1 to bits, each row from a word of its own on.
   *
   * @param flags U8 [rows, columns]
   * @param words I32 [rows, ceil(columns / 32)]
   */
  public void packRows(Tensor flags, Tensor words) {
    TensorChecks checks = new TensorChecks(backend).reads("flags", flags, DType.U8);
    checks.rank("flags", flags, 2);
    long rows = flags.shape()[0];
    long columns = flags.shape()[1];
    long perRow = Selector.units(columns, 32);
    checks.writes("words", words, DType.I32).shape("words", words, rows, perRow);
    pack(checks.done(), flags, words, rows, columns, 4 * perRow);
  }

  private static void pack(
      Engine engine, Tensor flags, Tensor bits, long lines, long columns, long lineBytes) {
    long units = lines * Selector.units(columns, MaskKernels.PACK_UNIT);
    try (Scratch scratch = new Scratch(engine)) {
      // Nothing is written before every flag has been looked at.
      Tensor trial = scratch.tensor(DType.U8, lines * lineBytes);
      Tensor wrong = scratch.tensor(DType.I64, units);
      KernelCall call =
          new KernelCall(MaskKernels.PACK)
              .arrays(flags, trial, wrong)
              .integers(columns, lineBytes)
              .units(units, flags.elements());
      engine.run(call);
      long bad = 0;
      for (long count : scratch.longs(wrong)) {
        bad += count;
      }
      if (bad != 0) {
        throw new IllegalArgumentException(
            "flags has " + bad + " values that are neither 0 nor 1: expected 0 or 1");
      }
      engine.run(call.array(1, Scratch.asBytes(bits)));
    }
  }

  /**
   * Bits to bytes of 0 and 1.
   *
   * @param mask BIT
   * @param flags U8 of its shape
   */
  public void unpack(Tensor mask, Tensor flags) {
    TensorChecks checks = new TensorChecks(backend).reads("mask", mask, DType.BIT);
    checks.writes("flags", flags, DType.U8).like("flags", flags, mask);
    unpack(checks.done(), mask, flags, 1, mask.elements(), mask.bytes());
  }

  /**
   * Bits, each row from a word of its own on, to bytes of 0 and 1.
   *
   * @param words I32 [rows, ceil(columns / 32)]
   * @param flags U8 [rows, columns]
   */
  public void unpackRows(Tensor words, Tensor flags) {
    TensorChecks checks = new TensorChecks(backend).writes("flags", flags, DType.U8);
    checks.rank("flags", flags, 2);
    long rows = flags.shape()[0];
    long columns = flags.shape()[1];
    long perRow = Selector.units(columns, 32);
    checks.reads("words", words, DType.I32).shape("words", words, rows, perRow);
    unpack(checks.done(), words, flags, rows, columns, 4 * perRow);
  }

  private static void unpack(
      Engine engine, Tensor bits, Tensor flags, long lines, long columns, long lineBytes) {
    engine.run(
        new KernelCall(MaskKernels.UNPACK)
            .arrays(Scratch.asBytes(bits), flags)
            .integers(columns, lineBytes)
            .units(lines * Selector.units(columns, MaskKernels.PACK_UNIT), flags.elements()));
  }

  private void combine(int operation, Tensor a, Tensor b, Tensor out) {
    TensorChecks checks = new TensorChecks(backend);
    if (a != null) {
      checks.like("the first mask", a, out);
      checks.maps("the first mask", a, "out", out, DType.BIT);
    } else {
      checks.writes("out", out, DType.BIT);
    }
    Engine engine = checks.done();
    if (b != null) {
      TensorChecks second = new TensorChecks(backend);
      second.like("the second mask", b, out);
      second.maps("the second mask", b, "out", out, DType.BIT).done();
    }
    engine.run(
        new KernelCall(MaskKernels.COMBINE)
            .arrays(a, b, out)
            .integers(out.elements(), operation)
            .units(Selector.units(out.elements(), MaskKernels.UNIT), out.elements() / 16));
  }
}
