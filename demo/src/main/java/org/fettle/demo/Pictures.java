package org.fettle.demo;

import static org.fettle.page.Markup.escape;
import static org.fettle.page.Markup.format;

import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/** The images of the page: examples, mistakes, weights. */
final class Pictures {
  private static final int EXAMPLES = 30;
  private static final int UNITS = 14;
  private static final int MOST_STRIPS = 12;
  private static final int STRIPS_OF_FAMILY = 4;

  /** A matrix of more classes is not readable. */
  private static final int MOST_CLASSES = 12;

  private final Dataset data;
  private final List<Result> results;
  private final Result best;
  private final Html html;

  Pictures(Dataset data, List<Result> results, Result best, Html html) {
    this.data = data;
    this.results = results;
    this.best = best;
    this.html = html;
  }

  /** The first test images, as they come. */
  String first() {
    return examples(IntStream.range(0, Math.min(EXAMPLES, data.test().count())));
  }

  /** The test images that the fewest rows get right, in their own order. */
  String hard() {
    return examples(
        IntStream.range(0, data.test().count())
            .boxed()
            .sorted(Comparator.comparingInt(this::right))
            .limit(EXAMPLES)
            .sorted()
            .mapToInt(Integer::intValue));
  }

  /** How many test images no row gets right. */
  long neverRight() {
    return IntStream.range(0, data.test().count()).filter(image -> right(image) == 0).count();
  }

  private int right(int image) {
    int right = 0;
    for (Result result : results) {
      right += result.predictions()[image] == data.test().label(image) ? 1 : 0;
    }
    return right;
  }

  private String examples(IntStream images) {
    StringBuilder out = new StringBuilder();
    images.forEach(image -> out.append(example(image)));
    return out.toString();
  }

  private String example(int image) {
    Dataset.Images test = data.test();
    int label = test.label(image);
    int guess = best.predictions()[image];
    StringBuilder dots = new StringBuilder();
    for (Result result : results) {
      int own = result.predictions()[image];
      dots.append(
          format(
              "<i%s style='%s' title='%s: %s'></i>",
              own == label ? " class='hit'" : "",
              html.style(result),
              result.row().name(),
              escape(data.classes().get(own))));
    }
    byte[] pixels =
        Arrays.copyOfRange(test.pixels(), image * test.size(), (image + 1) * test.size());
    return format(
        "<figure class='example%s'><img src='%s' alt='%s' loading='lazy'>"
            + "<span class='guess'>%s&nbsp;%s</span>%s"
            + "<span class='dots' role='img' aria-label='%d of %d rows are right'>%s</span></figure>%n",
        guess == label ? "" : " miss",
        Png.grey(test.width(), test.height(), pixels),
        escape(data.classes().get(label)),
        guess == label ? "✓" : "✗",
        escape(data.classes().get(guess)),
        guess == label
            ? ""
            : "<span class='truth'>is: " + escape(data.classes().get(label)) + "</span>",
        right(image),
        results.size(),
        dots);
  }

  /** What the best row takes for what. */
  String confusion() {
    int classes = data.classes().size();
    if (classes > MOST_CLASSES) {
      return "<p>There are too many classes for a table.</p>";
    }
    int[][] count = new int[classes][classes];
    int[] total = new int[classes];
    for (int i = 0; i < data.test().count(); i++) {
      count[data.test().label(i)][best.predictions()[i]]++;
      total[data.test().label(i)]++;
    }
    StringBuilder out = new StringBuilder();
    out.append(
        format(
            "<p>By row <b>%s</b>. Down: what the image shows; across: what the network says. A line"
                + " adds up to 100 %%.</p><table class='confusion'><thead><tr><td class='corner'></td>",
            best.row().name()));
    for (String name : data.classes()) {
      out.append(format("<th scope='col'>%s</th>", escape(name)));
    }
    out.append("</tr></thead><tbody>");
    for (int i = 0; i < classes; i++) {
      out.append(format("<tr><th scope='row'>%s</th>", escape(data.classes().get(i))));
      for (int j = 0; j < classes; j++) {
        double share = total[i] == 0 ? 0 : (double) count[i][j] / total[i];
        out.append(
            format(
                "<td%s>%s</td>",
                share < 0.0005
                    ? " class='zero'"
                    : format(
                        " style='background:rgba(var(--%s),%.2f)'",
                        i == j ? "good" : "heat", i == j ? 0.15 + 0.5 * share : Math.sqrt(share)),
                format(share < 0.0995 ? "%.1f" : "%.0f", 100 * share)));
      }
      out.append("</tr>");
    }
    return out.append("</tbody></table>").toString();
  }

  /** The same units of the first layer in every row: those with the largest weights overall. */
  String filters() {
    int size = data.test().size();
    int units = results.get(0).firstLayer().length / size;
    double[] norms = new double[units];
    for (Result result : results) {
      for (int i = 0; i < result.firstLayer().length; i++) {
        norms[i / size] += (double) result.firstLayer()[i] * result.firstLayer()[i];
      }
    }
    int[] chosen =
        IntStream.range(0, units)
            .boxed()
            .sorted(Comparator.comparingDouble(unit -> -norms[unit]))
            .limit(UNITS)
            .mapToInt(Integer::intValue)
            .toArray();
    StringBuilder out = new StringBuilder();
    for (Result result : shown()) {
      out.append(
          format(
              "<span><span class='swatch%s' style='%s'></span>%s</span>"
                  + "<img src='%s' alt='Weights of %d units of row %s as images'>%n",
              html.hollow(result) ? " hollow" : "",
              html.style(result),
              result.row().name(),
              strip(result.firstLayer(), chosen),
              chosen.length,
              result.row().name()));
    }
    return out.toString();
  }

  /** The first rows of each family, where there are many. */
  private List<Result> shown() {
    return results.size() <= MOST_STRIPS
        ? results
        : html.families().stream()
            .flatMap(family -> html.of(family).stream().limit(STRIPS_OF_FAMILY))
            .toList();
  }

  /** Orange where a bright pixel excites the unit, blue where it inhibits; strong is opaque. */
  private String strip(float[] weights, int[] units) {
    int width = data.test().width();
    int height = data.test().height();
    int gap = 2;
    int across = units.length * (width + gap) - gap;
    byte[] pixels = new byte[across * height * 4];
    for (int u = 0; u < units.length; u++) {
      int from = units[u] * width * height;
      double largest = 1e-12;
      for (int i = 0; i < width * height; i++) {
        largest = Math.max(largest, Math.abs(weights[from + i]));
      }
      for (int i = 0; i < width * height; i++) {
        float weight = weights[from + i];
        int at = 4 * (i / width * across + u * (width + gap) + i % width);
        int colour = weight > 0 ? 0xe8702a : 0x2f86d6;
        pixels[at] = (byte) (colour >> 16);
        pixels[at + 1] = (byte) (colour >> 8);
        pixels[at + 2] = (byte) colour;
        pixels[at + 3] = (byte) Math.round(255 * Math.abs(weight) / largest);
      }
    }
    return Png.rgba(across, height, pixels);
  }
}
