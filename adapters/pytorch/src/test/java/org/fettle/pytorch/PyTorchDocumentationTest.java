package org.fettle.pytorch;

import static org.junit.jupiter.api.Assertions.assertFalse;

import java.nio.file.Path;
import java.util.List;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.pytorch.global.torch;
import org.fettle.documentation.CodeBlock;
import org.fettle.documentation.CodeRun;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The blocks of docs/ that are about this adapter run. */
class PyTorchDocumentationTest {
  private static final List<String> IMPORTS =
      List.of(
          "import org.bytedeco.pytorch.*;",
          "import org.bytedeco.pytorch.global.torch;",
          "import org.fettle.pytorch.*;",
          "import org.fettle.rules.AdamW;");

  @Test
  void everyBlockRuns(@TempDir Path folder) throws Exception {
    Loader.load(torch.class);
    List<CodeBlock> blocks =
        CodeBlock.all(Path.of("..", "..")).stream()
            .filter(block -> block.module().equals("pytorch"))
            .toList();
    assertFalse(blocks.isEmpty());
    for (CodeBlock block : blocks) {
      CodeRun.run(block, IMPORTS, folder);
    }
  }
}
