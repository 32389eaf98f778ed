package org.fettle.demo;

import java.util.List;
import java.util.function.ToDoubleFunction;
import org.fettle.page.Chart;
import org.fettle.page.Markup;
import org.fettle.page.Names;

/** Charts of bytes against accuracy, all rows together. */
final class Memory {
  private static final int WIDTH = 1120;
  private static final int HEIGHT = 470;

  /** Beyond that, bytes are drawn by factors. */
  private static final double LINEAR = 40;

  private final List<Result> results;
  private final Html html;

  Memory(List<Result> results, Html html) {
    this.results = results;
    this.html = html;
  }

  /** While training: weights, copies, masks, averages, states. */
  String training() {
    return draw("memory-training", "bytes per parameter while training", Result::bytesPerParameter);
  }

  /** Once trained. */
  String model() {
    return draw("memory-model", "bytes per parameter once trained", Result::modelBytesPerParameter);
  }

  String legend() {
    StringBuilder legend = new StringBuilder();
    for (Family family : html.families()) {
      legend.append(
          Markup.format(
              "<span><span class='swatch' style='%s'></span>%s</span>",
              html.familyStyle(family), family.title()));
    }
    return legend.toString();
  }

  private String draw(String id, String label, ToDoubleFunction<Result> bytes) {
    double most = results.stream().mapToDouble(bytes).max().orElse(1);
    double least = results.stream().mapToDouble(bytes).min().orElse(1);
    double best = results.stream().mapToDouble(Result::finalAccuracy).max().orElse(1);
    double worst = results.stream().mapToDouble(Result::finalAccuracy).min().orElse(0);
    Chart chart =
        new Chart(
            label + " and test accuracy of each row; the values are in the table",
            axis(label, least, most),
            Curves.accuracies(worst - 0.001, best + 0.001),
            WIDTH,
            HEIGHT);
    StringBuilder svg = new StringBuilder(chart.open(id));
    Names names = new Names(WIDTH);
    for (Result result : results) {
      names.keepFree(chart.left(bytes.applyAsDouble(result)), chart.top(result.finalAccuracy()));
    }
    for (Result result : results) {
      double x = bytes.applyAsDouble(result);
      String name = result.row().name();
      svg.append(
          chart.point(
              name,
              html.familyStyle(result),
              false,
              x,
              result.finalAccuracy(),
              names.place(name, chart.left(x), chart.top(result.finalAccuracy()))));
    }
    return svg.append(chart.close()).toString();
  }

  private static Chart.Axis axis(String label, double least, double most) {
    if (most > LINEAR || most > 8 * least) {
      List<Double> powers =
          List.of(0.0625, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0);
      double low = least / 1.3;
      double high = most * 1.3;
      return new Chart.Axis(
          label,
          low,
          high,
          true,
          powers.stream().filter(power -> power >= low && power <= high).toList(),
          value -> Markup.format("%.4f", value).replaceAll("\\.?0+$", ""));
    }
    double high = Math.ceil((most + 2) / 2) * 2;
    return new Chart.Axis(
        label, 0, high, false, Curves.ticks(0, high, high > 16 ? 4 : 2), Curves::whole);
  }
}
