package org.fettle.internal.algebra;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import org.fettle.DType;
import org.fettle.Tensor;
import org.fettle.internal.Engine;
import org.fettle.internal.Formats;

/**
 * A dense matrix of doubles on the heap, in row-major order, for the algebra of the matrix steps.
 */
public final class Matrix {
  private static final int TILE = 1 << 16;

  final int rows;
  final int columns;
  final double[] values;

  /** A matrix over that array, which it keeps. */
  public Matrix(int rows, int columns, double[] values) {
    if ((long) rows * columns != values.length) {
      throw new IllegalArgumentException(
          values.length + " values: expected " + rows + " x " + columns);
    }
    this.rows = rows;
    this.columns = columns;
    this.values = values;
  }

  /** A matrix of zeros. */
  public static Matrix zeros(int rows, int columns) {
    return new Matrix(rows, columns, new double[Math.multiplyExact(rows, columns)]);
  }

  /** A diagonal matrix. */
  public static Matrix diagonal(int size, double value) {
    Matrix matrix = zeros(size, size);
    for (int i = 0; i < size; i++) {
      matrix.set(i, i, value);
    }
    return matrix;
  }

  /** A copy of a tensor's values. */
  public static Matrix of(Engine engine, Tensor tensor, int rows, int columns) {
    return new Matrix(rows, columns, read(engine, tensor));
  }

  /**
   * A copy of a tensor's values, in a row.
   *
   * @throws IllegalArgumentException for more than an array holds
   */
  public static double[] read(Engine engine, Tensor tensor) {
    if (tensor.elements() > Integer.MAX_VALUE) {
      throw new IllegalArgumentException(
          tensor + ": expected at most " + Integer.MAX_VALUE + " elements");
    }
    DType dtype = tensor.dtype();
    double[] values = new double[Math.toIntExact(tensor.elements())];
    int size = dtype.bits() / 8;
    ByteBuffer tile = ByteBuffer.allocateDirect(TILE * size).order(ByteOrder.nativeOrder());
    for (int at = 0; at < values.length; at += TILE) {
      int n = Math.min(TILE, values.length - at);
      tile.clear().limit(n * size);
      engine.read(tensor, (long) at * size, tile);
      tile.flip();
      tile.order(ByteOrder.nativeOrder());
      for (int i = 0; i < n; i++) {
        values[at + i] =
            switch (dtype) {
              case F64 -> tile.getDouble(i * 8);
              case F32 -> tile.getFloat(i * 4);
              default -> Formats.decode(dtype, tile.getShort(i * 2));
            };
      }
    }
    return values;
  }

  /** Rounds values into a tensor, to nearest. */
  public static void write(Engine engine, Tensor tensor, double[] values) {
    DType dtype = tensor.dtype();
    int size = dtype.bits() / 8;
    ByteBuffer tile = ByteBuffer.allocateDirect(TILE * size).order(ByteOrder.nativeOrder());
    for (int at = 0; at < values.length; at += TILE) {
      int n = Math.min(TILE, values.length - at);
      tile.clear().limit(n * size);
      for (int i = 0; i < n; i++) {
        switch (dtype) {
          case F64 -> tile.putDouble(i * 8, values[at + i]);
          case F32 -> tile.putFloat(i * 4, (float) values[at + i]);
          default -> tile.putShort(i * 2, Formats.nearest(dtype, (float) values[at + i]));
        }
      }
      engine.write(tensor, (long) at * size, tile);
    }
  }

  /** Rounds the values into a tensor, to nearest. */
  public void writeTo(Engine engine, Tensor tensor) {
    write(engine, tensor, values);
  }

  /** The number of rows. */
  public int rows() {
    return rows;
  }

  /** The number of columns. */
  public int columns() {
    return columns;
  }

  /** The values themselves, row by row. */
  public double[] values() {
    return values;
  }

  /** An element. */
  public double get(int row, int column) {
    return values[row * columns + column];
  }

  /** Replaces an element. */
  public void set(int row, int column, double value) {
    values[row * columns + column] = value;
  }

  /** This becomes {@code a * this + b * other}. */
  public Matrix mix(double a, double b, Matrix other) {
    for (int i = 0; i < values.length; i++) {
      values[i] = a * values[i] + b * other.values[i];
    }
    return this;
  }

  /** This becomes {@code a * this}. */
  public Matrix scale(double a) {
    for (int i = 0; i < values.length; i++) {
      values[i] = a * values[i];
    }
    return this;
  }

  /** Column j is multiplied by {@code factors[j]}. */
  public Matrix scaleColumns(double[] factors) {
    for (int i = 0; i < rows; i++) {
      for (int j = 0; j < columns; j++) {
        values[i * columns + j] *= factors[j];
      }
    }
    return this;
  }

  /** Adds to the diagonal. */
  public Matrix addToDiagonal(double value) {
    for (int i = 0; i < Math.min(rows, columns); i++) {
      values[i * columns + i] += value;
    }
    return this;
  }

  /** The sum of the diagonal. */
  public double trace() {
    double sum = 0;
    for (int i = 0; i < Math.min(rows, columns); i++) {
      sum += values[i * columns + i];
    }
    return sum;
  }

  /** The square root of the sum of squares. */
  public double norm() {
    double sum = 0;
    for (double value : values) {
      sum += value * value;
    }
    return Math.sqrt(sum);
  }

  /** Rows become columns. */
  public Matrix transposed() {
    Matrix result = zeros(columns, rows);
    for (int i = 0; i < rows; i++) {
      for (int j = 0; j < columns; j++) {
        result.values[j * rows + i] = values[i * columns + j];
      }
    }
    return result;
  }

  /** The columns of those numbers, in that order. */
  public Matrix columnsAt(int[] order) {
    Matrix result = zeros(rows, order.length);
    for (int i = 0; i < rows; i++) {
      for (int j = 0; j < order.length; j++) {
        result.values[i * order.length + j] = values[i * columns + order[j]];
      }
    }
    return result;
  }

  /** The rows of those numbers, in that order. */
  public Matrix rowsAt(int[] order) {
    Matrix result = zeros(order.length, columns);
    for (int i = 0; i < order.length; i++) {
      System.arraycopy(values, order[i] * columns, result.values, i * columns, columns);
    }
    return result;
  }

  /** A copy. */
  public Matrix copy() {
    return new Matrix(rows, columns, values.clone());
  }

  /** Whether no value is infinite or NaN. */
  public boolean isFinite() {
    return Arrays.stream(values).allMatch(Double::isFinite);
  }
}
