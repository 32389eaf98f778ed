package org.fettle.documentation;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/** Every Java block of README.md and docs/ compiles and runs; no link between pages is dead. */
class DocumentationTest {
  private static final Path ROOT = Path.of("..");
  private static final List<String> IMPORTS =
      List.of(
          "import java.nio.*;",
          "import java.nio.file.*;",
          "import java.util.*;",
          "import org.bytedeco.javacpp.*;",
          "import org.fettle.*;",
          "import org.fettle.averages.*;",
          "import org.fettle.distributed.*;",
          "import org.fettle.merge.*;",
          "import org.fettle.pruning.*;",
          "import org.fettle.recipes.*;",
          "import org.fettle.rules.*;",
          "import org.fettle.sparsity.*;",
          "import org.fettle.steps.*;");
  private static final List<String> FOREIGN = List.of("import java.lang.foreign.*;");

  @TempDir Path folder;

  @TestFactory
  Stream<DynamicTest> everyBlockRuns() throws IOException {
    List<CodeBlock> blocks =
        CodeBlock.all(ROOT).stream().filter(block -> block.module().isEmpty()).toList();
    assertTrue(blocks.size() > 10, "only " + blocks.size() + " blocks");
    return blocks.stream()
        .map(block -> DynamicTest.dynamicTest(block.place(), () -> runBlock(block)));
  }

  private void runBlock(CodeBlock block) throws Exception {
    assumeTrue(
        Runtime.version().feature() >= block.java(),
        "NOT RUN: needs Java " + block.java() + "; CI runs it on the second JDK");
    List<String> imports =
        block.java() >= 22 ? Stream.concat(IMPORTS.stream(), FOREIGN.stream()).toList() : IMPORTS;
    CodeRun.run(block, imports, Files.createTempDirectory(folder, "block"));
  }

  @Test
  void aBlockThatFailsIsSeen() {
    CodeBlock wrong = new CodeBlock("here", "int i = \"no number\";", "", 17);
    assertThrows(AssertionError.class, () -> CodeRun.run(wrong, IMPORTS, folder));
    CodeBlock failing = new CodeBlock("here", "Tensor.allocate(DType.F32, -1);", "", 17);
    assertThrows(AssertionError.class, () -> CodeRun.run(failing, IMPORTS, folder));
  }

  @Test
  void everyLinkLeadsToAFile() throws IOException {
    Pattern link = Pattern.compile("\\]\\(([^)#:]+)(#[^)]*)?\\)");
    Set<String> dead = new TreeSet<>();
    try (Stream<Path> files = Files.walk(ROOT.resolve("docs"))) {
      List<Path> pages =
          Stream.concat(
                  files.filter(file -> file.toString().endsWith(".md")),
                  Stream.of(ROOT.resolve("README.md"), ROOT.resolve("CONTRIBUTING.md")))
              .toList();
      for (Path page : pages) {
        Matcher links = link.matcher(Files.readString(page));
        while (links.find()) {
          if (!Files.exists(page.resolveSibling(links.group(1)))) {
            dead.add(page.getFileName() + " -> " + links.group(1));
          }
        }
      }
    }
    assertTrue(dead.isEmpty(), "links that lead nowhere: " + dead);
  }
}
