package org.fettle;

import java.util.Objects;
import org.fettle.internal.Engine;
import org.fettle.internal.KernelCall;
import org.fettle.internal.kernels.FieldKernels;
import org.fettle.internal.kernels.GridKernels;
import org.fettle.internal.kernels.GridLayout;
import org.fettle.internal.kernels.MeasureKernels;
import org.fettle.internal.kernels.MinifloatKernels;

/**
 * Encodes and decodes low-bit formats, into memory of the caller. Values are F32, BF16 or F16;
 * those of 16 bits are widened in scratch first, and decoded values are rounded to nearest. The
 * same bits on every backend.
 *
 * <pre>
 * Quantizer.on(backend).quantize(IntegerFormat.int8(ScaleGrid.ROW), x, Quantized.of(codes, scales));
 * </pre>
 */
public final class Quantizer {
  private static final int MINIFLOAT_RULE = 6;
  private static final long CHUNK = 4096;
  private static final long UNIT_BLOCKS = 64;

  private final Backend backend;
  private final Rounding rounding;
  private final long seed;
  private final long step;
  private final int stream;

  private Quantizer(Backend backend, Rounding rounding, long seed, long step, int stream) {
    this.backend = Objects.requireNonNull(backend, "backend");
    this.rounding = Objects.requireNonNull(rounding, "rounding");
    this.seed = seed;
    this.step = step;
    this.stream = stream;
  }

  /** Which bits of a byte the first of its elements takes. */
  public enum PackingOrder {
    /** The low ones: FP4 of MXFP4 and NVFP4, and the default of INT4 and INT2. */
    LOW_FIRST,
    /** The high ones: NF4, and 4-bit states of optimizers. */
    HIGH_FIRST
  }

  /** Rounds to nearest on that backend. */
  public static Quantizer on(Backend backend) {
    return new Quantizer(backend, Rounding.NEAREST, 0, 0, 0);
  }

  /** Rounds to nearest on the best backend. */
  public static Quantizer best() {
    return on(Backend.best());
  }

  /**
   * Rounds stochastically: element e takes the Philox word of (seed, e, step, stream). Integers are
   * rounded away from zero with the probability of the quotient's fraction, and always divide by
   * the scale.
   *
   * @param newSeed the key
   * @param newStep the step, 1 for the first; its low 32 bits count
   * @param newStream a number for tensor and purpose
   */
  public Quantizer stochastic(long newSeed, long newStep, int newStream) {
    return new Quantizer(backend, Rounding.STOCHASTIC, newSeed, newStep, newStream);
  }

  /**
   * Finds scales, and encodes.
   *
   * @param format the format
   * @param values F32, BF16 or F16
   * @param into codes, scales and whatever else the format has; all are written
   * @throws IllegalArgumentException for a tensor that does not fit; nothing was written
   */
  public void quantize(QuantizationFormat format, Tensor values, Quantized into) {
    QuantizerChecks.encodes(backend, format, values, into, true);
    try (Widened wide = Widened.read(backend, values)) {
      quantizeF32(format, wide.tensor(), into);
    }
  }

  private void quantizeF32(QuantizationFormat format, Tensor values, Quantized into) {
    if (format instanceof MicroscalingFormat || format instanceof Nvfp4Format) {
      encodeBlocks(format, values, into);
      return;
    }
    GridLayout layout = layout(format, values);
    if (values.elements() == 0) {
      return;
    }
    if (layout.isOnePass()) {
      run(
          call(GridKernels.QUANTIZE, format, values, into)
              .units(layout.units(), values.elements()));
      return;
    }
    Engine engine = backend.engine();
    Tensor factors = engine.allocate(DType.F32, new long[] {layout.tiles()}, 0);
    Tensor largest = engine.allocate(DType.F32, new long[] {layout.allParts()}, 1);
    Tensor smallest = engine.allocate(DType.F32, new long[] {layout.allParts()}, 2);
    try {
      for (KernelCall call :
          new KernelCall[] {
            call(GridKernels.EXTREMES, format, values, into)
                .units(layout.units(), values.elements()),
            call(GridKernels.SCALES, format, values, into).units(layout.tiles(), layout.allParts()),
            call(GridKernels.ENCODE, format, values, into).units(layout.units(), values.elements())
          }) {
        run(call.array(5, factors).array(6, largest).array(7, smallest));
      }
    } finally {
      engine.release(factors);
      engine.release(largest);
      engine.release(smallest);
    }
  }

