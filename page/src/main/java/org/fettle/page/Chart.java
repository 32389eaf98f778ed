package org.fettle.page;

import static org.fettle.page.Markup.format;

import java.util.List;
import java.util.function.DoubleFunction;

/**
 * A frame with axes, into which curves and points are drawn as SVG.
 *
 * @param title what the chart shows, for those who cannot see it
 * @param x the horizontal axis
 * @param y the vertical axis
 * @param width of the drawing
 * @param height of the drawing
 */
public record Chart(String title, Axis x, Axis y, int width, int height) {
  private static final int LEFT = 52;
  private static final int RIGHT = 14;
  private static final int TOP = 14;
  private static final int BOTTOM = 44;

  /** A frame of the usual size. */
  public Chart(String title, Axis x, Axis y) {
    this(title, x, y, 560, 350);
  }

  /**
   * An axis.
   *
   * @param label what it measures
   * @param low the value at its start
   * @param high the value at its end
   * @param logarithmic whether equal factors are equally long
   * @param ticks where values are written
   * @param text how a value is written
   */
  public record Axis(
      String label,
      double low,
      double high,
      boolean logarithmic,
      List<Double> ticks,
      DoubleFunction<String> text) {

    /** Where a value lies, 0 to 1 within the frame. */
    public double at(double value) {
      return logarithmic
          ? Math.log(value / low) / Math.log(high / low)
          : (value - low) / (high - low);
    }
  }

  /**
   * A point of a curve.
   *
   * @param x its value on the horizontal axis
   * @param y its value on the vertical axis
   */
  public record Point(double x, double y) {}

  /** Where a value lies in the drawing, from the left. */
  public double left(double value) {
    return LEFT + x.at(value) * (width - LEFT - RIGHT);
  }

  /** Where a value lies in the drawing, from the top. */
  public double top(double value) {
    return height - BOTTOM - y.at(value) * (height - TOP - BOTTOM);
  }

  /** The start of the SVG, up to the frame's content. */
  public String open(String id) {
    StringBuilder svg = new StringBuilder();
    append(
        svg,
        "<svg id='%s' class='chart' viewBox='0 0 %d %d' role='img' aria-label='%s'>",
        id,
        width,
        height,
        title);
    append(
        svg,
        "<clipPath id='%s-frame'><rect x='%d' y='%d' width='%d' height='%d'/></clipPath>",
        id,
        LEFT,
        TOP - 4,
        width - LEFT - RIGHT + 6,
        height - TOP - BOTTOM + 4);
    for (double tick : y.ticks()) {
      append(
          svg,
          "<line class='grid' x1='%d' x2='%d' y1='%.1f' y2='%.1f'/>",
          LEFT,
          width - RIGHT,
          top(tick),
          top(tick));
      append(
          svg,
          "<text x='%d' y='%.1f' text-anchor='end'>%s</text>",
          LEFT - 8,
          top(tick) + 4,
          y.text().apply(tick));
    }
    for (double tick : x.ticks()) {
      append(
          svg,
          "<text x='%.1f' y='%d' text-anchor='middle'>%s</text>",
          left(tick),
          height - BOTTOM + 18,
          x.text().apply(tick));
    }
    append(
        svg,
        "<line class='axis' x1='%d' x2='%d' y1='%d' y2='%d'/>",
        LEFT,
        width - RIGHT,
        height - BOTTOM,
        height - BOTTOM);
    append(
        svg,
        "<text class='label' x='%d' y='%d' text-anchor='middle'>%s</text>",
        (LEFT + width - RIGHT) / 2,
        height - 6,
        x.label());
    append(svg, "<g clip-path='url(#%s-frame)'>", id);
    return svg.toString();
  }

  /** A curve, with dots or without; the values are kept for the readout under the pointer. */
  public String curve(String row, String style, List<Point> points, boolean dotted) {
    StringBuilder dots = new StringBuilder();
    StringBuilder at = new StringBuilder();
    StringBuilder values = new StringBuilder();
    for (Point point : points) {
      if (Double.isFinite(point.y()) && !(y.logarithmic() && point.y() <= 0)) {
        append(at, "%.1f,%.1f ", left(point.x()), top(point.y()));
        append(values, "%.3f:%s;", point.x(), y.text().apply(point.y()));
        if (dotted) {
          append(
              dots,
              "<circle class='dot' data-row='%s' style='%s' cx='%.1f' cy='%.1f' r='2.8'/>",
              row,
              style,
              left(point.x()),
              top(point.y()));
        }
      }
    }
    return format(
        "<polyline class='curve' data-row='%s' style='%s' points='%s' data-values='%s'/>%s",
        row, style, at.toString().strip(), values, dots);
  }

  /** A point, with the element that names it or an empty text. */
  public String point(
      String row, String style, boolean hollow, double atX, double atY, String name) {
    StringBuilder svg = new StringBuilder();
    append(
        svg,
        "<g class='point%s' data-row='%s' style='%s'><circle cx='%.1f' cy='%.1f' r='6'>"
            + "<title>%s: %s, %s</title></circle>",
        hollow ? " hollow" : "",
        row,
        style,
        left(atX),
        top(atY),
        row,
        x.text().apply(atX),
        y.text().apply(atY));
    return svg.append(name).append("</g>").toString();
  }

  /** The end of the SVG. */
  public String close() {
    return "</g><line class='cursor' y1='" + TOP + "' y2='" + (height - BOTTOM) + "'/></svg>";
  }

  private static void append(StringBuilder to, String format, Object... values) {
    to.append(Markup.format(format, values));
  }
}
