package org.fettle;

import org.fettle.internal.Engine;
import org.fettle.internal.PlanSpec;

/** What the suites need of this package's inside. */
public final class TestAccess {
  private TestAccess() {}

  /** The engine of a backend: allocates, reads and writes its tensors. */
  public static Engine engine(Backend backend) {
    return backend.engine();
  }

  /** What a plan was validated to. */
  public static PlanSpec spec(Plan plan) {
    return plan.spec();
  }

  /** The exact fma without the instruction. */
  public static float emulatedFma(float a, float b, float c) {
    return Arithmetic.emulatedFma(a, b, c);
  }
}
