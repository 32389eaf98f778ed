package org.fettle.documentation;

import java.io.StringWriter;
import java.lang.reflect.InvocationTargetException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.tools.JavaCompiler;
import javax.tools.ToolProvider;

/** Compiles a block against the class path of this process, and runs it. */
public final class CodeRun {
  private static final Pattern PROGRAM =
      Pattern.compile("^(?:public )?(?:final )?class (\\w+)", Pattern.MULTILINE);
  private static final String NAME = "Block";

  private CodeRun() {}

  /**
   * Runs a block: statements, or a whole class with a main method.
   *
   * @param imports lines that statements need
   * @param folder an empty folder
   * @throws AssertionError if it does not compile, or throws
   */
  public static void run(CodeBlock block, List<String> imports, Path folder) throws Exception {
    Matcher program = PROGRAM.matcher(block.code());
    boolean whole = program.find();
    String name = whole ? program.group(1) : NAME;
    String source =
        whole
            ? block.code()
            : String.join("\n", imports)
                + "\npublic class "
                + NAME
                + " {\n  public static void main(String[] arguments) throws Exception {\n"
                + block.code()
                + "  }\n}\n";
    Path file = Files.writeString(folder.resolve(name + ".java"), source);
    JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
    if (compiler == null) {
      throw new AssertionError("this Java has no compiler: run the tests on a JDK");
    }
    StringWriter said = new StringWriter();
    boolean compiled;
    try (var files = compiler.getStandardFileManager(null, null, null)) {
      compiled =
          compiler
              .getTask(
                  said,
                  files,
                  null,
                  List.of(
                      "-proc:none",
                      "-cp",
                      System.getProperty("java.class.path"),
                      "-d",
                      folder.toString()),
                  null,
                  files.getJavaFileObjects(file))
              .call();
    }
    if (!compiled) {
      throw new AssertionError(block.place() + " does not compile:\n" + said + "\n" + source);
    }
    try (URLClassLoader loader =
        new URLClassLoader(
            new URL[] {folder.toUri().toURL()}, Thread.currentThread().getContextClassLoader())) {
      loader.loadClass(name).getMethod("main", String[].class).invoke(null, (Object) new String[0]);
    } catch (InvocationTargetException e) {
      throw new AssertionError(block.place() + " failed: " + e.getCause(), e.getCause());
    }
  }
}
