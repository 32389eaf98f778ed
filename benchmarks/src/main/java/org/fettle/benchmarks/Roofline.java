package org.fettle.benchmarks;

import static org.fettle.page.Markup.escape;
import static org.fettle.page.Markup.format;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.stream.DoubleStream;
import java.util.stream.Stream;
import org.fettle.page.Chart;

/** Rates against work per byte, below the lines that memory and arithmetic draw. */
final class Roofline {
  private static final int WIDTH = 1120;
  private static final int HEIGHT = 560;
  private static final double MARGIN = 1.6;

  /** Bytes per element that are written on the axis, so that no two stand too close. */
  private static final double CLOSEST = 1.12;

  /** About how wide a letter of a line's name is. */
  private static final double LETTER = 7;

  /** A line of the roof: {@code rate = slope * intensity}, or level where the slope is 0. */
  private record Line(String name, double slope, double level, boolean dashed) {
    double at(double intensity) {
      return slope > 0 ? slope * intensity : level;
    }

    boolean isKnown() {
      return slope > 0 || level > 0;
    }
  }

  private final String id;
  private final List<Entry> entries;
  private final List<Line> lines;
  private final Chart chart;

  private Roofline(String id, List<Entry> entries, List<Line> lines, String label, boolean bytes) {
    this.id = id;
    this.entries = entries;
    this.lines = lines.stream().filter(Line::isKnown).toList();
    double left = intensities().min().orElse(1) / MARGIN;
    double right = intensities().max().orElse(1) * MARGIN;
    double low = rates().min().orElse(1) / MARGIN;
    // The level lines are always seen; sloping ones leave the frame at its top.
    double high =
        MARGIN
            * Math.max(
                rates().max().orElse(1),
                this.lines.stream().mapToDouble(Line::level).max().orElse(0));
    chart =
        new Chart(
            "Roofline: rate against work per byte; the values are in the tables",
            new Chart.Axis(
                label,
                left,
                right,
                true,
                bytes ? bytesPerElement() : Ticks.between(left, right),
                bytes ? x -> Ticks.text(1 / x) + " B" : Ticks::text),
            new Chart.Axis("rate", low, high, true, Ticks.between(low, high), Ticks::text),
            WIDTH,
            HEIGHT);
  }

  /** Steps and kernels whose operations nobody counts: a unit of work is an element. */
  static String ofElements(List<Entry> entries, Ceilings ceilings) {
    List<Line> lines = new ArrayList<>();
    if (ceilings != null) {
      lines.add(
          new Line(
              memory("main memory, one thread", ceilings.memory()), ceilings.memory(), 0, false));
      if (ceilings.threads() > 1) {
        lines.add(
            new Line(
                memory("main memory, " + ceilings.threads() + " threads", ceilings.memoryOfAll()),
                ceilings.memoryOfAll(),
                0,
                true));
      }
      lines.add(new Line(memory("cache, one thread", ceilings.cache()), ceilings.cache(), 0, true));
      lines.add(
          new Line(
              "one division and one square root per element: "
                  + Ticks.text(ceilings.divisions())
                  + " billion a second",
              0,
              ceilings.divisions(),
              false));
    }
    return new Roofline(
            "elements",
            entries,
            lines,
            "bytes that every element has to move (fewer to the right: more work per byte)",
            true)
        .draw();
  }

  /** Products of matrices, in operations. */
  static String ofProducts(List<Entry> entries, Ceilings ceilings) {
    List<Line> lines = new ArrayList<>();
    if (ceilings != null) {
      lines.add(new Line(memory("main memory", ceilings.memory()), ceilings.memory(), 0, false));
      lines.add(level("multiply-adds in f32", ceilings.multiplyAdds(), false));
      lines.add(level("products of bytes (VNNI)", ceilings.byteProducts(), false));
    }
    return new Roofline(
            "products", entries, lines, "operations per byte of operands and result", false)
        .draw();
  }

  private static Line level(String name, double gigaOperations, boolean dashed) {
    return new Line(
        name + ": " + Ticks.text(gigaOperations) + " billion a second", 0, gigaOperations, dashed);
  }

  private static String memory(String name, double gigabytes) {
    return name + ": " + Ticks.text(gigabytes) + " GB/s";
  }

