package org.fettle.demo;

import org.fettle.Perturbation;

/** SAM: the gradient is taken where the loss is worst nearby; two gradients for each step. */
final class SharpnessAware implements Recipe {
  private final double rho;
  private Perturbation perturbation;

  /** The radius. */
  SharpnessAware(double rho) {
    this.rho = rho;
  }

  @Override
  public void beginCycle(Run run, int cycle) {
    perturbation = Perturbation.sam(run.context().backend(), rho, false, run.parameters());
  }

  @Override
  public void batch(Run run) {
    run.gradient();
    perturbation.ascend();
    run.gradient();
    perturbation.restore();
    run.update();
  }

  @Override
  public long bytes() {
    return perturbation.savedBytes();
  }

  @Override
  public void close() {
    if (perturbation != null) {
      perturbation.close();
    }
  }
}
