package org.fettle.demo;

import org.fettle.pruning.GraNet;
import org.fettle.pruning.RigL;

/** Sparse from the start; which weights are there changes while training. */
abstract class MovingMasks extends Masked {
  /** Updates of the masks in a run. */
  private static final long UPDATES = 40;

  private final double density;

  private MovingMasks(double density) {
    this.density = density;
  }

  private static long interval(Run run) {
    return Math.max(1, run.clock().steps() / UPDATES);
  }

  @Override
  public void beginCycle(Run run, int cycle) {
    super.beginCycle(run, cycle);
    scatter(run, density);
  }

  /** RigL: as many weights all along; the smallest go, those of the largest gradients come. */
  static Recipe rigL(double density) {
    return new MovingMasks(density) {
      private RigL method;

      @Override
      public void beginCycle(Run run, int cycle) {
        super.beginCycle(run, cycle);
        RigL.Options options =
            new RigL.Options(0.3, interval(run), Math.max(1, run.clock().steps() * 3 / 4));
        method = new RigL(run.context().backend(), options, layers(run));
      }

      @Override
      public void batch(Run run) {
        if (method.isUpdate(run.clock().step())) {
          run.gradient();
          method.update(run.clock().step(), gradients);
        } else {
          super.batch(run);
        }
      }
    };
  }

  /** GraNet: half the weights at first; fewer and fewer, and what goes may come back. */
  static Recipe graNet(double density) {
    return new MovingMasks(0.5) {
      private GraNet method;

      @Override
      public void beginCycle(Run run, int cycle) {
        super.beginCycle(run, cycle);
        long steps = run.clock().steps();
        GraNet.Options options =
            new GraNet.Options(
                0.5, 0.005, steps, interval(run), 0.5, density, 0, Math.max(1, steps * 3 / 5));
        method = new GraNet(run.context().backend(), options, layers(run));
      }

      @Override
      public void stepped(Run run) {
        method.afterStep(run.clock().step());
      }
    };
  }
}
