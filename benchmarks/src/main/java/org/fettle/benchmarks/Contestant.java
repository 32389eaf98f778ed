package org.fettle.benchmarks;

/** Something that does a whole step of one workload, over and over. */
interface Contestant extends AutoCloseable {
  /** What tables call it. */
  String name();

  /** One whole step. */
  void step();

  /** Whether its steps change the parameters; the ceiling's do not. */
  default boolean changesParameters() {
    return true;
  }

  /**
   * Whether its threads go on spinning for a while after a step, and would steal the next one's
   * core.
   */
  default boolean spinsAfterwards() {
    return false;
  }

  @Override
  default void close() {}
}
