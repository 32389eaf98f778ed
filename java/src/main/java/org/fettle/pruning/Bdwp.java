package org.fettle.pruning;

import org.fettle.Backend;
import org.fettle.Tensor;
import org.fettle.sparsity.NmPattern;

/**
 * BDWP: bidirectional weight pruning. One dense weight, two N:M masks of it: groups along the
 * inputs for the forward pass, groups along the outputs for the gradient of the inputs; the
 * weight's gradient stays dense.
 *
 * <pre>y = x (w mF)' ;  dx = dy (w mB) ;  dw = dy' x</pre>
 *
 * <p>The paper's main ratio is 2:8. The axes are ours: only the abstract could be read. Source:
 * Fang et al., arXiv:2309.13015.
 *
 * @param pattern N of M
 */
public record Bdwp(NmPattern pattern) {
  /**
   * Both masks.
   *
   * @param weight F32, BF16 or F16 [out, in], both multiples of M
   * @param forward BIT of its shape, written: groups along the inputs
   * @param backward BIT of its shape, written: groups along the outputs
   */
  public void masks(Backend backend, Tensor weight, Tensor forward, Tensor backward) {
    if (weight.rank() != 2) {
      throw new IllegalArgumentException("weight is " + weight + ": expected [out, in]");
    }
    for (int axis = 0; axis < 2; axis++) {
      if (weight.shape()[axis] % pattern.m() != 0) {
        throw new IllegalArgumentException(
            "axis "
                + axis
                + " of weight is "
                + weight.shape()[axis]
                + " long: expected a multiple of M, "
                + pattern.m());
      }
    }
    pattern.mask(backend, weight, 1, forward);
    pattern.mask(backend, weight, 0, backward);
  }
}
