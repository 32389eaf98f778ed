package org.fettle.demo;

import java.util.List;
import java.util.function.BiFunction;
import java.util.function.DoubleConsumer;
import java.util.function.LongSupplier;
import java.util.function.Predicate;
import org.fettle.Parameter;

/** What moves parameters that are not the plan's. */
interface Mover extends AutoCloseable {
  /**
   * Moves the parameters by their gradients, and leaves in the views what the network is to read.
   *
   * @param factor of the learning rate, by the schedule
   */
  void step(double factor);

  /** Bytes kept between steps beside the parameters. */
  long stateBytes();

  /** Bits of a parameter while training. */
  default double trainingBits() {
    return Float.SIZE;
  }

  /** Bits of a parameter once trained. */
  default double modelBits() {
    return trainingBits();
  }

  @Override
  void close();

  /**
   * Makes movers.
   *
   * @param method what it does, with its hyperparameters
   * @param label how it stores them, in words; null where they are as the row's format has them
   * @param takes which parameters
   * @param open makes the mover of a run
   */
  record Kind(
      String method,
      String label,
      Predicate<Place> takes,
      BiFunction<Context, List<Place>, Mover> open) {
    /** One that leaves them where they are. */
    Kind(String method, Predicate<Place> takes, BiFunction<Context, List<Place>, Mover> open) {
      this(method, null, takes, open);
    }
  }

  /** A step of the library and how it is called. */
  static Mover of(AutoCloseable owner, LongSupplier stateBytes, DoubleConsumer step) {
    return new Mover() {
      @Override
      public void step(double factor) {
        step.accept(factor);
      }

      @Override
      public long stateBytes() {
        return stateBytes.getAsLong();
      }

      @Override
      public void close() {
        try {
          owner.close();
        } catch (Exception e) {
          throw new IllegalStateException(e);
        }
      }
    };
  }

  /** The parameters as the library takes them. */
  static List<Parameter> parameters(List<Place> places) {
    return places.stream().map(place -> Parameter.of(place.view(), place.gradient())).toList();
  }
}
