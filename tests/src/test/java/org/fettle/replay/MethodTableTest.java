package org.fettle.replay;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.fettle.Rules;
import org.junit.jupiter.api.Test;

/** {@code docs/methods.md} says what the registry says; -Dfettle.docs=write writes it. */
class MethodTableTest {
  private static final Path PAGE = Path.of("..", "docs", "methods.md");

  @Test
  void thePageIsUpToDate() throws IOException {
    String page = MethodTable.page();
    if ("write".equals(System.getProperty("fettle.docs"))) {
      Files.writeString(PAGE, page);
    }
    assertTrue(Files.exists(PAGE), "no docs/methods.md: run with -Dfettle.docs=write");
    assertEquals(
        Files.readString(PAGE), page, "docs/methods.md is old: run with -Dfettle.docs=write");
  }

  @Test
  void everyMethodIsInATable() throws IOException {
    Set<String> others = new TreeSet<>(Replays.methods());
    others.removeAll(Rules.methods());
    // What is no rule has a row in one of the other pages, written by hand; it names its vectors.
    String pages = otherPages();
    others.removeIf(
        method -> !MethodTable.others().contains(method) && pages.contains(" " + method + " 0"));
    assertEquals(others, MethodTable.others());
  }

  private static String otherPages() throws IOException {
    StringBuilder text = new StringBuilder();
    try (Stream<Path> files = Files.list(PAGE.getParent())) {
      for (Path file : files.filter(f -> f.toString().endsWith(".md")).sorted().toList()) {
        if (!file.equals(PAGE)) {
          text.append(Files.readString(file));
        }
      }
    }
    return text.toString();
  }
}
