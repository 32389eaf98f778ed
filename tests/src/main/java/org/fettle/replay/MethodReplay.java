package org.fettle.replay;

import java.util.Set;

/** Replays the golden vectors of some methods through the public API. */
public interface MethodReplay {
  /** The methods that it replays. */
  Set<String> methods();

  /**
   * Computes the outputs of a golden vector from its inputs.
   *
   * @param golden whose inputs and hyperparameters are read; every hyperparameter must be, or the
   *     case fails
   * @param bench the backend, and tensors on it
   * @param outputs receives what was computed
   * @throws IllegalArgumentException if the case asks for something that Fettle does not have; the
   *     message says what
   */
  void replay(GoldenCase golden, Workbench bench, Outputs outputs);
}