  /**
   * Encodes with the scales (and zero points) that are there. What lies beyond the largest code
   * becomes it; NaN becomes the code of 0, in FP8 NaN.
   *
   * @param format an {@link IntegerFormat} or an {@link Fp8Format}
   * @param values F32, BF16 or F16
   * @param with codes are written; scales are read and must be finite and at least 0
   */
  public void encode(QuantizationFormat format, Tensor values, Quantized with) {
    if (!(format instanceof IntegerFormat) && !(format instanceof Fp8Format)) {
      throw new IllegalArgumentException(
          "format " + format + ": expected one of integers or FP8, whose scales can be given");
    }
    QuantizerChecks.encodes(backend, format, values, with, false);
    if (values.elements() == 0) {
      return;
    }
    try (Widened wide = Widened.read(backend, values)) {
      run(
          call(GridKernels.ENCODE, format, wide.tensor(), with)
              .units(layout(format, values).units(), values.elements()));
    }
  }

  /**
   * Decodes.
   *
   * @param format the format
   * @param from codes, scales and whatever else the format has
   * @param values F32, BF16 or F16, written
   */
  public void dequantize(QuantizationFormat format, Quantized from, Tensor values) {
    QuantizerChecks.decodes(backend, format, from, values);
    if (values.elements() == 0) {
      return;
    }
    try (Widened wide = Widened.write(backend, values)) {
      dequantizeF32(format, from, wide.tensor());
      wide.store();
    }
  }

  private void dequantizeF32(QuantizationFormat format, Quantized from, Tensor values) {
    if (format instanceof MicroscalingFormat mx) {
      long blocks = from.scales().elements();
      run(
          new KernelCall(MinifloatKernels.MICROSCALING_DECODE)
              .arrays(values, from.codes(), from.scales())
              .integers(blocks, mx.element().code())
              .units(covers(blocks, UNIT_BLOCKS), values.elements()));
    } else if (format instanceof Nvfp4Format) {
      long blocks = from.scales().elements();
      run(
          new KernelCall(MinifloatKernels.NVFP4_DECODE)
              .arrays(values, from.codes(), from.scales(), from.globalScale())
              .integers(blocks)
              .units(covers(blocks, UNIT_BLOCKS), values.elements()));
    } else {
      run(
          call(GridKernels.DECODE, format, values, from)
              .array(4, null)
              .units(layout(format, values).units(), values.elements()));
    }
  }

  /**
   * Casts without a scale.
   *
   * @param format any but E8M0
   * @param saturating whether what is beyond the largest finite value becomes it (the usual);
   *     otherwise it becomes NaN in E4M3 and infinity in E5M2. FP6 and FP4 always saturate
   * @param values F32, BF16 or F16
   * @param codes U8, in the shape of the values
   */
  public void cast(Minifloat format, boolean saturating, Tensor values, Tensor codes) {
    if (Objects.requireNonNull(format, "format") == Minifloat.E8M0) {
      throw new IllegalArgumentException("format E8M0 holds scales: expected a format of values");
    }
    new FormatChecks(backend).readsFloats("values", values).writes("codes", codes, DType.U8).done();
    PlanChecks.like("codes", codes, values);
    try (Widened wide = Widened.read(backend, values)) {
      run(
          noise(
                  new KernelCall(MinifloatKernels.ENCODE)
                      .arrays(wide.tensor(), codes)
                      .integers(values.elements(), format.code(), saturating ? 1 : 0),
                  3)
              .units(covers(values.elements(), CHUNK), values.elements()));
    }
  }

  /**
   * The values of codes without a scale.
   *
   * @param format any
   * @param codes U8
   * @param values F32, BF16 or F16, written
   */
  public void decode(Minifloat format, Tensor codes, Tensor values) {
    new FormatChecks(backend).reads("codes", codes, DType.U8).writesFloats("values", values).done();
    PlanChecks.like("values", values, codes);
    Objects.requireNonNull(format, "format");
    try (Widened wide = Widened.write(backend, values)) {
      run(
          new KernelCall(MinifloatKernels.DECODE)
              .arrays(wide.tensor(), codes)
              .integers(values.elements(), format.code())
              .units(covers(values.elements(), CHUNK), values.elements()));
      wide.store();
    }
  }

