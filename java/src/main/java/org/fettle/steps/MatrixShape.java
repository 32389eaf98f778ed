package org.fettle.steps;

import org.fettle.Tensor;

/** A tensor seen as a matrix: the first axis, and all others taken together. */
record MatrixShape(int rows, int columns) {
  private static final int MOST = 1 << 30;

  static MatrixShape of(String name, Tensor tensor) {
    long[] shape = tensor.shape();
    if (shape.length < 2) {
      throw new IllegalArgumentException(
          name + " is " + tensor + ": expected two axes or more, a matrix");
    }
    long columns = 1;
    for (int i = 1; i < shape.length; i++) {
      columns *= shape[i];
    }
    if (shape[0] > MOST || columns > MOST || shape[0] * columns > MOST) {
      throw new IllegalArgumentException(
          name + " is " + tensor + ": expected at most " + MOST + " elements");
    }
    return new MatrixShape((int) shape[0], (int) columns);
  }
}
