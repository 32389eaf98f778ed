package org.fettle.page;

import java.util.ArrayList;
import java.util.List;

/** Finds room for names beside points. A name without room is left out. */
public final class Names {
  private static final double LETTER_WIDTH = 7.3;
  private static final double HEIGHT = 12;
  private static final double GAP = 11;
  private static final double LEFT_END = 54;

  private final double rightEnd;
  private final List<Box> taken = new ArrayList<>();

  private record Box(double left, double right, double top, double bottom) {
    boolean overlaps(Box other) {
      return left < other.right && other.left < right && top < other.bottom && other.top < bottom;
    }
  }

  /** Names in a drawing of that width. */
  public Names(int width) {
    rightEnd = width - 4;
  }

  /** Nothing is to cover the point there. */
  public void keepFree(double x, double y) {
    taken.add(new Box(x - 6, x + 6, y - 6, y + 6));
  }

  /** The text element for the point there, or an empty text. */
  public String place(String name, double x, double y) {
    double width = LETTER_WIDTH * name.length();
    for (double down : new double[] {0, 9, -9, 16, -16, 24, -24}) {
      for (boolean leftwards : new boolean[] {false, true}) {
        double left = leftwards ? x - GAP - width : x + GAP;
        Box box = new Box(left, left + width, y + down - HEIGHT / 2, y + down + HEIGHT / 2);
        if (left >= LEFT_END
            && left + width <= rightEnd
            && taken.stream().noneMatch(box::overlaps)) {
          taken.add(box);
          return Markup.format(
              "<text x='%.1f' y='%.1f' text-anchor='%s'>%s</text>",
              leftwards ? x - GAP : x + GAP, y + down + 4, leftwards ? "end" : "start", name);
        }
      }
    }
    return "";
  }
}
