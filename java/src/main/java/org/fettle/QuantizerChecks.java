package org.fettle;

import java.util.Objects;

/**
 * What the calls of a {@link Quantizer} need to fit; nothing has been written when one does not.
 */
final class QuantizerChecks {
  private QuantizerChecks() {}

  /** Values that are encoded into codes; scales are written or given. */
  static void encodes(
      Backend backend,
      QuantizationFormat format,
      Tensor values,
      Quantized q,
      boolean writesScales) {
    FormatChecks checks = new FormatChecks(backend).readsFloats("values", values);
    operands(checks, format, values, q, writesScales, true);
    checks.done();
  }

  /** Codes that are decoded into values. */
  static void decodes(Backend backend, QuantizationFormat format, Quantized from, Tensor values) {
    FormatChecks checks = new FormatChecks(backend).writesFloats("values", values);
    operands(checks, format, values, from, false, false);
    checks.done();
  }

  private static void operands(
      FormatChecks checks,
      QuantizationFormat format,
      Tensor values,
      Quantized q,
      boolean writesScales,
      boolean writesCodes) {
    Objects.requireNonNull(format, "format");
    Objects.requireNonNull(q, "quantized");
    blocks(format, values);
    operand(checks, "codes", q.codes(), format.codes(), writesCodes);
    PlanChecks.like("codes", q.codes(), values);
    operand(checks, "scales", q.scales(), format.scales(), writesScales);
    long scales = format.scales(values.shape());
    FormatChecks.elements("scales", q.scales(), scales);
    boolean zeros = format instanceof IntegerFormat integer && integer.scheme().hasZeroPoints();
    if (zeros) {
      operand(checks, "zero points", q.zeroPoints(), DType.I32, writesScales);
      FormatChecks.elements("zero points", q.zeroPoints(), scales);
    } else {
      FormatChecks.absent("zero points", q.zeroPoints(), format);
    }
    boolean grid = format instanceof IntegerFormat || format instanceof Fp8Format;
    if (!grid) {
      FormatChecks.absent("transposed codes", q.transposed(), format);
    } else if (q.transposed() != null && writesCodes) {
      operand(checks, "transposed codes", q.transposed(), format.codes(), true);
      ScaleGrid.Matrix matrix = ScaleGrid.Matrix.of(values.shape());
      FormatChecks.shape("transposed codes", q.transposed(), matrix.columns(), matrix.rows());
    }
    if (format instanceof Nvfp4Format nvfp4 && nvfp4.globalScale()) {
      operand(checks, "global scale", q.globalScale(), DType.F32, writesScales);
      FormatChecks.elements("global scale", q.globalScale(), 1);
    } else {
      FormatChecks.absent("global scale", q.globalScale(), format);
    }
  }

  private static void operand(
      FormatChecks checks, String name, Tensor tensor, DType dtype, boolean written) {
    if (written) {
      checks.writes(name, tensor, dtype);
    } else {
      checks.reads(name, tensor, dtype);
    }
  }

  private static void blocks(QuantizationFormat format, Tensor values) {
    int block =
        format instanceof MicroscalingFormat
            ? MicroscalingFormat.BLOCK
            : format instanceof Nvfp4Format ? Nvfp4Format.BLOCK : 1;
    long columns = ScaleGrid.Matrix.of(values.shape()).columns();
    if (columns % block != 0) {
      throw new IllegalArgumentException(
          "values is "
              + values
              + ": expected a last axis that is a multiple of the block of "
              + block);
    }
  }

  /** Codes that are packed, or will be unpacked. */
  static void fields(int bits, Quantizer.PackingOrder order, Tensor codes) {
    Objects.requireNonNull(order, "order");
    Objects.requireNonNull(codes, "codes");
    Range.check("bits", bits, bits == 1 || bits == 2 || bits == 4 || bits == 6, "1, 2, 4 or 6");
    if (bits == 6 && order != Quantizer.PackingOrder.LOW_FIRST) {
      throw new IllegalArgumentException(
          "order " + order + ": expected LOW_FIRST, as 6 bits are a little-endian stream");
    }
    if (codes.dtype() != DType.I8 && codes.dtype() != DType.U8) {
      throw new IllegalArgumentException("codes is " + codes.dtype() + ": expected I8 or U8");
    }
  }
}
