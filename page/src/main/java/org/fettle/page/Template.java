package org.fettle.page;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A page with places {@code {{name}}}, filled from a map. */
public final class Template {
  private static final Pattern PLACE = Pattern.compile("\\{\\{(\\w+)}}");

  private Template() {}

  /**
   * Fills a template in one go: what a part holds is not looked at again.
   *
   * @param template the text
   * @param parts the text of every place
   * @throws IllegalArgumentException if a place has no part
   */
  public static String fill(String template, Map<String, String> parts) {
    return PLACE
        .matcher(template)
        .replaceAll(
            place -> {
              String part = parts.get(place.group(1));
              if (part == null) {
                throw new IllegalArgumentException(
                    "template: no part named " + place.group(1) + "; there are " + parts.keySet());
              }
              return Matcher.quoteReplacement(part);
            });
  }

  /** The look that all pages have. */
  public static String css() throws IOException {
    return resource(Template.class, "page.css");
  }

  /** Buttons of a legend show and hide; what lies under the pointer is lifted. */
  public static String legendScript() throws IOException {
    return resource(Template.class, "legend.js");
  }

  /** A text beside a class. */
  public static String resource(Class<?> owner, String name) throws IOException {
    try (InputStream in = owner.getResourceAsStream(name)) {
      if (in == null) {
        throw new IOException("the resource " + name + " is missing beside " + owner.getName());
      }
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    }
  }

  /** Writes a page, with the folders that it needs. */
  public static void write(Path file, String text) throws IOException {
    Path folder = file.toAbsolutePath().getParent();
    if (folder != null) {
      Files.createDirectories(folder);
    }
    Files.writeString(file, text);
  }
}
