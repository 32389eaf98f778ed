package org.fettle.replay;

import java.util.Set;
import org.fettle.Hyper;
import org.fettle.internal.Philox;

/**
 * Random words as the host draws them. That the kernels draw the same ones is seen where they are
 * used: in {@code stochastic-round}, and in the comparison of backends.
 */
final class PhiloxReplay implements MethodReplay {
  @Override
  public Set<String> methods() {
    return Set.of("philox");
  }

  @Override
  public void replay(GoldenCase golden, Workbench bench, Outputs outputs) {
    Hyper hyper = golden.hyper();
    long seed = hyper.unsigned("seed");
    long first = hyper.unsigned("first_element");
    int step = (int) hyper.unsigned("step");
    int stream = (int) hyper.unsigned("stream");
    int count = (int) hyper.unsigned("count");
    int[] words = new int[4];
    for (int i = 0; i < count; i++) {
      long element = first + i;
      Philox.words(seed, element >>> 2, step, stream, words, 0);
      int word = words[(int) (element & 3)];
      outputs.add("word", word);
      outputs.add("uniform24", (word >>> 8) * 0x1p-24);
    }
  }
}
