package org.fettle.page;

import java.util.Locale;

/** Text and numbers as pages write them. */
public final class Markup {
  private Markup() {}

  /** Formats numbers the same way everywhere. */
  public static String format(String format, Object... values) {
    return String.format(Locale.ROOT, format, values);
  }

  /** Text from outside. */
  public static String escape(String text) {
    return text.replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace("\"", "&quot;")
        .replace("'", "&#39;");
  }
}
