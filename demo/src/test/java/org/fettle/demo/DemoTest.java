package org.fettle.demo;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.regex.Pattern;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

class DemoTest {
  @TempDir Path folder;

  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  private int demo(String... args) {
    CommandLine line = Demo.commandLine();
    line.setOut(new PrintWriter(out, true)).setErr(new PrintWriter(err, true));
    return line.execute(args);
  }

  @Test
  void trainsAndWritesThePage() throws IOException {
    Toy.write(folder);
    Path page = folder.resolve("new/page.html");
    int status =
        demo(
            "--data=" + folder,
            "--rows=adamw,lion-bf16",
            "--epochs=2",
            "--batch=64",
            "--hidden=16,8",
            "--page=" + page);
    assertEquals(0, status, err.toString());
    assertTrue(out.toString().contains("adamw "), out.toString());
    assertTrue(out.toString().contains("Page: " + page), out.toString());
    String html = Files.readString(page);
    assertFalse(html.contains("{{"), "an unfilled part");
    assertFalse(
        Pattern.compile("(src|href)\\s*=\\s*['\"](?!data:|#)").matcher(html).find(),
        "something from outside");
    assertFalse(html.contains("NaN"));
    for (String part : new String[] {"<svg", "adamw", "lion-bf16", "bf16, stochastic", "</html>"}) {
      assertTrue(html.contains(part), part);
    }
  }

  @Test
  void listsItsRows() {
    assertEquals(0, demo("--list"));
    for (Row row : Rows.all()) {
      assertTrue(out.toString().contains(row.name() + " "), row.name());
    }
  }

  @Test
  void wrongOptionsAreNamed() {
    refused("--rows: no row adam; expected some of sgd, adamw", "--rows", "sgd,adam");
    refused("--all and --rows: expected one of them", "--all", "--rows", "sgd");
    refused("--epochs is 0: expected at least 1", "--epochs", "0");
    refused("--batch is -3: expected at least 1", "--batch=-3");
    refused("--hidden is 0: expected at least 1", "--hidden", "5,0");
    refused("--threads is 0: expected at least 1", "--threads", "0");
    refused("--backend: ", "--backend", "abacus");
    refused("Unknown options: '--epoch'", "--epoch", "3");
  }

  private void refused(String message, String... args) {
    assertEquals(2, demo(args));
    assertTrue(err.toString().contains(message), err.toString());
  }

  @Test
  void missingDataAreNamed() {
    assertEquals(1, demo("--data=" + folder.resolve("nowhere")));
    assertTrue(
        err.toString().contains("nowhere: expected a file train-images-idx3-ubyte or"),
        err.toString());
  }

  @Test
  void dataOfAnEarlierRunAreNotFetchedAgain() throws IOException {
    Path unpacked =
        Files.createDirectories(
            folder.resolve("dataset-fashion-mnist/usr/share/datasets/fashion-mnist"));
    Toy.write(unpacked);
    Path found = new DataSource(folder, new PrintWriter(err, true)).find();
    assertTrue(Dataset.isIn(found), found.toString());
    assertEquals("", err.toString());
  }

  @Test
  void imagesAreReadableByOthers() throws IOException {
    byte[] grey = {0, 50, 100, (byte) 150, (byte) 200, (byte) 255};
    BufferedImage image = decode(Png.grey(3, 2, grey));
    byte[] read = new byte[6];
    image.getRaster().getDataElements(0, 0, 3, 2, read);
    assertArrayEquals(grey, read);
    byte[] colour = {(byte) 0x11, 0x22, 0x33, 0x44};
    assertEquals(0x44112233, decode(Png.rgba(1, 1, colour)).getRGB(0, 0));
  }

  private static BufferedImage decode(String uri) throws IOException {
    byte[] bytes = Base64.getDecoder().decode(uri.substring(uri.indexOf(',') + 1));
    return ImageIO.read(new ByteArrayInputStream(bytes));
  }
}
