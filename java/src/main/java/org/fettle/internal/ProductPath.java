package org.fettle.internal;

import java.util.Objects;
import org.fettle.Backend;

/** Which instructions an integer product of the CPU backends goes by. */
public enum ProductPath {
  /** Products of 16 bits. */
  AVX2(0, CpuEngine.V3),
  /** AVX-512 VNNI. */
  VNNI(1, 16),
  /** AMX. */
  AMX(2, 32);

  private static final String PROPERTY = "fettle.gemm";

  private final int code;
  private final long tier;

  ProductPath(int code, long tier) {
    this.code = code;
    this.tier = tier;
  }

  /** The number in the C ABI. */
  public int code() {
    return code;
  }

  /**
   * The path of a backend: the best one, or the one that the property {@code fettle.gemm} forces
   * (avx2, vnni, amx).
   *
   * @throws IllegalStateException if the forced one is missing, or is no path
   */
  public static ProductPath of(Backend backend) {
    Objects.requireNonNull(backend, "backend");
    String forced = System.getProperty(PROPERTY);
    boolean wide = backend.name().equals("cpu-v4");
    if (forced != null && wide) {
      for (ProductPath path : values()) {
        if (path.name().equalsIgnoreCase(forced)) {
          if (!path.isAvailable()) {
            throw new IllegalStateException(
                "-D" + PROPERTY + "=" + forced + ": this CPU or operating system does not have it");
          }
          return path;
        }
      }
      throw new IllegalStateException(
          "-D" + PROPERTY + "=" + forced + ": expected avx2, vnni or amx");
    }
    if (!wide) {
      return AVX2;
    }
    // AMX must be forced: no machine with it has run these kernels yet.
    return VNNI.isAvailable() ? VNNI : AVX2;
  }

  private boolean isAvailable() {
    return (NativeLibrary.tiers() & tier) != 0;
  }
}
