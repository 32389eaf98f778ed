package org.fettle.internal;

import java.io.File;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.javacpp.Loader;

/**
 * The CPU library: loaded, or not and why. The one place that loads it, so that every call of
 * {@link Native} comes after the checks made here.
 *
 * <p>System properties:
 *
 * <ul>
 *   <li>{@code fettle.native=off}: do not load it
 *   <li>{@code fettle.library.path=FILE}: load this JNI library, and nothing else if that fails
 * </ul>
 */
public final class NativeLibrary {
  /** The {@code FETTLE_ABI_VERSION} that {@link Native} was written for. */
  static final int ABI_VERSION = 1;

  static final String OFF_PROPERTY = "fettle.native";
  static final String PATH_PROPERTY = "fettle.library.path";

  // Bits of fettle_cpu_tiers().
  private static final long CPU_V2 = 1;
  private static final String[] TIER_NAMES = {
    "v2", "v3", "v4", "avx-vnni", "avx512-vnni", "amx-int8"
  };

  private static final NativeLibrary INSTANCE = load();

  private final String origin;
  private final String reason;
  private final long tiers;

  private NativeLibrary(String origin, String reason, long tiers) {
    this.origin = origin;
    this.reason = reason;
    this.tiers = tiers;
  }

  /** Whether {@link Native} can be called. */
  public static boolean isLoaded() {
    return INSTANCE.reason == null;
  }

  /** Why the library is not loaded, for a person to read; null if it is. */
  public static String reason() {
    return INSTANCE.reason;
  }

  /** The file that was loaded; null if none was. */
  public static String origin() {
    return INSTANCE.origin;
  }

  /**
   * What the CPU supports: bits of {@code enum fettle_cpu_tier}; 0 if the library is not loaded.
   */
  public static long tiers() {
    return INSTANCE.tiers;
  }

  /** The names of {@link #tiers()}. */
  public static List<String> tierNames() {
    List<String> names = new ArrayList<>();
    for (int bit = 0; bit < TIER_NAMES.length; bit++) {
      if ((INSTANCE.tiers >> bit & 1) != 0) {
        names.add(TIER_NAMES[bit]);
      }
    }
    return names;
  }

  /** The names of the tiers that this CPU or its operating system lacks. */
  public static List<String> missingTierNames() {
    List<String> names = new ArrayList<>(List.of(TIER_NAMES));
    names.removeAll(tierNames());
    return names;
  }

  /** The version of the JavaCPP on the class path, as {@link Loader} tells it; null if unknown. */
  public static String javacppRuntimeVersion() {
    try {
      return Loader.getVersion();
    } catch (java.io.IOException | RuntimeException | LinkageError e) {
      return null;
    }
  }

  private static NativeLibrary load() {
    if ("off".equalsIgnoreCase(System.getProperty(OFF_PROPERTY))) {
      return unavailable("switched off by -D" + OFF_PROPERTY + "=off");
    }
    String expected = BuildInfo.nativeBuildId();
    if (expected == null) {
      return unavailable("this build of Fettle was made without a native library");
    }
    String path = System.getProperty(PATH_PROPERTY);
    String origin;
    try {
      origin = path == null ? Loader.load(Native.class) : loadFile(path);
    } catch (RuntimeException | LinkageError e) {
      return unavailable(explain(path, e));
    }
    try {
      return check(origin, expected);
    } catch (LinkageError e) {
      return unavailable(origin + " is not Fettle's JNI library: " + e.getMessage());
    }
  }

  private static String loadFile(String path) {
    File file = new File(path).getAbsoluteFile();
    if (!file.isFile()) {
      throw new UnsatisfiedLinkError("there is no file " + file);
    }
    System.load(file.getPath());
    return file.getPath();
  }

  private static NativeLibrary check(String origin, String expected) {
    int abi = Native.abiVersion();
    if (abi != ABI_VERSION) {
      return unavailable(
          origin + " has ABI version " + abi + ", these classes need " + ABI_VERSION);
    }
    String actual = Native.buildId();
    if (!actual.equals(expected)) {
      return unavailable(
          origin
              + " is build "
              + actual
              + ", these classes belong to build "
              + expected
              + "; if it lies in JavaCPP's cache, delete that folder (or name another one with"
              + " -Dorg.bytedeco.javacpp.cachedir)");
    }
    long tiers = Native.cpuTiers();
    if ((tiers & CPU_V2) == 0) {
      return unavailable("the CPU does not support x86-64-v2");
    }
    return new NativeLibrary(origin, null, tiers);
  }

  private static NativeLibrary unavailable(String reason) {
    return new NativeLibrary(null, reason, 0);
  }

  /** Says what failed, with every cause, and what to do about the usual ones. */
  private static String explain(String path, Throwable failure) {
    StringBuilder text = new StringBuilder();
    if (path != null) {
      text.append("-D").append(PATH_PROPERTY).append('=').append(path).append(": ");
    }
    String advice = advice(path);
    if (advice != null) {
      text.append(advice).append(" (");
    }
    for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
      if (cause != failure) {
        text.append("; caused by ");
      }
      text.append(cause);
    }
    return text.append(advice == null ? "" : ")").toString();
  }

  private static String advice(String path) {
    if (NativeLibrary.class.getResource("/org/bytedeco/javacpp/Loader.class") == null
        && !NativeLibrary.class.getModule().isNamed()) {
      return "the jar of JavaCPP is not on the class path";
    }
    if (!NativeAccess.isEnabled(NativeLibrary.class) || !NativeAccess.isEnabled(Loader.class)) {
      return "native access is not enabled; start Java with "
          + NativeAccess.flag(NativeLibrary.class);
    }
    if (path != null) {
      return null;
    }
    String platform = Loader.getPlatform();
    if (!platform.equals("linux-x86_64")) {
      return "there is no native build for " + platform;
    }
    if (NativeLibrary.class.getResource("/org/fettle/" + platform + "/libjnifettle.so") == null) {
      return NativeLibrary.class.getModule().isNamed()
          ? "the jar fettle:"
              + platform
              + " is not in the module graph; put it on the module path and"
              + " start Java with --add-modules ALL-MODULE-PATH"
          : "the jar fettle:" + platform + " is not on the class path";
    }
    return null;
  }
}
