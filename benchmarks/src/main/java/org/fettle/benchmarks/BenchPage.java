package org.fettle.benchmarks;

import static org.fettle.page.Markup.escape;
import static org.fettle.page.Markup.format;

import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.fettle.page.Template;

/**
 * Everything measured as one self-contained HTML page. Where two runs measured the same task, the
 * first one given is shown.
 *
 * @param steps runs over steps
 * @param kernels runs over other kernels
 */
record BenchPage(List<Report> steps, List<KernelReport> kernels) {
  /** This, and what another one has besides. */
  BenchPage and(BenchPage other) {
    return new BenchPage(
        Stream.concat(steps.stream(), other.steps.stream()).toList(),
        Stream.concat(kernels.stream(), other.kernels.stream()).toList());
  }

  String text() throws IOException {
    List<Entry> entries = entries();
    List<Entry> elements = entries.stream().filter(entry -> !entry.product()).toList();
    List<Entry> products = entries.stream().filter(Entry::product).toList();
    Map<String, String> parts = new LinkedHashMap<>();
    parts.put("css", Template.css() + Template.resource(BenchPage.class, "bench.css"));
    parts.put("js", Template.legendScript() + Template.resource(BenchPage.class, "bench.js"));
    parts.put("lede", lede(entries, elements));
    parts.put("facts", facts(entries, elements));
    parts.put("legend", Roofline.legend(entries));
    parts.put("elements", elements.isEmpty() ? "" : section("elements.html", ofElements(elements)));
    parts.put("products", products.isEmpty() ? "" : section("products.html", ofProducts(products)));
    parts.put("speedUps", SpeedUps.draw(entries));
    parts.put("sparsity", sparsity());
    parts.put("machine", machine());
    return Template.fill(Template.resource(BenchPage.class, "bench.html"), parts);
  }

  private static String section(String name, Map<String, String> parts) throws IOException {
    return Template.fill(Template.resource(BenchPage.class, name), parts);
  }

  private Map<String, String> ofElements(List<Entry> entries) {
    return Map.of(
        "chart", Roofline.ofElements(entries, ceilings()), "rows", PageTables.ofElements(entries));
  }

  private Map<String, String> ofProducts(List<Entry> entries) {
    return Map.of(
        "chart", Roofline.ofProducts(entries, ceilings()), "rows", PageTables.ofProducts(entries));
  }

  private String sparsity() throws IOException {
    List<KernelResult> results = sparseResults();
    String chart = SparsityChart.draw(results);
    if (chart.isEmpty()) {
      return "";
    }
    String sentences =
        SparsityChart.sentences(results).stream()
            .map(sentence -> "<li>" + escape(sentence) + "</li>")
            .collect(Collectors.joining());
    return section("sparsity.html", Map.of("chart", chart, "sentences", sentences));
  }

  /** The run with the most sparse products. */
  private List<KernelResult> sparseResults() {
    List<KernelResult> most = List.of();
    for (KernelReport report : kernels) {
      List<KernelResult> sparse = report.results().stream().filter(KernelResult::isSparse).toList();
      if (sparse.size() > most.size()) {
        most = sparse;
      }
    }
    return most;
  }

  private List<Entry> entries() {
    Map<String, Entry> entries = new LinkedHashMap<>();
    for (Report report : steps) {
      report.results().forEach(result -> add(entries, Entry.of(result)));
    }
    for (KernelReport report : kernels) {
      report.results().forEach(result -> add(entries, Entry.of(result)));
    }
    return List.copyOf(entries.values());
  }

  private static void add(Map<String, Entry> entries, Entry entry) {
    entries.putIfAbsent(entry.title(), entry);
  }

  private Ceilings ceilings() {
    return Stream.concat(
            steps.stream().map(Report::ceilings), kernels.stream().map(KernelReport::ceilings))
        .filter(Objects::nonNull)
        .findFirst()
        .orElse(null);
  }

  private static String lede(List<Entry> entries, List<Entry> elements) {
    long near = elements.stream().filter(entry -> entry.ofCeiling() >= 0.9).count();
    long measured = elements.stream().filter(entry -> Double.isFinite(entry.ofCeiling())).count();
    String text =
        format(
            "An optimizer step changes every weight of a network a little, thousands of times. It does"
                + " little arithmetic on a lot of memory, so the best it can do is to be as fast as the"
                + " memory. This page shows %d tasks, and how near each comes to what this machine"
                + " allows.",
            entries.size());
    return measured == 0
        ? text
        : text
            + format(
                " <b>%d of %d</b> memory-bound tasks reach nine tenths of their ceiling or more.",
                near, measured);
  }

  private static String facts(List<Entry> entries, List<Entry> elements) {
    StringBuilder facts = new StringBuilder();
    double[] shares =
        elements.stream().mapToDouble(Entry::ofCeiling).filter(Double::isFinite).toArray();
    if (shares.length > 0) {
      fact(facts, format("%.2f", Result.median(shares)), "of the memory ceiling, median");
    }
    for (Who who : Who.values()) {
      double[] times =
          entries.stream()
              .map(entry -> entry.speedUps().get(who))
              .filter(value -> value != null && Double.isFinite(value))
              .mapToDouble(Double::doubleValue)
              .toArray();
      if (times.length > 0) {
        fact(
            facts,
            Ticks.text(Result.median(times)) + " x",
            format(
                "as fast as %s, median of %d %s",
                escape(who.title()), times.length, times.length == 1 ? "task" : "tasks"));
      }
    }
    return facts.toString();
  }

  private static void fact(StringBuilder to, String value, String what) {
    to.append(format("<li><b>%s</b>%s</li>", value, what));
  }

  private String machine() {
    List<String> lines = new ArrayList<>();
    steps.forEach(report -> lines.add(line(report.command(), report.measured(), report.machine())));
    kernels.forEach(
        report -> lines.add(line(report.command(), report.measured(), report.machine())));
    return String.join("\n", lines);
  }

  private static String line(String command, String measured, Machine machine) {
    return format(
        "<dt><code>%s</code></dt><dd>%s%s</dd>",
        escape(command),
        measured == null ? "" : escape(measured) + ": ",
        escape(String.valueOf(machine)));
  }
}
