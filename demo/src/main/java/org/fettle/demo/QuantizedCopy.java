package org.fettle.demo;

import org.fettle.DType;
import org.fettle.Parameter;
import org.fettle.QuantizationFormat;
import org.fettle.Quantized;
import org.fettle.Quantizer;
import org.fettle.Tensor;

/**
 * An f32 master that the step moves, and a quantized copy that the network computes with; the
 * gradient of the copy is taken for the master's. Biases stay f32.
 *
 * @param label in words
 * @param quantization of the copy
 */
record QuantizedCopy(String label, QuantizationFormat quantization) implements Format {
  @Override
  public Stored store(Place place, Context context) {
    if (!place.isWeight()) {
      return Format.f32().store(place, context);
    }
    Tensor view = place.view();
    Tensor master = copy(view);
    Tensor codes = Tensor.allocate(quantization.codes(), view.shape());
    Tensor scales = Tensor.allocate(quantization.scales(), quantization.scales(view.shape()));
    Quantized quantized = Quantized.of(codes, scales);
    Quantizer quantizer = Quantizer.on(context.backend());
    return new Stored() {
      @Override
      public Parameter parameter() {
        return Parameter.of(master, place.gradient());
      }

      @Override
      public void show() {
        quantizer.quantize(quantization, master, quantized);
        quantizer.dequantize(quantization, quantized, view);
      }

      @Override
      public long extraBytes() {
        return codes.bytes() + scales.bytes();
      }

      @Override
      public double modelBits() {
        return quantization.bits() + 8.0 * scales.bytes() / view.elements();
      }
    };
  }

  /** The same values elsewhere. */
  static Tensor copy(Tensor tensor) {
    Tensor copy = Tensor.allocate(DType.F32, tensor.shape());
    copy.buffer().put(tensor.buffer());
    return copy;
  }
}
