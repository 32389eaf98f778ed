package org.fettle.replay;

import java.util.Arrays;
import java.util.BitSet;
import java.util.LinkedHashMap;
import java.util.Map;

/** What a replay computed, by the names that the golden vector has for it. */
public final class Outputs {
  private final Map<String, Output> outputs = new LinkedHashMap<>();

  /** One array as it was computed. */
  static final class Output {
    private double[] values = new double[0];
    private int length;
    private String absent;
    private final BitSet nearTies = new BitSet();
    private final BitSet leftOut = new BitSet();

    private void add(double value) {
      if (length == values.length) {
        values = Arrays.copyOf(values, Math.max(64, 2 * length));
      }
      values[length++] = value;
    }

    int length() {
      return length;
    }

    double get(int index) {
      return values[index];
    }

    /** Why there is no such array, or null if there is one. */
    String absent() {
      return absent;
    }

    boolean isNearTie(int index) {
      return nearTies.get(index);
    }

    boolean isLeftOut(int index) {
      return leftOut.get(index);
    }
  }

  /** Appends values: those of the next step, or all of them. */
  public void add(String name, double... values) {
    Output output = output(name);
    for (double value : values) {
      output.add(value);
    }
  }

  /** Appends values: those of the next step, or all of them. */
  public void add(String name, float[] values) {
    Output output = output(name);
    for (float value : values) {
      output.add(value);
    }
  }

  /** Appends unsigned 16-bit codes. */
  public void addCodes(String name, short[] codes) {
    Output output = output(name);
    for (short code : codes) {
      output.add(code & 0xFFFF);
    }
  }

  /**
   * Says that a method keeps no such array: it passes if all zeros are expected.
   *
   * @param reason what to say where it does not pass
   */
  public void absent(String name, String reason) {
    output(name).absent = reason;
  }

  /** Allows the code at an index to be one off, because the value lies near a midpoint. */
  public void nearTie(String name, int index) {
    output(name).nearTies.set(index);
  }

  /** Leaves an element out of the comparison, because a choice at a near tie decides it. */
  public void leaveOut(String name, int index) {
    output(name).leftOut.set(index);
  }

  /** What was computed under that name, or null. */
  Output get(String name) {
    return outputs.get(name);
  }

  private Output output(String name) {
    return outputs.computeIfAbsent(name, key -> new Output());
  }
}
