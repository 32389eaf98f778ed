package org.fettle.replay;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** The tensors that a case has joined into one flat vector. */
final class Parts {
  private Parts() {}

  /** Start and end of every tensor, by the option {@code tensor_sizes}. */
  static List<int[]> of(GoldenCase golden) {
    List<int[]> parts = new ArrayList<>();
    int at = 0;
    for (double size : golden.hyper().numbers("tensor_sizes")) {
      parts.add(new int[] {at, at + (int) size});
      at += (int) size;
    }
    return parts;
  }

  static float[] cut(float[] all, int[] part) {
    return Arrays.copyOfRange(all, part[0], part[1]);
  }
}
