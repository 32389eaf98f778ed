package org.fettle.internal;

import java.lang.reflect.Method;

/** Java's permission to load native libraries, which JDK 22 made a property of modules. */
final class NativeAccess {
  private NativeAccess() {}

  /**
   * Whether the module of a class was given native access; true on a JDK that does not ask. A
   * module without it may still load libraries, with a warning, unless {@code
   * --illegal-native-access=deny}.
   */
  static boolean isEnabled(Class<?> type) {
    try {
      Method method = Module.class.getMethod("isNativeAccessEnabled");
      return (boolean) method.invoke(type.getModule());
    } catch (ReflectiveOperationException e) {
      return true;
    }
  }

  /** The option that gives native access. */
  static String flag(Class<?> type) {
    return "--enable-native-access="
        + (type.getModule().isNamed() ? "org.fettle,org.bytedeco.javacpp" : "ALL-UNNAMED");
  }
}