  private DoubleStream intensities() {
    return marks().mapToDouble(Entry.Mark::intensity);
  }

  private DoubleStream rates() {
    return marks().mapToDouble(Entry.Mark::rate);
  }

  private Stream<Entry.Mark> marks() {
    return entries.stream().flatMap(entry -> entry.marks().values().stream());
  }

  /** The intensities that occur, without those that would cover another's text. */
  private List<Double> bytesPerElement() {
    List<Double> ticks = new ArrayList<>();
    intensities()
        .sorted()
        .forEach(
            x -> {
              if (ticks.isEmpty() || x / ticks.get(ticks.size() - 1) > CLOSEST) {
                ticks.add(x);
              }
            });
    return ticks;
  }

  private String draw() {
    StringBuilder svg = new StringBuilder(chart.open(id));
    lines.forEach(line -> svg.append(line(line)));
    // Peers first, so that ours is never hidden.
    List<Who> backwards = new ArrayList<>(List.of(Who.values()));
    Collections.reverse(backwards);
    for (Who who : backwards) {
      for (Entry entry : entries) {
        Entry.Mark mark = entry.marks().get(who);
        if (mark != null) {
          svg.append(mark(entry, who, mark));
        }
      }
    }
    return svg.append(chart.close()).toString();
  }

  private String line(Line line) {
    double left = chart.x().low();
    double right = chart.x().high();
    // Where a sloping line leaves the frame at the bottom or the top.
    double from = line.slope > 0 ? Math.max(left, chart.y().low() / line.slope) : left;
    double to = line.slope > 0 ? Math.min(right, chart.y().high() / line.slope) : right;
    if (from >= to) {
      return "";
    }
    double x1 = chart.left(from);
    double y1 = chart.top(line.at(from));
    double x2 = chart.left(to);
    double y2 = chart.top(line.at(to));
    double angle = Math.toDegrees(Math.atan2(y2 - y1, x2 - x1));
    // Sloping lines are named near their upper end, or from their start where they are too short
    // for that; level ones
    // below their right end, where slopes have left the frame.
    boolean slopes = line.slope > 0;
    boolean fromStart = slopes && x2 - x1 < LETTER * line.name.length();
    double share = fromStart ? 0.02 : slopes ? 0.9 : 0.99;
    double textX = x1 + share * (x2 - x1);
    double textY = y1 + share * (y2 - y1) + (slopes && !line.dashed ? -6 : 15);
    return format(
            "<line class='roof' x1='%.1f' y1='%.1f' x2='%.1f' y2='%.1f' style='--d:%s'/>",
            x1, y1, x2, y2, line.dashed ? "6 5" : "none")
        + format(
            "<text class='roof-name' x='%.1f' y='%.1f' text-anchor='%s'"
                + " transform='rotate(%.2f %.1f %.1f)'>%s</text>",
            textX, textY, fromStart ? "start" : "end", angle, textX, textY, escape(line.name));
  }

  private String mark(Entry entry, Who who, Entry.Mark mark) {
    String work = entry.product() ? "operations" : "elements";
    String whose =
        who.title() + (who.isPeer() && !entry.peer().isEmpty() ? ": " + entry.peer() : "");
    return format(
        "<g class='point%s' data-row='%s' data-case='%s' style='%s'>"
            + "<circle cx='%.1f' cy='%.1f' r='5'><title>%s, %s: %s billion %s per second</title></circle></g>",
        entry.threads() > 1 ? " hollow" : "",
        escape(who.title()),
        escape(entry.title()),
        who.style(),
        chart.left(mark.intensity()),
        chart.top(mark.rate()),
        escape(entry.title()),
        escape(whose),
        Ticks.text(mark.rate()),
        work);
  }

  /** Who is there, as buttons. */
  static String legend(List<Entry> entries) {
    StringBuilder legend = new StringBuilder();
    for (Who who : Who.values()) {
      if (entries.stream().map(Entry::marks).map(Map::keySet).anyMatch(all -> all.contains(who))) {
        legend.append(
            format(
                "<button type='button' aria-pressed='true' data-name='%s'><span class='swatch'"
                    + " style='%s'></span>%s</button>",
                escape(who.title()), who.style(), escape(who.title())));
      }
    }
    return legend.toString();
  }
}
