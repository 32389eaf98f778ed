package org.fettle.pruning;

/** Told how far a solver has come. */
@FunctionalInterface
public interface Progress {
  /** Tells nobody. */
  Progress NONE = (done, total, residual) -> {};

  /**
   * Called after every part of the work, on the solver's thread.
   *
   * @param done parts that are done
   * @param total parts that there are at most
   * @param residual how far the solution still moves, or the loss so far: what the solver says
   */
  void at(int done, int total, double residual);
}
