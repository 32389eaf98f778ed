package org.fettle.demo;

import static org.fettle.demo.Html.percent;
import static org.fettle.page.Markup.escape;
import static org.fettle.page.Markup.format;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.fettle.page.Template;

/** The results as one self-contained HTML page. */
final class Page {
  private static final List<String> NUMBERS =
      List.of("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten");
  private static final double BAR_PIXELS_PER_BYTE = 5;
  private static final double LONGEST_BAR = 20;

  private final Dataset data;
  private final Settings settings;
  private final List<Result> results;
  private final Result best;
  private final double seconds;
  private final Html html;

  /**
   * A page.
   *
   * @param data what was learned
   * @param settings of all rows
   * @param results of the rows, at least one
   * @param seconds that all of it took
   */
  Page(Dataset data, Settings settings, List<Result> results, double seconds) {
    this.data = data;
    this.settings = settings;
    this.results = results;
    this.seconds = seconds;
    best = results.stream().max(Comparator.comparingDouble(Result::finalAccuracy)).orElseThrow();
    html = new Html(results);
  }

  /** Writes the page, with the folders that it needs. */
  void write(Path file) throws IOException {
    Template.write(file, text());
  }

  String text() throws IOException {
    Memory memory = new Memory(results, html);
    Pictures pictures = new Pictures(data, results, best, html);
    Map<String, String> parts = new LinkedHashMap<>();
    parts.put("title", title());
    parts.put("css", Template.css() + resource("demo.css"));
    parts.put("js", Template.legendScript() + resource("page.js"));
    parts.put("lede", lede());
    parts.put("facts", facts());
    parts.put("families", families());
    parts.put("memoryLegend", memory.legend());
    parts.put("trainingChart", memory.training());
    parts.put("modelChart", memory.model());
    parts.put("rows", rows());
    parts.put("tableNote", tableNote());
    parts.put("confusion", pictures.confusion());
    parts.put("first", pictures.first());
    parts.put("firstNote", firstNote());
    parts.put("hard", pictures.hard());
    parts.put("hardNote", hardNote(pictures.neverRight()));
    parts.put("filters", pictures.filters());
    parts.put("layerNote", layerNote());
    parts.put("how", how());
    parts.put("about", about());
    parts.put("machine", machine());
    return Template.fill(resource("page.html"), parts);
  }

  private static String resource(String name) throws IOException {
    return Template.resource(Page.class, name);
  }

  private String title() {
    int n = results.size();
    String number = n < NUMBERS.size() ? NUMBERS.get(n) : String.valueOf(n);
    return number + (n == 1 ? " way" : " ways") + " to step through one network";
  }

  private String lede() {
    return format(
            "A network of %,d parameters saw %,d %s %s, and then had to name %,d that it had never seen."
                + " %s The row <b>%s</b> names <b>%s</b> of them right. Of its training time, %.1f %%"
                + " went into the optimizer.",
            best.parameters(),
            data.train().count(),
            data.name().equals("Fashion-MNIST") ? "pictures of clothes" : "pictures",
            best.epochs() == 1 ? "once" : best.epochs() + " times",
            data.test().count(),
            results.size() == 1
                ? ""
                : "It was trained "
                    + results.size()
                    + " times from the same start, on the same pictures; what differs is the step that"
                    + " updates its weights, and what belongs to it."
                    + (results.stream().allMatch(result -> result.epochs() == settings.epochs())
                        ? ""
                        : " Some methods train more than once: their curves are longer."),
            best.row().name(),
            percent(best.finalAccuracy()),
            100 * best.stepShare())
        .replace(" %", "&nbsp;%");
  }

  private String facts() {
    StringBuilder facts = new StringBuilder();
    fact(facts, percent(best.finalAccuracy()), "best test accuracy");
    fact(facts, format("%,d", best.parameters()), "parameters");
    fact(
        facts,
        format("%,d", results.stream().mapToLong(Result::steps).sum()),
        "steps, all by Fettle");
    fact(facts, format("%.0f s", seconds), "for everything");
    fact(facts, escape(settings.backend().name()), "backend");
    return facts.toString();
  }

  private static void fact(StringBuilder to, String value, String what) {
    to.append(format("<li><b>%s</b>%s</li>", value, what));
  }

  private String families() throws IOException {
    String section = resource("family.html");
    StringBuilder families = new StringBuilder();
    for (Family family : html.families()) {
      Curves curves = new Curves(family, html);
      families.append(
          Template.fill(
              section,
              Map.of(
                  "id",
                  family.id(),
                  "title",
                  escape(family.title()),
                  "about",
                  escape(family.about()),
                  "legend",
                  curves.legend(),
                  "lossChart",
                  curves.loss(),
                  "accuracyChart",
                  curves.accuracy())));
    }
    return families.toString();
  }

  private String rows() {
    StringBuilder rows = new StringBuilder();
    for (Family family : html.families()) {
      if (html.families().size() > 1) {
        rows.append(
            format(
                "<tr class='family'><th scope='rowgroup' colspan='12'>%s</th></tr>%n",
                escape(family.title())));
      }
      html.of(family).forEach(result -> rows.append(row(result)));
    }
    return rows.toString();
  }

