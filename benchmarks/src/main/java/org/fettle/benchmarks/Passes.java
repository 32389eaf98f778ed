package org.fettle.benchmarks;

import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.annotation.Cast;
import org.bytedeco.javacpp.annotation.Name;
import org.bytedeco.javacpp.annotation.NoException;
import org.bytedeco.javacpp.annotation.Platform;

/**
 * The native code of the ceilings of memory and arithmetic; the contracts are in {@code
 * benchmarks/native/passes.h}.
 */
@Platform(include = "passes.h", library = "jnifettle_benchmarks")
@NoException
final class Passes {
  private Passes() {}

  /** Loads the library; a missing one is an {@link UnsatisfiedLinkError}. */
  static void load() {
    Loader.load(Passes.class);
  }

  /** The number of a pass of that shape. */
  static int number(Shape.Pass pass) {
    int number = find(pass.name());
    if (number < 0) {
      throw new IllegalStateException(
          "benchmarks/native/shapes.def has no line for " + pass.name());
    }
    return number;
  }

  @Name("fettle_pass_find")
  static native int find(String name);

  @Name("fettle_pass_run")
  static native double run(
      int pass,
      int tier,
      @Cast("const int64_t*") long table,
      long firstTensor,
      long lastTensor,
      long first,
      long last,
      long ahead,
      int past);

  @Name("fettle_peak_run")
  static native long peak(int kind, int tier, long rounds);
}
