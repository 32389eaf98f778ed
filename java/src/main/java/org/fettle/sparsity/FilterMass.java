package org.fettle.sparsity;

import java.util.Arrays;
import java.util.Comparator;
import java.util.Objects;
import java.util.stream.IntStream;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.Engine;
import org.fettle.internal.KernelCall;
import org.fettle.internal.Scratch;
import org.fettle.internal.TensorChecks;
import org.fettle.internal.kernels.ReduceKernels;

/**
 * Masks of channels per sample, from activations (FTWT, arXiv:2110.10842): a channel's criterion is
 * its largest magnitude.
 */
public final class FilterMass {
  private final Backend backend;

  private FilterMass(Backend backend) {
    this.backend = backend;
  }

  /** Masks on a backend. */
  public static FilterMass on(Backend backend) {
    return new FilterMass(Objects.requireNonNull(backend, "backend"));
  }

  /**
   * Keeps the largest channels while their share of the criterion stays within a mass: the one that
   * crosses it is dropped. A mass of 1 keeps every share above {@code tolerance}, a negative one
   * keeps all, and so does a sample of zeros.
   *
   * @param mass at most 1
   * @param tolerance 1e-5 in the authors' code
   * @param x F32 [batch, channels, height, width]
   * @param criterion F32 [batch, channels], which receives the criterion
   * @param mask BIT [batch, channels]
   * @return the channels kept of every sample
   */
  public int[] byMass(double mass, double tolerance, Tensor x, Tensor criterion, Tensor mask) {
    Range.check("mass", mass, mass <= 1, "at most 1");
    Range.nonNegative("tolerance", tolerance);
    return masks(
        x,
        criterion,
        mask,
        (values, order) -> {
          double sum = 0;
          for (float value : values) {
            sum += value;
          }
          if (mass < 0 || !(sum > 0)) {
            return order.length;
          }
          int kept = 0;
          double reached = 0;
          for (int channel : order) {
            double share = values[channel] / sum;
            reached += share;
            boolean stays = mass == 1 ? !(share <= tolerance) : !(reached - mass > tolerance);
            if (!stays) {
              break;
            }
            kept++;
          }
          return kept;
        });
  }

  /**
   * Drops {@code floor(ratio * channels)} channels of the smallest criterion of every sample.
   *
   * @param ratio 0 to 1
   */
  public int[] byRatio(double ratio, Tensor x, Tensor criterion, Tensor mask) {
    Range.check("ratio", ratio, ratio >= 0 && ratio <= 1, "0 to 1");
    return masks(
        x,
        criterion,
        mask,
        (values, order) -> order.length - (int) Fraction.FLOOR.of(ratio, order.length));
  }

  private interface Count {
    int of(float[] values, int[] order);
  }

  private int[] masks(Tensor x, Tensor criterion, Tensor mask, Count count) {
    TensorChecks checks = new TensorChecks(backend).reads("x", x, DType.F32).rank("x", x, 4);
    long[] shape = x.shape();
    long area = shape[2] * shape[3];
    Range.check("height times width", area, area > 0, "> 0");
    checks.writes("criterion", criterion, DType.F32);
    checks.shape("criterion", criterion, shape[0], shape[1]);
    checks.writes("mask", mask, DType.BIT).shape("mask", mask, shape[0], shape[1]);
    Engine engine = checks.done();
    engine.run(
        new KernelCall(ReduceKernels.ROW_ABSOLUTE_MAX)
            .arrays(x, criterion)
            .integers(area)
            .units(shape[0] * shape[1], x.elements()));
    float[] all = Scratch.floats(engine, criterion);
    byte[] bits = new byte[Math.toIntExact(mask.bytes())];
    int channels = Math.toIntExact(shape[1]);
    int[] kept = new int[Math.toIntExact(shape[0])];
    for (int sample = 0; sample < kept.length; sample++) {
      float[] values = Arrays.copyOfRange(all, sample * channels, (sample + 1) * channels);
      int[] order =
          IntStream.range(0, channels)
              .boxed()
              .sorted(Comparator.comparingDouble(i -> -values[i]))
              .mapToInt(i -> i)
              .toArray();
      kept[sample] = count.of(values, order);
      for (int i = 0; i < kept[sample]; i++) {
        int at = sample * channels + order[i];
        bits[at / 8] |= (byte) (1 << at % 8);
      }
    }
    Scratch.write(engine, mask, bits);
    return kept;
  }
}