  private String row(Result result) {
    double bytes = result.stateBytesPerParameter();
    return format(
        "<tr data-name='%s'><th scope='row'><span class='swatch%s' style='%s'></span>%s</th>"
            + "<td>%s</td><td class='number%s'>%s</td><td class='number'>%.4f</td>"
            + "<td class='number'>%.2f</td><td class='number'>%.2f s</td>"
            + "<td class='number'>%.1f %%</td>"
            + "<td><span class='bar' style='%s;width:%.0fpx'></span>%s</td>"
            + "<td class='number'>%s</td><td class='number'>%s</td><td class='number'>%s</td>"
            + "<td><code>%s</code></td></tr>%n",
        result.row().name(),
        html.hollow(result) ? " hollow" : "",
        html.style(result),
        result.row().name(),
        Table.weights(result),
        result.equals(best) ? " best" : "",
        percent(result.finalAccuracy()),
        result.finalLoss(),
        result.nanosPerParameter(),
        result.stepSeconds(),
        100 * result.stepShare(),
        html.style(result),
        BAR_PIXELS_PER_BYTE * Math.min(bytes, LONGEST_BAR),
        trimmed(bytes),
        trimmed(result.bytesPerParameter()),
        trimmed(result.modelBytesPerParameter()),
        Table.density(result),
        result.row().sameBits() ? result.bitsInHex() : "(" + result.bitsInHex() + ")");
  }

  private static String trimmed(double value) {
    return format("%.2f", value).replaceAll("\\.?0+$", "");
  }

  private String tableNote() {
    return "One step is the median of all steps; the share is of the time for training, tests not"
        + " counted. State is what the optimizer remembers between steps, beside the weights"
        + " themselves; memory in training is both, with masks, averages and whatever a row keeps."
        + " A trained model has no states: of a sparse one the weights that are not 0 count, and one bit"
        + " for each weight that says where they are. The bits are a checksum over every bit of the parameters at the end: run"
        + " this again with <code>--backend java</code>, or with another <code>--threads</code>,"
        + " and they are the same, but for those in brackets: their steps have matrix products, which"
        + " each backend sums in an order of its own. A step's time is the optimizer's alone, without"
        + " gradients that are taken twice and without turning what is stored into what the network"
        + " reads. One run each, so a few tenths of a per cent between rows are"
        + " luck, and the learning rates come from a handful of trials: this shows that the steps"
        + " work, not which optimizer is best.";
  }

  private String firstNote() {
    return format(
        "The first pictures of the test, as they come, with what the row <b>%s</b> says. The dots"
            + " below are the rows in the order of the table: filled is right, empty is wrong.",
        best.row().name());
  }

  private String hardNote(long never) {
    return format(
        "Pictures that the fewest rows get right. %s",
        never == 0
            ? "Each is right in one row at least."
            : format("%,d of %,d are wrong in every row.", never, data.test().count()));
  }

  private String layerNote() {
    return "Each square is one unit of the first layer, as the picture of its weights: orange where a"
        + " bright pixel excites it, blue where it inhibits it. The columns are the same units in"
        + " every row, and all rows started from the same noise."
        + (results.stream().anyMatch(result -> result.row().stem().equals("lion"))
            ? " Lion moves every weight by the same amount, however small its gradient: at the border,"
                + " where pixels are nearly always black, its weights drift far."
            : "");
  }

  private String how() {
    String widths =
        data.train().size()
            + "–"
            + settings.hidden().stream().map(String::valueOf).collect(Collectors.joining("–"))
            + "–"
            + data.classes().size();
    return format(
        """
        <p>The network is a multilayer perceptron, %s, with ReLUs. Its forward and backward passes are
        matrix products of OpenBLAS and a little Java. In a plain row, what lies between the backward pass of one
        mini-batch (%d pictures) and the forward pass of the next is one call,
        <code>plan.step(step)</code>, and that is Fettle's part: it clips the gradients to a global norm
        of %.0f, moves the optimizer's states, decays the weights (not the biases: they are a group of
        their own), updates them, applies a mask or moves an average where a row has one, and rounds
        to the format in which the weights are stored. After the norm is known, all of that crosses
        memory once; LAMB, which wants a norm for each layer too, reads it once more. The learning rate rises linearly over the first %.0f %% of the steps and then falls
        along a cosine. A row of another family replaces one part of this, as its line below says: a step of
        its own stands in for the plan's and does not clip, products in INT8 for OpenBLAS's, or there is no
        schedule.</p>
        <p>A weight in bf16 has 8 significant bits. Late in training most updates are smaller than half
        the gap between two such values, and rounding to nearest throws them away. Stochastic rounding
        goes up or down with the probability of the distance, so that small updates count on average:
        the rows ending in <code>-bf16</code> keep no f32 copy of the weights at all. The random bits
        come from a counter, not from a stream, so they do not depend on threads either.</p>
        <p>The bits of a whole run repeat on the same machine. On another kind of CPU OpenBLAS sums in
        another order, and training amplifies the last bit of a gradient into other digits of the
        accuracy; Fettle's steps themselves have the same bits everywhere, unless they multiply matrices.</p>
        """,
        widths, settings.batch(), Settings.MAX_NORM, 100 * Settings.WARM_UP);
  }

  private String about() {
    StringBuilder about = new StringBuilder();
    for (Result result : results) {
      about.append(
          format(
              "<dt>%s</dt><dd>%s%s.<br><code>%s</code></dd>%n",
              result.row().name(),
              escape(result.row().about()),
              result.epochs() == settings.epochs() ? "" : "; " + result.epochs() + " epochs in all",
              escape(result.method())));
    }
    return about.toString();
  }

  private String machine() {
    StringBuilder machine = new StringBuilder();
    Machine.facts(settings)
        .forEach(
            (name, value) ->
                machine.append(format("<dt>%s</dt><dd>%s</dd>%n", escape(name), escape(value))));
    return machine.toString();
  }
}
