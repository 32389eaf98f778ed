package org.fettle.documentation;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * A Java block of a page. Comments above it, which a reader of the page does not see, say how to
 * run it:
 *
 * <ul>
 *   <li>{@code <!-- given CODE -->}: what the reader has: statements before the block
 *   <li>{@code <!-- then CODE -->}: statements behind the block: what must hold
 *   <li>{@code <!-- continues -->}: it follows the block before it on the page
 *   <li>{@code <!-- needs Java 22 -->}
 *   <li>{@code <!-- module pytorch -->}: it is run by that adapter's tests
 * </ul>
 *
 * @param place the page and line, for messages
 * @param code what runs: the block with everything that belongs to it
 * @param module whose tests run it; empty for the library's own
 * @param java the oldest Java that it runs on
 */
public record CodeBlock(String place, String code, String module, int java) {
  private static final String FENCE = "```";

  /** All blocks of README.md and the pages of docs/. */
  public static List<CodeBlock> all(Path root) throws IOException {
    List<CodeBlock> blocks = new ArrayList<>();
    blocks.addAll(of(root.resolve("README.md")));
    try (Stream<Path> pages = Files.list(root.resolve("docs"))) {
      for (Path page : pages.filter(file -> file.toString().endsWith(".md")).sorted().toList()) {
        blocks.addAll(of(page));
      }
    }
    return blocks;
  }

  /** The blocks of a page. */
  static List<CodeBlock> of(Path page) throws IOException {
    List<String> lines = Files.readAllLines(page);
    List<CodeBlock> blocks = new ArrayList<>();
    Directions directions = new Directions();
    String before = "";
    for (int i = 0; i < lines.size(); i++) {
      String line = lines.get(i);
      if (line.startsWith("<!--")) {
        StringBuilder comment = new StringBuilder(line);
        while (!comment.toString().contains("-->")) {
          comment.append('\n').append(lines.get(++i));
        }
        directions.read(comment.toString());
      } else if (line.startsWith(FENCE)) {
        int first = i + 1;
        StringBuilder block = new StringBuilder();
        while (!lines.get(++i).startsWith(FENCE)) {
          block.append(lines.get(i)).append('\n');
        }
        if (line.equals(FENCE + "java")) {
          String code = directions.given + block + directions.then;
          before = directions.continues ? before + code : code;
          String place = page.getFileName() + ":" + (first + 1);
          blocks.add(new CodeBlock(place, before, directions.module, directions.java));
        }
        directions = new Directions();
      } else if (!line.isBlank()) {
        directions = new Directions();
      }
    }
    return blocks;
  }

  private static final class Directions {
    private String given = "";
    private String then = "";
    private String module = "";
    private boolean continues;
    private int java = 17;

    void read(String comment) {
      String text = comment.substring(4, comment.indexOf("-->")).strip();
      if (text.startsWith("given")) {
        given += text.substring(5).strip() + "\n";
      } else if (text.startsWith("then")) {
        then += text.substring(4).strip() + "\n";
      } else if (text.startsWith("module ")) {
        module = text.substring(7);
      } else if (text.startsWith("needs Java ")) {
        java = Integer.parseInt(text.substring(11));
      } else if (text.equals("continues")) {
        continues = true;
      }
    }
  }
}
