package org.fettle.benchmarks;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import javax.xml.parsers.DocumentBuilderFactory;
import org.fettle.page.Markup;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BenchPageTest {
  private static final Pattern CHART = Pattern.compile("<svg.*?</svg>", Pattern.DOTALL);

  @TempDir Path folder;

  private static Path fixture(String name) {
    return Path.of("src/test/resources/org/fettle/benchmarks", name);
  }

  private static Report steps() throws IOException {
    return Store.read(fixture("steps.json"), Report.class);
  }

  private static KernelReport kernels() throws IOException {
    return Store.read(fixture("kernels.json"), KernelReport.class);
  }

  private static List<String> charts(String html) {
    return CHART.matcher(html).results().map(MatchResult::group).toList();
  }

  /** A chart is well-formed by itself, and all that it draws is somewhere. */
  private static void checkChart(String svg) {
    assertDoesNotThrow(
        () ->
            DocumentBuilderFactory.newInstance()
                .newDocumentBuilder()
                .parse(new ByteArrayInputStream(svg.getBytes(StandardCharsets.UTF_8))),
        svg);
    for (String no : new String[] {"NaN", "Infinity", "null"}) {
      assertFalse(svg.contains(no), no + " in " + svg);
    }
  }

  private static void check(String html) {
    assertFalse(html.contains("{{"), "an unfilled part");
    assertFalse(html.contains("NaN"));
    assertFalse(
        Pattern.compile("(src|href)\\s*=\\s*['\"](?!data:|#)|https?:|@import|url\\((?!#)")
            .matcher(html)
            .find(),
        "something from outside");
    assertFalse(html.contains("<CPU>"), "text that is not escaped");
    charts(html).forEach(BenchPageTest::checkChart);
  }

  @Test
  void holdsEveryTaskOfEverybody() throws IOException {
    String html = new BenchPage(List.of(steps()), List.of(kernels())).text();
    check(html);
    String points = String.join("", charts(html));
    for (Result result : steps().results()) {
      String name = Markup.escape(Entry.of(result).title());
      assertTrue(html.contains("<tr data-case='" + name + "'>"), name);
      for (String contestant : result.contestants()) {
        Who who = Who.of(contestant, result.ours());
        if (who != null) {
          assertTrue(points.contains(mark(who, name)), name + " by " + who);
        }
      }
    }
    for (KernelResult result : kernels().results()) {
      String name = Markup.escape(Entry.of(result).title());
      assertTrue(html.contains("<tr data-case='" + name + "'>"), name);
      assertTrue(points.contains(mark(Who.FETTLE, name)), name);
      assertEquals(!result.peer().isEmpty(), points.contains(mark(Who.LIBTORCH, name)), name);
    }
    // Two rooflines, the speed-ups and the sparse products.
    assertEquals(4, charts(html).size());
    assertTrue(html.contains("A &lt;CPU&gt; &amp; more"));
    assertTrue(html.contains("CSR does from 90 % zeros on, of those measured"), "the sentence");
  }

  private static String mark(Who who, String name) {
    return "data-row='" + Markup.escape(who.title()) + "' data-case='" + name + "'";
  }

  @Test
  void everyMarkLiesInTheFrame() throws IOException {
    String html = new BenchPage(List.of(steps()), List.of(kernels())).text();
    Pattern circle = Pattern.compile("<circle cx='([-\\d.]+)' cy='([-\\d.]+)'");
    List<MatchResult> circles = circle.matcher(html).results().toList();
    assertEquals(19, circles.size());
    for (MatchResult one : circles) {
      double x = Double.parseDouble(one.group(1));
      double y = Double.parseDouble(one.group(2));
      assertTrue(x > 50 && x < 1110 && y > 10 && y < 520, one.group());
    }
  }

  @Test
  void roofsThatLieOutsideTheFrameAreLeftOut() throws IOException {
    KernelReport all = kernels();
    List<KernelResult> integers =
        all.results().stream().filter(one -> one.name().equals("product.int8")).toList();
    assertEquals(1, integers.size());
    KernelReport run =
        new KernelReport(all.machine(), all.command(), all.measured(), all.ceilings(), integers);
    String html = new BenchPage(List.of(), List.of(run)).text();
    Pattern roof =
        Pattern.compile(
            "class='roof' x1='([-\\d.]+)' y1='([-\\d.]+)' x2='([-\\d.]+)' y2='([-\\d.]+)'");
    List<MatchResult> lines = roof.matcher(html).results().toList();
    assertFalse(lines.isEmpty());
    for (MatchResult line : lines) {
      for (int k = 1; k <= 4; k++) {
        double at = Double.parseDouble(line.group(k));
        assertTrue(at >= 0 && at <= 1120, line.group());
      }
    }
  }

  @Test
  void aLineIsDrawnForEveryCeilingThatIsKnown() throws IOException {
    String html = new BenchPage(List.of(steps()), List.of()).text();
    check(html);
    assertTrue(html.contains("main memory, one thread: 50 GB/s"));
    assertTrue(html.contains("main memory, 2 threads: 90 GB/s"));
    assertTrue(html.contains("cache, one thread: 270 GB/s"));
    assertTrue(html.contains("square root per element: 4 billion a second"));
    String products = new BenchPage(List.of(), List.of(kernels())).text();
    assertTrue(products.contains("products of bytes (VNNI): 1000 billion a second"));
    // The steps' run knows no products of bytes, so there is no line.
    String both = new BenchPage(List.of(steps()), List.of(kernels())).text();
    assertFalse(both.contains("VNNI"));
  }

  @Test
  void aRunWithoutCeilingsOrPeersIsShown() throws IOException {
    Report steps = steps();
    Report bare =
        new Report(steps.machine(), steps.command(), null, null, steps.results().subList(2, 3));
    String html = new BenchPage(List.of(bare), List.of()).text();
    check(html);
    assertTrue(html.contains("sgd.f32.1e7"));
    assertTrue(html.contains("No peer took part"));
  }

  @Test
  void theSameTaskOfTwoRunsIsShownOnce() throws IOException {
    String html = new BenchPage(List.of(steps(), steps()), List.of()).text();
    assertEquals(2, html.split("<tr data-case='sgd.f32.1e7'>", -1).length);
  }

  @Test
  void thePictureOfSparseProductsStandsAlone() throws IOException {
    String svg = SparsityChart.picture(kernels().results());
    checkChart(svg);
    assertTrue(svg.contains("xmlns='http://www.w3.org/2000/svg'"));
    assertTrue(svg.contains("data-row='CSR'"));
    assertThrows(IllegalArgumentException.class, () -> SparsityChart.picture(List.of()));
  }

  @Test
  void storedRunsOfThisMachineAreShownTogether() throws IOException {
    Store store = new Store(folder);
    Files.copy(fixture("steps.json"), store.file("ratios"));
    Files.copy(fixture("kernels.json"), store.file("kernels"));
    // As an earlier version wrote it.
    Files.writeString(store.file("sparse"), "[]");
    BenchPage page = store.page(steps().machine());
    assertEquals(1, page.steps().size());
    assertEquals(1, page.kernels().size());
    Machine other = new Machine("another", 1, "", "", "", "", "");
    assertEquals(new BenchPage(List.of(), List.of()), store.page(other));
    assertThrows(IOException.class, () -> Store.read(store.file("sparse"), KernelReport.class));
  }
}
