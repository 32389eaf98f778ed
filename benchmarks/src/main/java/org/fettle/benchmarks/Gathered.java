package org.fettle.benchmarks;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.fettle.Rule;

/** Which arrays a gather has to read: found by changing one after the other. */
final class Gathered {
  private static final int ELEMENTS = 64;
  private static final int MOST_COEFFICIENTS = 24;
  private static final int MOST_SUMS = 4;

  private Gathered() {}

  /** Whether the terms of a gather depend on the parameter, the gradient and each state. */
  static List<Boolean> by(Rule rule, int gather) {
    int arrays = 2 + rule.states().size();
    float[][] before = terms(rule, gather, -1);
    List<Boolean> read = new ArrayList<>();
    for (int changed = 0; changed < arrays; changed++) {
      read.add(!java.util.Arrays.deepEquals(before, terms(rule, gather, changed)));
    }
    return read;
  }

  private static float[][] terms(Rule rule, int gather, int changed) {
    float[][] arrays = new float[2 + rule.states().size()][];
    for (int i = 0; i < arrays.length; i++) {
      // Gradients of both signs; states of second moments must be positive.
      arrays[i] = numbers(i == changed ? 1000 : i, i < 2 ? -0.5f : 0.0f, ELEMENTS);
    }
    float[][] terms = new float[2 * MOST_SUMS][ELEMENTS];
    rule.gather(
        gather,
        numbers(2000, 0.1f, MOST_COEFFICIENTS),
        ELEMENTS,
        arrays[0],
        arrays[1],
        java.util.Arrays.copyOfRange(arrays, 2, arrays.length),
        java.util.Arrays.copyOfRange(terms, 0, MOST_SUMS),
        java.util.Arrays.copyOfRange(terms, MOST_SUMS, 2 * MOST_SUMS));
    return terms;
  }

  private static float[] numbers(int seed, float least, int count) {
    Random random = new Random(seed);
    float[] numbers = new float[count];
    for (int k = 0; k < count; k++) {
      numbers[k] = least + 0.8f * random.nextFloat();
    }
    return numbers;
  }
}
