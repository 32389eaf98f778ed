package org.fettle.replay;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** What the tables of the other pages hold, a row per method, for {@code docs/methods.md}. */
final class MethodIndex {
  private static final String HEAD =
      """

      ## Besides rules

      Everything else, from the tables of the other pages, which tell formula, bytes, source and what differs.

      | Method | Vectors | Page |
      | --- | --- | --- |
      """;

  private static final Pattern CELLS = Pattern.compile("(?<!\\\\)\\|");
  private static final Pattern VECTORS =
      Pattern.compile("(properties|[a-z][a-z0-9_-]* \\d\\d([-,;] ?[a-z0-9_ -]*\\d\\d)*)");

  private MethodIndex() {}

  /** The section. */
  static String section() throws IOException {
    TreeMap<String, List<String>> pages = new TreeMap<>();
    try (Stream<Path> files = Files.list(Path.of("..", "docs"))) {
      for (Path file : files.filter(f -> f.toString().endsWith(".md")).toList()) {
        pages.put(file.getFileName().toString(), Files.readAllLines(file));
      }
    }
    pages.remove("methods.md");
    StringBuilder table = new StringBuilder(HEAD);
    pages.forEach((page, lines) -> lines.forEach(line -> row(table, page, line)));
    return table.toString();
  }

  private static void row(StringBuilder table, String page, String line) {
    if (!line.startsWith("| ")) {
      return;
    }
    List<String> cells = Arrays.stream(CELLS.split(line)).map(String::strip).toList();
    cells.stream()
        .skip(2)
        .filter(cell -> VECTORS.matcher(cell).matches())
        .findFirst()
        .ifPresent(
            vectors -> {
              String title = page.substring(0, page.length() - ".md".length());
              table.append(
                  String.format("| %s | %s | [%s](%s) |%n", cells.get(1), vectors, title, page));
            });
  }
}
