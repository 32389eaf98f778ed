package org.fettle;

import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;

/**
 * One tensor that a plan updates, with what belongs to it. All of them lie on one device and have
 * the value's shape.
 *
 * @param name what messages and state files call it; null for a number
 * @param value the parameter: F32, BF16 or F16
 * @param gradient its gradient: F32, BF16 or F16; null if none is there yet (see {@link
 *     Plan#setGradient})
 * @param mask a {@link DType#BIT} tensor, or null; where its bit is 0 the parameter becomes +0 in
 *     every step
 * @param copy a tensor that receives the new parameter in its own dtype in every step, or null
 * @param averages tensors that hold moving averages of the parameter, the k-th of them as the
 *     plan's k-th average moves; mostly none
 */
public record Parameter(
    String name, Tensor value, Tensor gradient, Tensor mask, Tensor copy, List<Tensor> averages) {
  /** Checks that there is a value. */
  public Parameter {
    Objects.requireNonNull(value, "value");
    averages = List.copyOf(averages);
  }

  /** The first of the moving averages, or null. */
  public Tensor average() {
    return averages.isEmpty() ? null : averages.get(0);
  }

  /** The tensors that are there. */
  List<Tensor> tensors() {
    return Stream.concat(Stream.of(value, gradient, mask, copy), averages.stream())
        .filter(Objects::nonNull)
        .toList();
  }

  /** A parameter with its gradient and nothing else. */
  public static Parameter of(Tensor value, Tensor gradient) {
    return new Parameter(null, value, gradient, null, null, List.of());
  }

  /** This, with a name. */
  public Parameter named(String newName) {
    return new Parameter(newName, value, gradient, mask, copy, averages);
  }

  /** This, with a pruning mask. */
  public Parameter withMask(Tensor newMask) {
    return new Parameter(name, value, gradient, newMask, copy, averages);
  }

  /** This, with a low-precision copy. */
  public Parameter withCopy(Tensor newCopy) {
    return new Parameter(name, value, gradient, mask, newCopy, averages);
  }

  /** This, with one moving average; null for none. */
  public Parameter withAverage(Tensor average) {
    return withAverages(average == null ? List.of() : List.of(average));
  }

  /** This, with that many moving averages, in the order of the plan's. */
  public Parameter withAverages(Tensor... newAverages) {
    return withAverages(List.of(newAverages));
  }

  private Parameter withAverages(List<Tensor> newAverages) {
    return new Parameter(name, value, gradient, mask, copy, newAverages);
  }
}
