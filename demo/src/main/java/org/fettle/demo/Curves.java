package org.fettle.demo;

import static org.fettle.page.Markup.format;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import java.util.stream.DoubleStream;
import org.fettle.page.Chart;

/** The charts of a family. */
final class Curves {
  /** The accuracy axis starts at most that far below the best row. */
  private static final double ACCURACY_RANGE = 0.12;

  private final List<Result> results;
  private final Family family;
  private final Html html;
  private final String id;
  private final Chart.Axis epochs;

  Curves(Family family, Html html) {
    this.family = family;
    results = html.compared(family);
    this.html = html;
    id = "-" + family.id();
    double last = results.stream().mapToInt(result -> result.accuracy().size()).max().orElse(1);
    epochs =
        new Chart.Axis(
            "epoch", 0, last, false, ticks(0, last, Math.ceil(last / 12)), Curves::whole);
  }

  String legend() {
    StringBuilder legend = new StringBuilder();
    for (Result result : results) {
      legend.append(
          format(
              "<button type='button' aria-pressed='true' data-name='%s'><svg viewBox='0 0 26 8'"
                  + " aria-hidden='true'><line class='key' style='%s' x1='0' x2='26' y1='4' y2='4'/>"
                  + "</svg>%s</button>",
              result.row().name(), html.style(result, family), result.row().name()));
    }
    return legend.toString();
  }

  String loss() {
    double low = values(Result::loss).filter(value -> value > 0).min().orElse(0.1);
    double high = Math.max(2 * low, values(Result::loss).max().orElse(1));
    List<Double> ticks =
        DoubleStream.of(0.01, 0.02, 0.03, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1, 1.5, 2, 3, 5)
            .filter(tick -> tick >= 0.95 * low && tick <= 1.05 * high)
            .boxed()
            .toList();
    Chart chart =
        new Chart(
            "Training loss by epoch; the values at the end are in the table",
            epochs,
            new Chart.Axis("loss", 0.95 * low, 1.05 * high, true, ticks, Curves::decimals));
    return draw(chart, "loss" + id, Result::loss, false);
  }

  String accuracy() {
    Chart chart =
        new Chart(
            "Test accuracy by epoch; the values at the end are in the table",
            epochs,
            accuracies(
                values(Result::accuracy).min().orElse(0),
                values(Result::accuracy).max().orElse(1)));
    return draw(chart, "accuracy" + id, Result::accuracy, true);
  }

  private String draw(
      Chart chart, String name, Function<Result, List<Result.Point>> curve, boolean dotted) {
    StringBuilder svg = new StringBuilder(chart.open(name));
    for (Result result : results) {
      svg.append(
          chart.curve(
              result.row().name(),
              html.style(result, family),
              points(curve.apply(result)),
              dotted));
    }
    return svg.append(chart.close()).toString();
  }

  private static List<Chart.Point> points(List<Result.Point> curve) {
    return curve.stream().map(point -> new Chart.Point(point.epoch(), point.value())).toList();
  }

  private DoubleStream values(Function<Result, List<Result.Point>> curve) {
    return results.stream()
        .flatMap(result -> curve.apply(result).stream())
        .mapToDouble(Result.Point::value)
        .filter(Double::isFinite);
  }

  static Chart.Axis accuracies(double worst, double best) {
    double low = Math.max(worst, best - ACCURACY_RANGE);
    double span = best - low;
    double step = span > 0.3 ? 0.1 : span > 0.06 ? 0.02 : span > 0.02 ? 0.01 : 0.005;
    double bottom = Math.max(0, Math.floor(low / step) * step);
    double top = Math.ceil((best + 1e-9) / step) * step;
    String format = step < 0.01 ? "%.1f %%" : "%.0f %%";
    return new Chart.Axis(
        "accuracy",
        bottom,
        top,
        false,
        ticks(bottom, top, step),
        value -> format(isRound(value, step) ? format : "%.2f %%", 100 * value));
  }

  private static boolean isRound(double value, double step) {
    return Math.abs(value / step - Math.rint(value / step)) < 1e-6;
  }

  static List<Double> ticks(double low, double high, double step) {
    List<Double> ticks = new ArrayList<>();
    for (int i = 0; low + i * step <= high + 1e-9; i++) {
      ticks.add(low + i * step);
    }
    return ticks;
  }

  static String whole(double value) {
    return format(isRound(value, 1) ? "%.0f" : "%.2f", value);
  }

  private static String decimals(double value) {
    return format(isRound(value, 0.1) ? "%.1f" : isRound(value, 0.01) ? "%.2f" : "%.3f", value);
  }
}
