package org.fettle.demo;

import java.io.PrintWriter;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import org.fettle.page.Markup;

/** The results as text. */
final class Table {
  private Table() {}

  static void print(PrintWriter out, List<Result> all, int nameWidth) {
    List<Result> results =
        all.stream().sorted(Comparator.comparing(result -> result.row().family())).toList();
    String head = "%-" + nameWidth + "s  %-16s  %9s  %7s  %8s  %7s  %7s  %7s  %7s  %7s  %8s%n";
    out.printf(
        head, "", "", "test", "step", "ns per", "share", "state", "all", "model", "weights",
        "bits");
    out.printf(
        head,
        "row",
        "weights",
        "accuracy",
        "in all",
        "param.",
        "of time",
        "B/par.",
        "B/par.",
        "B/par.",
        "not 0",
        "at end");
    Family family = null;
    for (Result result : results) {
      if (result.row().family() != family) {
        family = result.row().family();
        out.println(family.title());
      }
      out.printf(
          Locale.ROOT,
          "%-"
              + nameWidth
              + "s  %-16s  %7.2f %%  %5.2f s  %8.2f  %5.1f %%  %7.2f  %7.2f  %7.2f  %7s  %8s%n",
          result.row().name(),
          weights(result),
          100 * result.finalAccuracy(),
          result.stepSeconds(),
          result.nanosPerParameter(),
          100 * result.stepShare(),
          result.stateBytesPerParameter(),
          result.bytesPerParameter(),
          result.modelBytesPerParameter(),
          density(result),
          result.bitsInHex());
    }
  }

  /** How weights are stored. */
  static String weights(Result result) {
    return result.row().label();
  }

  /** The share of weights that are not 0, where it matters. */
  static String density(Result result) {
    return result.row().family() == Family.SPARSE
        ? Markup.format("%.1f %%", 100 * result.footprint().density())
        : "";
  }
}
