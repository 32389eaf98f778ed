package org.fettle.replay;

import java.util.List;
import org.fettle.replay.Limits.Limit;

/** How one array that was computed compares with the one that was expected. */
public final class Comparison {
  private final String array;
  private String failure;
  private double worst = -1;
  private String worstPlace = "";
  private boolean worstPasses = true;

  private Comparison(String array) {
    this.array = array;
  }

  /** Compares an array of a golden vector. */
  public static Comparison of(GoldenCase golden, Values expected, Outputs outputs) {
    Comparison comparison = new Comparison(expected.name());
    comparison.compare(golden, expected, outputs.get(expected.name()));
    return comparison;
  }

  /** Whether every element is within its limit. */
  public boolean passed() {
    return failure == null && worstPasses;
  }

  /** The array, and where and by how much its worst element is off. */
  @Override
  public String toString() {
    if (failure != null) {
      return array + ": " + failure;
    }
    return array + ": " + (worst < 0 ? "empty" : worstPlace);
  }

  private void compare(GoldenCase golden, Values expected, Outputs.Output ours) {
    if (ours == null) {
      // Of no elements there is nothing to compute.
      failure = expected.length() == 0 ? null : "not computed";
      return;
    }
    if (ours.absent() != null) {
      for (int i = 0; i < expected.length(); i++) {
        if (expected.get(i) != 0) {
          failure = ours.absent() + ": expected " + expected.get(i) + " at " + expected.place(i);
          return;
        }
      }
      worstPlace = "all zero, as the method keeps none";
      worst = 0;
      return;
    }
    if (ours.length() != expected.length()) {
      failure = ours.length() + " elements: expected " + expected.length();
      return;
    }
    Limit limit = Limits.of(golden, expected);
    double allowed = limit.relative() == 0 ? 0 : limit.relative() * largest(expected);
    String kind = "";
    if (limit.comparesDisplacement()) {
      double displacement = displacementAllowed(golden, expected, limit);
      if (displacement < allowed) {
        allowed = displacement;
        kind = " of the displacement";
      }
    }
    for (int i = 0; i < expected.length(); i++) {
      if (!ours.isLeftOut(i)) {
        double extra = ours.isNearTie(i) ? 1 : 0;
        element(golden, expected, i, ours.get(i), allowed + extra, kind);
      }
    }
  }

  private void element(
      GoldenCase golden, Values expected, int i, double ours, double allowed, String kind) {
    double wanted = expected.get(i);
    double error = Math.abs(ours - wanted);
    if (wanted == ours || (Double.isNaN(wanted) && Double.isNaN(ours))) {
      error = 0;
    } else if (!Double.isFinite(wanted) || !Double.isFinite(ours)) {
      error = Double.POSITIVE_INFINITY;
    }
    boolean passes = error <= allowed;
    // The worst is a failing one if there is any.
    boolean worse = passes == worstPasses ? error > worst : !passes;
    if (!worse) {
      return;
    }
    worst = error;
    worstPasses = passes;
    boolean stepped = expected.isStepped(golden.steps());
    int row = stepped ? expected.length() / golden.steps() : 1;
    worstPlace =
        String.format(
            "%sindex %s, expected %s, ours %s, error %.3g, limit%s %.3g",
            stepped ? "step " + (i / row + 1) + ", " : "",
            expected.place(i),
            number(expected, wanted),
            number(expected, ours),
            error,
            kind,
            allowed);
  }

  private static String number(Values expected, double value) {
    if (expected.isInteger() && value == Math.rint(value)) {
      return String.valueOf((long) value);
    }
    return String.valueOf(value);
  }

  private static double largest(Values values) {
    double largest = 0;
    for (int i = 0; i < values.length(); i++) {
      if (Double.isFinite(values.get(i))) {
        largest = Math.max(largest, Math.abs(values.get(i)));
      }
    }
    return largest;
  }

  private static double displacementAllowed(GoldenCase golden, Values expected, Limit limit) {
    Values start = start(golden, expected);
    double moved = 0;
    for (int i = 0; i < expected.length(); i++) {
      double displacement = Math.abs(expected.get(i) - start.get(i % start.length()));
      if (Double.isFinite(displacement)) {
        moved = Math.max(moved, displacement);
      }
    }
    return limit.ofStart() * largest(start) + limit.ofDisplacement() * moved;
  }

  /** Where {@code param} or {@code weight} starts: "before step 1", as golden vectors name it. */
  private static Values start(GoldenCase golden, Values expected) {
    List<String> names =
        expected.name().equals("param") ? List.of("param0", "x0") : List.of("weight0", "w0", "w");
    for (String name : names) {
      if (golden.takes(name)) {
        return golden.array(name);
      }
    }
    throw new IllegalArgumentException(
        golden.file() + " has none of " + names + ", where " + expected.name() + " starts");
  }
}
