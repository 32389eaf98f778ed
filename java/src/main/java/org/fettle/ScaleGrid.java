package org.fettle;

import java.util.Arrays;

/**
 * Which elements share a scale: tiles of a matrix whose columns are the last axis and whose rows
 * are all others together (a tensor of one axis is one row). Tiles at the lower and right edges may
 * be short.
 *
 * @param rows of a tile; 0 for all
 * @param columns of a tile; 0 for all
 */
public record ScaleGrid(long rows, long columns) {
  /** One scale for everything. */
  public static final ScaleGrid TENSOR = new ScaleGrid(0, 0);

  /** A scale per row. */
  public static final ScaleGrid ROW = new ScaleGrid(1, 0);

  /** A scale per column. */
  public static final ScaleGrid COLUMN = new ScaleGrid(0, 1);

  /** Checks the extents. */
  public ScaleGrid {
    Range.check("tile rows", rows, rows >= 0, ">= 0 (0 for all)");
    Range.check("tile columns", columns, columns >= 0, ">= 0 (0 for all)");
  }

  /** A scale per {@code size} consecutive elements of a row. */
  public static ScaleGrid group(long size) {
    Range.check("group size", size, size >= 1, ">= 1");
    return new ScaleGrid(1, size);
  }

  /** A scale per block of that many rows and columns. */
  public static ScaleGrid block(long rows, long columns) {
    Range.check("block rows", rows, rows >= 1, ">= 1");
    Range.check("block columns", columns, columns >= 1, ">= 1");
    return new ScaleGrid(rows, columns);
  }

  /** How many scales a tensor of that shape has. */
  public long scales(long... shape) {
    Matrix matrix = Matrix.of(shape);
    return count(matrix.rows(), rows) * count(matrix.columns(), columns);
  }

  private static long count(long extent, long tile) {
    if (tile == 0) {
      return extent == 0 ? 0 : 1;
    }
    return extent / tile + (extent % tile == 0 ? 0 : 1);
  }

  long tileRows(Matrix matrix) {
    return Math.max(1, rows == 0 ? matrix.rows() : Math.min(rows, Math.max(1, matrix.rows())));
  }

  long tileColumns(Matrix matrix) {
    return Math.max(
        1, columns == 0 ? matrix.columns() : Math.min(columns, Math.max(1, matrix.columns())));
  }

  /** A tensor as rows and columns. */
  record Matrix(long rows, long columns) {
    static Matrix of(long... shape) {
      long rows = 1;
      long elements = 1;
      for (int i = 0; i < shape.length; i++) {
        rows = elements;
        if (shape[i] < 0 || Math.multiplyHigh(elements, shape[i]) != 0 || elements * shape[i] < 0) {
          throw new IllegalArgumentException(
              "shape is "
                  + Arrays.toString(shape)
                  + ": expected extents of at most 2^63 - 1 elements");
        }
        elements *= shape[i];
      }
      return new Matrix(rows, shape.length == 0 ? 1 : shape[shape.length - 1]);
    }
  }
}
