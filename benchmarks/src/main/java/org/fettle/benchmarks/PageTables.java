package org.fettle.benchmarks;

import static org.fettle.page.Markup.escape;
import static org.fettle.page.Markup.format;

import java.util.List;
import java.util.Map;

/** The tables below the charts. */
final class PageTables {
  private static final double BAR = 70;

  private PageTables() {}

  /** What memory bounds. */
  static String ofElements(List<Entry> entries) {
    StringBuilder rows = new StringBuilder();
    for (Entry entry : entries) {
      Entry.Mark ours = entry.marks().get(Who.FETTLE);
      rows.append(
          format(
              "%s<td class='number'>%d</td>"
                  + "<td class='number'>%s</td><td class='number'>%s</td><td class='number'>%s</td>"
                  + "<td>%s</td><td>%s</td><td>%s</td></tr>%n",
              start(entry),
              entry.threads(),
              Ticks.text(entry.bytes()),
              number(ours == null ? Double.NaN : ours.nanos()),
              number(ours == null ? Double.NaN : entry.bytes() / ours.nanos()),
              bar(entry.ofCeiling()),
              escape(entry.goal()),
              speedUps(entry)));
    }
    return rows.toString();
  }

  /** Products of matrices. */
  static String ofProducts(List<Entry> entries) {
    StringBuilder rows = new StringBuilder();
    for (Entry entry : entries) {
      Entry.Mark ours = entry.marks().get(Who.FETTLE);
      rows.append(
          format(
              "%s<td class='number'>%s</td>"
                  + "<td class='number'>%s</td><td class='number'>%s</td><td>%s</td></tr>%n",
              start(entry),
              number(ours == null ? Double.NaN : ours.intensity()),
              number(ours == null ? Double.NaN : ours.rate()),
              number(ours == null ? Double.NaN : 2 / ours.nanos()),
              speedUps(entry)));
    }
    return rows.toString();
  }

  private static String start(Entry entry) {
    return format(
        "<tr data-case='%s'><th scope='row'>%s</th>", escape(entry.title()), escape(entry.title()));
  }

  private static String bar(double share) {
    if (!Double.isFinite(share)) {
      return "";
    }
    return format(
        "<span class='bar' style='--c:var(--s0);width:%.0fpx'></span>%.2f",
        BAR * Math.min(share, 1.3), share);
  }

  private static String speedUps(Entry entry) {
    StringBuilder text = new StringBuilder();
    for (Map.Entry<Who, Double> one : entry.speedUps().entrySet()) {
      if (Double.isFinite(one.getValue())) {
        text.append(
            format(
                "<span class='times' style='%s'><b>%s</b> x %s%s</span>",
                one.getKey().style(),
                Ticks.text(one.getValue()),
                escape(one.getKey().title()),
                entry.peer().isEmpty() ? "" : " " + escape(entry.peer())));
      }
    }
    return text.toString();
  }

  private static String number(double value) {
    return Double.isFinite(value) ? Ticks.text(value) : "";
  }
}