  /**
   * Packs codes of less than 8 bits.
   *
   * @param bits 1, 2, 4 or 6; codes of 6 bits are a little-endian stream
   * @param order which bits the first element takes; LOW_FIRST with 6 bits
   * @param codes I8 or U8, one per byte
   * @param packed U8, {@code ceil(elements * bits / 8)} bytes
   * @param filler the code that fills the last byte up
   */
  public void pack(int bits, PackingOrder order, Tensor codes, Tensor packed, int filler) {
    QuantizerChecks.fields(bits, order, codes);
    new FormatChecks(backend)
        .reads("codes", codes, codes.dtype())
        .writes("packed", packed, DType.U8)
        .done();
    FormatChecks.elements("packed", packed, packedBytes(bits, codes.elements()));
    run(
        new KernelCall(FieldKernels.PACK)
            .arrays(codes, packed)
            .integers(codes.elements(), bits, order == PackingOrder.HIGH_FIRST ? 1 : 0, 0, filler)
            .units(covers(codes.elements(), CHUNK), codes.elements()));
  }

  /** Packs codes, and fills the last byte up with 0. */
  public void pack(int bits, PackingOrder order, Tensor codes, Tensor packed) {
    pack(bits, order, codes, packed, 0);
  }

  /** Unpacks what {@link #pack} packed; codes that are I8 are two's complement. */
  public void unpack(int bits, PackingOrder order, Tensor packed, Tensor codes) {
    QuantizerChecks.fields(bits, order, codes);
    new FormatChecks(backend)
        .reads("packed", packed, DType.U8)
        .writes("codes", codes, codes.dtype())
        .done();
    FormatChecks.elements("packed", packed, packedBytes(bits, codes.elements()));
    run(
        new KernelCall(FieldKernels.UNPACK)
            .arrays(codes, packed)
            .integers(
                codes.elements(),
                bits,
                order == PackingOrder.HIGH_FIRST ? 1 : 0,
                codes.dtype() == DType.I8 ? 1 : 0)
            .units(covers(codes.elements(), CHUNK), codes.elements()));
  }

  /** Bytes of that many packed codes. */
  public static long packedBytes(int bits, long elements) {
    Range.check("bits", bits, bits >= 1 && bits <= 8, "in 1..8");
    Range.check("elements", elements, elements >= 0, ">= 0");
    return Math.addExact(Math.multiplyExact(elements, (long) bits), 7) / 8;
  }

  /**
   * The largest magnitude; NaN where there is one, 0 for no elements.
   *
   * @param values F32, BF16 or F16
   * @param result F32, one element
   */
  public void absoluteMax(Tensor values, Tensor result) {
    new FormatChecks(backend)
        .readsFloats("values", values)
        .writes("result", result, DType.F32)
        .done();
    FormatChecks.elements("result", result, 1);
    try (Widened wide = Widened.read(backend, values)) {
      largest(wide.tensor(), result, 0);
    }
  }

  /**
   * Counts values in equal intervals of [low, high], the upper end included; others and NaN are not
   * counted.
   *
   * @param values F32, BF16 or F16
   * @param low lower end
   * @param high upper end, more than low
   * @param counts I64, one element per interval, at most 65,536
   */
  public void histogram(Tensor values, float low, float high, Tensor counts) {
    new FormatChecks(backend)
        .readsFloats("values", values)
        .writes("counts", counts, DType.I64)
        .done();
    long bins = counts.elements();
    Range.check("intervals", bins, bins >= 1 && bins <= 65536, "in 1..65536");
    Range.finite("low", low);
    Range.check("high", high, high > low && Float.isFinite(high - low), "finite and > low");
    float perUnit = bins / (high - low);
    Range.check("intervals per unit", perUnit, Float.isFinite(perUnit), "finite");
    long chunks = Math.max(1, covers(values.elements(), MeasureKernels.HISTOGRAM_CHUNK));
    Engine engine = backend.engine();
    Tensor partial = engine.allocate(DType.I64, new long[] {chunks, bins}, 0);
    try (Widened wide = Widened.read(backend, values)) {
      run(
          new KernelCall(MeasureKernels.HISTOGRAM_COUNT)
              .arrays(wide.tensor(), partial)
              .integers(values.elements(), bins)
              .numbers(low, high, perUnit)
              .units(chunks, values.elements()));
      run(
          new KernelCall(MeasureKernels.HISTOGRAM_SUM)
              .arrays(partial, counts)
              .integers(chunks, bins)
              .units(bins, chunks * bins));
    } finally {
      engine.release(partial);
    }
  }

