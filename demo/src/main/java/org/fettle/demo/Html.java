package org.fettle.demo;

import static org.fettle.page.Markup.format;

import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;

/** What the parts of the page have in common: text, numbers, and how a row is drawn. */
final class Html {
  private static final int COLOURS = 8;
  private static final List<String> DASHES =
      List.of("7 4", "2 3", "12 3 2 3", "4 2 1 2", "14 5", "1 4");

  private final List<Result> results;

  Html(List<Result> results) {
    this.results = results;
  }

  /** The families that are there, in their own order. */
  List<Family> families() {
    return Arrays.stream(Family.values()).filter(family -> !of(family).isEmpty()).toList();
  }

  /** The results of a family. */
  List<Result> of(Family family) {
    return results.stream().filter(result -> result.row().family() == family).toList();
  }

  /** The results of a family, before them plain AdamW if it is there, to compare with. */
  List<Result> compared(Family family) {
    Stream<Result> reference = results.stream().filter(result -> isReference(result, family));
    return Stream.concat(reference, of(family).stream()).toList();
  }

  private static boolean isReference(Result result, Family family) {
    return result.row().name().equals("adamw") && result.row().family() != family;
  }

  /** How a row is drawn among a family. */
  String style(Result result, Family family) {
    return isReference(result, family) ? "--c:var(--soft);--d:none" : style(result);
  }

  static String percent(double share) {
    return format("%.2f %%", 100 * share);
  }

  /** A row has a colour within its family; where there are many rows, its optimizer has. */
  String style(Result result) {
    return "--c:" + colour(position(result)) + ";--d:" + dash(result);
  }

  /** Where families meet, a family has a colour. */
  String familyStyle(Result result) {
    return familyStyle(result.row().family());
  }

  /** The colour of a family. */
  String familyStyle(Family family) {
    return "--c:" + colour(families().indexOf(family)) + ";--d:none";
  }

  /** Whether the row is a variant, which is drawn hollow. */
  boolean hollow(Result result) {
    return variant(result) > 0;
  }

  private static String key(Result result, List<Result> family) {
    return family.size() > COLOURS ? result.row().stem() : result.row().name();
  }

  private int position(Result result) {
    List<Result> family = of(result.row().family());
    return family.stream()
        .map(other -> key(other, family))
        .distinct()
        .toList()
        .indexOf(key(result, family));
  }

  private static String colour(int number) {
    return number < COLOURS
        ? "var(--s" + number + ")"
        : format("hsl(%.0f 55%% 50%%)", number * 137.508 % 360);
  }

  private String dash(Result result) {
    long variant = variant(result);
    return variant == 0 ? "none" : DASHES.get((int) ((variant - 1) % DASHES.size()));
  }

  private long variant(Result result) {
    List<Result> family = of(result.row().family());
    return family.subList(0, family.indexOf(result)).stream()
        .filter(other -> key(other, family).equals(key(result, family)))
        .count();
  }
}
