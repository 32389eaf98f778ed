package org.fettle.internal;

/**
 * Java objects that native code keeps reachable. Call only after {@link NativeLibrary} says that
 * the library is loaded.
 */
final class OwnerReferences {
  private OwnerReferences() {}

  /** Keeps an object reachable; a handle, or 0 where there is no memory. */
  static native long hold(Object owner);

  /** The address of a C function that takes such a handle and lets the object go. */
  static native long releaser();

  /** Lets the object go. */
  static native void release(long held);
}
