package org.fettle.demo;

import java.util.List;
import java.util.Locale;

/** What the parts of the page have in common: text, numbers, and how a row is drawn. */
final class Html {
  private static final int COLOURS = 8;
  private static final List<String> DASHES =
      List.of("7 4", "2 3", "12 3 2 3", "4 2 1 2", "14 5", "1 4");

  private final List<Result> results;
  private final List<String> families;

  Html(List<Result> results) {
    this.results = results;
    families = results.stream().map(result -> result.row().family()).distinct().toList();
  }

  /** Formats numbers the same way everywhere. */
  static String format(String format, Object... values) {
    return String.format(Locale.ROOT, format, values);
  }

  /** Text from outside. */
  static String escape(String text) {
    return text.replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace("\"", "&quot;")
        .replace("'", "&#39;");
  }

  static String percent(double share) {
    return format("%.2f %%", 100 * share);
  }

  /** A family has a colour; a variant of it a dash. */
  String style(Result result) {
    return "--c:" + colour(families.indexOf(result.row().family())) + ";--d:" + dash(result);
  }

  /** Whether the row is a variant, which is drawn hollow. */
  boolean hollow(Result result) {
    return variant(result) > 0;
  }

  private static String colour(int family) {
    return family < COLOURS
        ? "var(--s" + family + ")"
        : format("hsl(%.0f 55%% 50%%)", family * 137.508 % 360);
  }

  private String dash(Result result) {
    long variant = variant(result);
    return variant == 0 ? "none" : DASHES.get((int) ((variant - 1) % DASHES.size()));
  }

  private long variant(Result result) {
    return results.subList(0, results.indexOf(result)).stream()
        .filter(other -> other.row().family().equals(result.row().family()))
        .count();
  }
}
