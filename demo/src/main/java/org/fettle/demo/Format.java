package org.fettle.demo;

import java.nio.ByteBuffer;
import java.nio.IntBuffer;
import java.nio.ShortBuffer;
import java.util.List;
import org.fettle.DType;
import org.fettle.Parameter;
import org.fettle.PlanBuilder;
import org.fettle.Rounding;
import org.fettle.Tensor;

/**
 * How parameters are stored. The network computes with f32; what it sees of a parameter is its
 * <em>view</em>.
 */
interface Format {
  /** In words, for the table. */
  String label();

  /**
   * Stores a parameter.
   *
   * @param place where it belongs; its view holds the initial values
   */
  Stored store(Place place, Context context);

  /** What the plan has to know. */
  default void configure(PlanBuilder plan) {}

  /** A stored parameter. */
  interface Stored extends AutoCloseable {
    /** What the plan updates. */
    Parameter parameter();

    /** Scales that are learned besides, without decay. */
    default List<Parameter> scales() {
      return List.of();
    }

    /** Makes the gradient of what is stored from the gradient of the view, before a step. */
    default void differentiate() {}

    /** Brings the view up to date, after a step. */
    default void show() {}

    /** Bytes kept while training beside {@link #parameter} and {@link #scales}. */
    default long extraBytes() {
      return 0;
    }

    /** Bits of the parameter once it is trained, scales included. */
    default double modelBits() {
      return parameter().value().dtype().bits();
    }

    @Override
    default void close() {}
  }

  /** The view itself is what is stored. */
  static Format f32() {
    return new Format() {
      @Override
      public String label() {
        return "f32";
      }

      @Override
      public Stored store(Place place, Context context) {
        return () -> Parameter.of(place.view(), place.gradient());
      }
    };
  }

  /** Nothing but bf16; the step reads and writes it, rounding once. */
  static Format bf16(Rounding rounding) {
    return new Format() {
      @Override
      public String label() {
        return rounding == Rounding.STOCHASTIC ? "bf16, stochastic" : "bf16, nearest";
      }

      @Override
      public void configure(PlanBuilder plan) {
        plan.rounding(rounding);
      }

      @Override
      public Stored store(Place place, Context context) {
        Tensor view = place.view();
        Tensor stored = Tensor.allocate(DType.BF16, view.shape());
        round(view, stored);
        return new Bf16(Parameter.of(stored, place.gradient()), stored, view);
      }
    };
  }

  /**
   * An f32 master that only the step touches, and a bf16 copy of it that the network computes with.
   */
  static Format bf16Copy() {
    return new Format() {
      @Override
      public String label() {
        return "f32 + bf16 copy";
      }

      @Override
      public Stored store(Place place, Context context) {
        Tensor view = place.view();
        Tensor master = Tensor.allocate(DType.F32, view.shape());
        master.buffer().put(view.buffer());
        Tensor copy = Tensor.allocate(DType.BF16, view.shape());
        round(view, copy);
        return new Bf16(Parameter.of(master, place.gradient()).withCopy(copy), copy, view);
      }
    };
  }

  /**
   * A parameter whose view is decoded from a bf16 tensor.
   *
   * @param parameter what the plan updates
   * @param source the bf16 tensor
   * @param view what the network reads
   */
  record Bf16(Parameter parameter, Tensor source, Tensor view) implements Stored {
    private static final int BLOCK = 4096;

    @Override
    public double modelBits() {
      return source.dtype().bits();
    }

    @Override
    public void show() {
      ShortBuffer from = source.buffer().asShortBuffer();
      IntBuffer to = view.buffer().asIntBuffer();
      short[] upper = new short[BLOCK];
      int[] bits = new int[BLOCK];
      while (from.hasRemaining()) {
        int n = Math.min(BLOCK, from.remaining());
        from.get(upper, 0, n);
        for (int i = 0; i < n; i++) {
          bits[i] = upper[i] << 16;
        }
        to.put(bits, 0, n);
      }
    }
  }

  /** Rounds finite f32 values to bf16, to nearest, ties to even. */
  private static void round(Tensor from, Tensor to) {
    ByteBuffer values = from.buffer();
    ByteBuffer rounded = to.buffer();
    while (values.hasRemaining()) {
      int bits = values.getInt();
      rounded.putShort((short) ((bits + 0x7fff + (bits >>> 16 & 1)) >>> 16));
    }
  }
}
