package org.fettle.benchmarks;

import static org.fettle.page.Markup.escape;
import static org.fettle.page.Markup.format;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.fettle.page.Chart;

/** From which share of zeros on a sparse product beats the dense one. */
final class SparsityChart {
  private static final int WIDTH = 760;
  private static final int HEIGHT = 400;

  /** The look of the picture where no page around it gives one. */
  private static final String STYLE =
      """
      <style>
      svg { background: #fff; font: 12px sans-serif; --s0: #0a6ebd; --s1: #d1480b; --s2: #0b8f63; }
      text { fill: #5c6670; } .grid { stroke: #ebe8e1; } .axis, .even { stroke: #5c6670; } .even { stroke-dasharray: 6 5; }
      .curve { fill: none; stroke: var(--c); stroke-width: 2; } .dot { fill: var(--c); } .cursor { visibility: hidden; }
      @media (prefers-color-scheme: dark) {
        svg { background: #1c2024; --s0: #5cb3f5; --s1: #ff8a50; --s2: #3fd0a0; }
        text { fill: #a2abb3; } .grid { stroke: #2a2f34; } .axis, .even { stroke: #a2abb3; }
      }
      </style>
      """;

  private final Map<String, List<Chart.Point>> curves = new TreeMap<>();
  private final Chart chart;

  private SparsityChart(List<KernelResult> results) {
    for (KernelResult result : results) {
      if (result.isSparse() && Double.isFinite(result.timesPeer())) {
        curves
            .computeIfAbsent(family(result), name -> new ArrayList<>())
            .add(new Chart.Point(100 * (1 - result.operations() / 2), result.timesPeer()));
      }
    }
    curves.values().forEach(curve -> curve.sort(Comparator.comparingDouble(Chart.Point::x)));
    double low = 0.9 * Math.min(0.5, times().min().orElse(1));
    double high = 1.1 * Math.max(2, times().max().orElse(1));
    chart =
        new Chart(
            "How many times as fast as the dense product, by share of zeros",
            new Chart.Axis(
                "zeros in the weight, %",
                48, 100, false, List.of(50.0, 60.0, 70.0, 80.0, 90.0, 95.0, 99.0), Ticks::text),
            new Chart.Axis(
                "times as fast as dense",
                low,
                high,
                true,
                Ticks.between(low, high),
                value -> Ticks.text(value) + "x"),
            WIDTH,
            HEIGHT);
  }

  /** For the page; empty where no sparse product was measured beside a dense one. */
  static String draw(List<KernelResult> results) {
    SparsityChart all = new SparsityChart(results);
    return all.curves.isEmpty() ? "" : all.svg();
  }

  /**
   * A file of its own.
   *
   * @throws IllegalArgumentException if no sparse product was measured beside a dense one
   */
  static String picture(List<KernelResult> results) {
    SparsityChart all = new SparsityChart(results);
    if (all.curves.isEmpty()) {
      throw new IllegalArgumentException(
          "--svg: no sparse product was measured beside a peer's dense one");
    }
    String svg = all.svg();
    int content = svg.indexOf('>') + 1;
    return svg.substring(0, content - 1)
        + " xmlns='http://www.w3.org/2000/svg'>\n"
        + STYLE
        + svg.substring(content).replace("><", ">\n<")
        + "\n";
  }

  /** A sentence per format: from where on it wins, as far as that was measured. */
  static List<String> sentences(List<KernelResult> results) {
    List<String> sentences = new ArrayList<>();
    new SparsityChart(results)
        .curves.forEach(
            (name, curve) -> {
              Double first = crossing(curve);
              Chart.Point best =
                  curve.stream().max(Comparator.comparingDouble(Chart.Point::y)).orElseThrow();
              sentences.add(
                  first == null
                      ? format(
                          "%s never does: at most %s times as fast, with %s %% zeros.",
                          name, Ticks.text(best.y()), Ticks.text(best.x()))
                      : format(
                          "%s does from %s %% zeros on, of those measured; %s times as fast with %s %%.",
                          name, Ticks.text(first), Ticks.text(best.y()), Ticks.text(best.x())));
            });
    return sentences;
  }

  /** The least share from which on every measured one is faster than dense. */
  private static Double crossing(List<Chart.Point> curve) {
    Double first = null;
    for (int i = curve.size() - 1; i >= 0 && curve.get(i).y() > 1; i--) {
      first = curve.get(i).x();
    }
    return first;
  }

  private java.util.stream.DoubleStream times() {
    return curves.values().stream().flatMap(List::stream).mapToDouble(Chart.Point::y);
  }

  /** The format that a case's name begins with. */
  private static String family(KernelResult result) {
    String name = result.name().replaceFirst("^product\\.", "");
    return name.equals("2:4")
        ? name
        : name.replaceFirst("\\d+$", "").toUpperCase(java.util.Locale.ROOT);
  }

  private String svg() {
    StringBuilder svg = new StringBuilder(chart.open("sparsity"));
    svg.append(
        format(
            "<line class='even' x1='%.1f' x2='%.1f' y1='%.1f' y2='%.1f'/>"
                + "<text x='%.1f' y='%.1f'>dense product</text>",
            chart.left(48),
            chart.left(100),
            chart.top(1),
            chart.top(1),
            chart.left(48) + 8,
            chart.top(1) - 6));
    int colour = 0;
    for (Map.Entry<String, List<Chart.Point>> curve : curves.entrySet()) {
      String name = escape(curve.getKey());
      svg.append(chart.curve(name, "--c:var(--s" + colour++ % 3 + ")", curve.getValue(), true));
      Chart.Point last = curve.getValue().get(curve.getValue().size() - 1);
      boolean alone = curve.getValue().size() == 1;
      svg.append(
          format(
              "<text x='%.1f' y='%.1f' text-anchor='%s'>%s</text>",
              chart.left(last.x()) + (alone ? 8 : -8),
              chart.top(last.y()) + (alone ? 4 : -8),
              alone ? "start" : "end",
              name));
    }
    return svg.append(chart.close()).toString();
  }
}