  private void encodeBlocks(QuantizationFormat format, Tensor values, Quantized into) {
    long blocks = into.scales().elements();
    if (format instanceof MicroscalingFormat mx) {
      run(
          noise(
                  new KernelCall(MinifloatKernels.MICROSCALING_ENCODE)
                      .arrays(values, into.codes(), into.scales())
                      .integers(blocks, mx.element().code(), mx.rule().code()),
                  3)
              .units(covers(blocks, UNIT_BLOCKS), values.elements()));
      return;
    }
    if (into.globalScale() != null) {
      largest(values, into.globalScale(), 1);
    }
    run(
        noise(
                new KernelCall(MinifloatKernels.NVFP4_ENCODE)
                    .arrays(values, into.codes(), into.scales(), into.globalScale())
                    .integers(blocks),
                3)
            .units(covers(blocks, UNIT_BLOCKS), values.elements()));
  }

  /** The largest magnitude, or what follows from it. */
  private void largest(Tensor values, Tensor result, int mode) {
    QuantizationFormat format = IntegerFormat.int8(ScaleGrid.TENSOR);
    GridLayout layout = layout(format, values);
    long parts = values.elements() == 0 ? 0 : layout.allParts();
    Engine engine = backend.engine();
    Tensor partial = engine.allocate(DType.F32, new long[] {Math.max(1, parts)}, 0);
    try {
      if (parts > 0) {
        run(
            call(GridKernels.EXTREMES, format, values, Quantized.of(partial, partial))
                .array(1, null)
                .array(2, null)
                .array(6, partial)
                .units(layout.units(), values.elements()));
      }
      run(
          new KernelCall(MeasureKernels.MAXIMUM)
              .arrays(partial, result)
              .integers(parts, mode, 0)
              .units(1, parts));
    } finally {
      engine.release(partial);
    }
  }

  private static GridLayout layout(QuantizationFormat format, Tensor values) {
    ScaleGrid.Matrix matrix = ScaleGrid.Matrix.of(values.shape());
    ScaleGrid grid =
        format instanceof IntegerFormat integer ? integer.grid() : ((Fp8Format) format).grid();
    return new GridLayout(
        matrix.rows(), matrix.columns(), grid.tileRows(matrix), grid.tileColumns(matrix));
  }

  private KernelCall call(
      org.fettle.internal.Kernel kernel, QuantizationFormat format, Tensor values, Quantized q) {
    ScaleGrid.Matrix matrix = ScaleGrid.Matrix.of(values.shape());
    KernelCall call =
        new KernelCall(kernel)
            .arrays(values, q.codes(), q.scales(), q.zeroPoints(), q.transposed())
            .integer(0, matrix.rows())
            .integer(1, matrix.columns());
    if (format instanceof IntegerFormat integer) {
      call.integer(2, integer.grid().tileRows(matrix))
          .integer(3, integer.grid().tileColumns(matrix))
          .integer(4, integer.scheme().code())
          .integer(5, integer.bits());
    } else {
      Fp8Format fp8 = (Fp8Format) format;
      call.integer(2, fp8.grid().tileRows(matrix))
          .integer(3, fp8.grid().tileColumns(matrix))
          .integer(4, MINIFLOAT_RULE)
          .integer(5, fp8.element().code())
          .integer(10, fp8.powerOfTwoScales() ? 1 : 0)
          .numbers(fp8.amaxEpsilon());
    }
    return noise(call, 6);
  }

  private KernelCall noise(KernelCall call, int first) {
    return call.integer(first, rounding.code())
        .integer(first + 1, seed)
        .integer(first + 2, step)
        .integer(first + 3, stream);
  }

  static long covers(long elements, long size) {
    return elements / size + (elements % size != 0 ? 1 : 0);
  }

  private void run(KernelCall call) {
    backend.engine().run(call);
  }
}
