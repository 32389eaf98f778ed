package org.fettle.demo;

import java.io.PrintWriter;
import java.util.List;
import java.util.Locale;

/** The results as text. */
final class Table {
  private Table() {}

  static void print(PrintWriter out, List<Result> results, int nameWidth) {
    out.printf(
        "%-" + nameWidth + "s  %-16s  %9s  %7s  %8s  %7s  %10s  %10s  %8s%n",
        "",
        "",
        "test",
        "step",
        "ns per",
        "share",
        "state",
        "loss at",
        "bits");
    out.printf(
        "%-" + nameWidth + "s  %-16s  %9s  %7s  %8s  %7s  %10s  %10s  %8s%n",
        "row",
        "weights",
        "accuracy",
        "in all",
        "param.",
        "of time",
        "B / param.",
        "the end",
        "at end");
    for (Result result : results) {
      out.printf(
          Locale.ROOT,
          "%-" + nameWidth + "s  %-16s  %7.2f %%  %5.2f s  %8.2f  %5.1f %%  %10.2f  %10.4f  %8s%n",
          result.row().name(),
          result.row().format().label(),
          100 * result.finalAccuracy(),
          result.stepSeconds(),
          result.nanosPerParameter(),
          100 * result.stepShare(),
          result.stateBytesPerParameter(),
          result.finalLoss(),
          result.bitsInHex());
    }
  }
}
