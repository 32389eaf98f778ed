package org.fettle.replay;

import java.util.Arrays;
import java.util.List;

/** The values of one array of a golden vector. */
public final class Values {
  private final String name;
  private final String dtype;
  private final List<Long> shape;
  private final double[] values;

  Values(String name, String dtype, List<Long> shape, double[] values) {
    this.name = name;
    this.dtype = dtype;
    this.shape = shape;
    this.values = values;
  }

  /** The array's name. */
  public String name() {
    return name;
  }

  /** The word of safetensors for how the file stores it. */
  public String dtype() {
    return dtype;
  }

  /** Whether the elements are integers, which are compared exactly. */
  public boolean isInteger() {
    return !dtype.startsWith("F");
  }

  /** The extents. */
  public long[] shape() {
    return shape.stream().mapToLong(Long::longValue).toArray();
  }

  /** The extents without the first, which counts the steps. */
  public long[] stepShape() {
    return shape.stream().skip(1).mapToLong(Long::longValue).toArray();
  }

  /** Whether the first extent counts that many steps. */
  public boolean isStepped(int steps) {
    return steps > 0 && !shape.isEmpty() && shape.get(0) == steps;
  }

  /** The number of elements. */
  public int length() {
    return values.length;
  }

  /** An element. */
  public double get(int index) {
    return values[index];
  }

  /** A copy of all elements. */
  public double[] doubles() {
    return values.clone();
  }

  /** The elements of one step, from 0. */
  public double[] doubles(int step) {
    int row = values.length / Math.toIntExact(shape.get(0));
    return Arrays.copyOfRange(values, step * row, (step + 1) * row);
  }

  /** All elements, rounded to float. */
  public float[] floats() {
    return floats(0, values.length);
  }

  /** The elements of one step, from 0, rounded to float. */
  public float[] floats(int step) {
    int row = values.length / Math.toIntExact(shape.get(0));
    return floats(step * row, row);
  }

  private float[] floats(int from, int count) {
    float[] floats = new float[count];
    for (int i = 0; i < count; i++) {
      floats[i] = (float) values[from + i];
    }
    return floats;
  }

  /** The place of an element, such as {@code [2, 17]}. */
  public String place(int index) {
    long[] place = new long[shape.size()];
    long rest = index;
    for (int i = place.length - 1; i >= 0; i--) {
      place[i] = rest % shape.get(i);
      rest /= shape.get(i);
    }
    return Arrays.toString(place);
  }
}
