package org.fettle.benchmarks;

import static org.fettle.page.Markup.escape;
import static org.fettle.page.Markup.format;

import java.util.Comparator;
import java.util.List;

/** How many times as fast as each peer, one bar per task and peer. */
final class SpeedUps {
  private static final int NAMES = 330;
  private static final int WIDTH = 1120;
  private static final int ROW = 22;
  private static final int TOP = 26;

  private record Bar(Entry entry, Who who, double times) {}

  private SpeedUps() {}

  static String draw(List<Entry> entries) {
    List<Bar> bars =
        entries.stream()
            .flatMap(
                entry ->
                    entry.speedUps().entrySet().stream()
                        .map(one -> new Bar(entry, one.getKey(), one.getValue())))
            .filter(bar -> Double.isFinite(bar.times) && bar.times > 0)
            .sorted(
                Comparator.comparing(Bar::who).thenComparing(Bar::times, Comparator.reverseOrder()))
            .toList();
    if (bars.isEmpty()) {
      return "<p class='note'>No peer took part in this run.</p>";
    }
    double low = Math.min(0.2, 0.6 * bars.stream().mapToDouble(Bar::times).min().orElse(1));
    double high = Math.max(5, 1.6 * bars.stream().mapToDouble(Bar::times).max().orElse(1));
    int height = TOP + ROW * bars.size() + 30;
    StringBuilder svg = new StringBuilder();
    svg.append(
        format(
            "<svg id='speed-ups' class='chart' viewBox='0 0 %d %d' role='img' aria-label='How many times"
                + " as fast as a peer; the values are in the tables'>",
            WIDTH, height));
    for (double tick : Ticks.between(low, high)) {
      double x = left(tick, low, high);
      svg.append(
          format(
              "<line class='%s' x1='%.1f' x2='%.1f' y1='%d' y2='%d'/><text x='%.1f' y='%d'"
                  + " text-anchor='middle'>%sx</text>",
              tick == 1 ? "axis" : "grid",
              x,
              x,
              TOP - 4,
              height - 28,
              x,
              height - 10,
              Ticks.text(tick)));
    }
    double one = left(1, low, high);
    int row = 0;
    for (Bar bar : bars) {
      double x = left(bar.times, low, high);
      double y = TOP + ROW * row++;
      String peer = bar.entry.peer().isEmpty() ? "" : " " + bar.entry.peer();
      svg.append(
          format(
              "<g class='point' data-row='%s' data-case='%s' style='%s'><title>%s: %s times as fast as %s%s"
                  + "</title><text x='%d' y='%.1f' text-anchor='end'>%s</text><rect class='speed' x='%.1f'"
                  + " y='%.1f' width='%.1f' height='%d' rx='2'/><text x='%.1f' y='%.1f'"
                  + " text-anchor='%s'>%s</text></g>",
              escape(bar.who.title()),
              escape(bar.entry.title()),
              bar.who.style(),
              escape(bar.entry.title()),
              Ticks.text(bar.times),
              escape(bar.who.title()),
              escape(peer),
              NAMES - 8,
              y + 12,
              escape(shortened(bar.entry.title())),
              Math.min(x, one),
              y + 2,
              Math.max(1, Math.abs(x - one)),
              ROW - 8,
              x < one ? x - 5 : x + 5,
              y + 12,
              x < one ? "end" : "start",
              Ticks.text(bar.times)));
    }
    return svg.append("</svg>").toString();
  }

  private static double left(double times, double low, double high) {
    return NAMES + Math.log(times / low) / Math.log(high / low) * (WIDTH - NAMES - 40);
  }

  private static String shortened(String name) {
    return name.length() > 44 ? name.substring(0, 43) + "…" : name;
  }
}
