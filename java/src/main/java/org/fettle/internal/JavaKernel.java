package org.fettle.internal;

/** A kernel's arithmetic in Java: twin of a struct in {@code native/src/kernels}. */
@FunctionalInterface
public interface JavaKernel {
  /** Does units {@code first} to {@code last - 1} of a call. */
  void run(JavaCall call, long first, long last);
}
