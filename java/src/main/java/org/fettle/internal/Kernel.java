package org.fettle.internal;

import java.util.HashMap;
import java.util.Map;
import java.util.Objects;

/**
 * A kernel: a line of {@code native/include/fettle/kernels.def} with its Java twin.
 *
 * @param id the line's id
 * @param twin the Java backend's implementation
 */
public record Kernel(String id, JavaKernel twin) {
  /** Checks that both are there. */
  public Kernel {
    Objects.requireNonNull(id, "id");
    Objects.requireNonNull(twin, "twin");
  }

  /** The line's number, as the native library counts. */
  int number() {
    Integer number = Numbers.BY_ID.get(id);
    if (number == null) {
      throw new IllegalStateException("the native library has no kernel " + id);
    }
    return number;
  }

  /** Looked up once, when the library is there. */
  private static final class Numbers {
    static final Map<String, Integer> BY_ID = new HashMap<>();

    static {
      for (int i = 0; Native.kernelId(i) != null; i++) {
        BY_ID.put(Native.kernelId(i), i);
      }
    }
  }
}
