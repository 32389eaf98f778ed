package org.fettle;

/** A way to store floats in few bits with scales; {@link Quantizer} encodes and decodes. */
public sealed interface QuantizationFormat
    permits IntegerFormat, Fp8Format, MicroscalingFormat, Nvfp4Format {
  /** How codes are stored before packing: {@link DType#I8} or {@link DType#U8}, one per byte. */
  DType codes();

  /** How scales are stored: F32, or U8 where they are codes themselves. */
  DType scales();

  /** Bits of a code. */
  int bits();

  /** How many scales a tensor of that shape has. */
  long scales(long... shape);
}
