package org.fettle.internal;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Properties;

/** What the build wrote beside the classes. */
public final class BuildInfo {
  private static final Properties PROPERTIES = read();

  private BuildInfo() {}

  /** Fettle's version. */
  public static String version() {
    return PROPERTIES.getProperty("fettle.version");
  }

  /** The JavaCPP version that the JNI library was generated with. */
  public static String javacppVersion() {
    return PROPERTIES.getProperty("javacpp.version");
  }

  /**
   * The build id of the native libraries that belong to these classes; null where none were built.
   */
  public static String nativeBuildId() {
    return PROPERTIES.getProperty("build.id");
  }

  private static Properties read() {
    Properties properties = new Properties();
    for (String name : new String[] {"build.properties", "native.properties"}) {
      try (InputStream in = BuildInfo.class.getResourceAsStream(name)) {
        if (in != null) {
          properties.load(in);
        }
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
    return properties;
  }
}
