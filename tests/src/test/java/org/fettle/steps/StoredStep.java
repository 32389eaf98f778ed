package org.fettle.steps;

import java.util.List;
import org.fettle.Backend;
import org.fettle.Parameter;
import org.fettle.StateStorage;
import org.fettle.Tensor;

/**
 * The steps whose states may be stored in few bits: a step that gains them is one more line here.
 */
enum StoredStep {
  PRODIGY(true, true) {
    @Override
    SavedStep make(Backend backend, StateStorage storage, List<Parameter> parameters) {
      ProdigyOptions options =
          new ProdigyOptions(1, 0.9, 0.99, 0.95, 1e-8, 0, false, true, false, 1e-3, 1, 1.5, 1);
      return new Prodigy(backend, options, storage, parameters);
    }

    @Override
    void step(SavedStep step, List<Tensor> gradients) {
      ((Prodigy) step).step();
    }

    @Override
    boolean takes(StateStorage storage) {
      return storage.dtype() != org.fettle.DType.F16;
    }
  },
  POLYAK_MOMENTUM(true, true) {
    @Override
    SavedStep make(Backend backend, StateStorage storage, List<Parameter> parameters) {
      PolyakMomentum.Options options = new PolyakMomentum.Options(0.8, 1, 0.05, 0, 0);
      return new PolyakMomentum(backend, options, storage, parameters);
    }

    @Override
    void step(SavedStep step, List<Tensor> gradients) {
      ((PolyakMomentum) step).step(1e9);
    }
  },
  POLYAK_HEAVY_BALL(true, true) {
    @Override
    SavedStep make(Backend backend, StateStorage storage, List<Parameter> parameters) {
      PolyakHeavyBall.Options options = new PolyakHeavyBall.Options(0.8, 1, 0.05, 0);
      return new PolyakHeavyBall(backend, options, storage, parameters);
    }

    @Override
    void step(SavedStep step, List<Tensor> gradients) {
      ((PolyakHeavyBall) step).step(1e9);
    }

    @Override
    boolean takes(StateStorage storage) {
      return !storage.isRounded();
    }
  },
  MULTI_MOMENTUM(true, true) {
    @Override
    SavedStep make(Backend backend, StateStorage storage, List<Parameter> parameters) {
      MultiMomentum.Options options = new MultiMomentum.Options(0.2, 0.8);
      return new MultiMomentum(backend, options, storage, new double[] {0.4, 0.6}, parameters);
    }

    @Override
    void step(SavedStep step, List<Tensor> gradients) {
      ((MultiMomentum) step).step((int) (step.steps() % 2));
    }
  },
  DILOCO(true, true) {
    @Override
    SavedStep make(Backend backend, StateStorage storage, List<Parameter> parameters) {
      List<Tensor> values = parameters.stream().map(Parameter::value).toList();
      return new DiLoCo(backend, new DiLoCo.Options(0.05, 0.8), storage, 1, values);
    }

    @Override
    void step(SavedStep step, List<Tensor> gradients) {
      List<Tensor> rows =
          gradients.stream()
              .map(
                  g -> {
                    long[] shape = new long[g.rank() + 1];
                    shape[0] = 1;
                    System.arraycopy(g.shape(), 0, shape, 1, g.rank());
                    return Shapes.view(g, shape);
                  })
              .toList();
      ((DiLoCo) step).step(rows);
    }
  },
  MUON(false, true) {
    @Override
    SavedStep make(Backend backend, StateStorage storage, List<Parameter> parameters) {
      return new Muon(backend, new MuonOptions().withLr(0.05), storage, parameters);
    }

    @Override
    void step(SavedStep step, List<Tensor> gradients) {
      ((Muon) step).step();
    }
  },
  SOAP(false, true) {
    @Override
    SavedStep make(Backend backend, StateStorage storage, List<Parameter> parameters) {
      SoapOptions options = new SoapOptions().withLr(0.03).withWeightDecay(0);
      return new Soap(backend, options, storage, parameters);
    }

    @Override
    void step(SavedStep step, List<Tensor> gradients) {
      ((Soap) step).step();
    }

    /** The null space of a gradient that is not square is each backend's own. */
    @Override
    int[][] shapes(int[][] any) {
      return new int[][] {{16, 16}, {24, 24}};
    }
  },
  MFAC(true, true) {
    @Override
    SavedStep make(Backend backend, StateStorage storage, List<Parameter> parameters) {
      MFac.Options options = new MFac.Options(0.1, 0.5, 0, 4, 1, false);
      return new MFac(backend, options, storage, parameters);
    }

    @Override
    void step(SavedStep step, List<Tensor> gradients) {
      ((MFac) step).step();
    }
  },
  FRUGAL(true, false) {
    @Override
    SavedStep make(Backend backend, StateStorage storage, List<Parameter> parameters) {
      FrugalOptions options = OPTIONS;
      return new Frugal(backend, options, storage, Frugal.Choice.COLUMNS, 5, parameters.get(0));
    }

    @Override
    void step(SavedStep step, List<Tensor> gradients) {
      ((Frugal) step).step();
    }

    @Override
    int tensors() {
      return 1;
    }
  },
  FRUGAL_BLOCKS(true, false) {
    @Override
    SavedStep make(Backend backend, StateStorage storage, List<Parameter> parameters) {
      return new FrugalBlocks(
          backend, OPTIONS, storage, FrugalBlocks.Order.ASCENDING, 5, parameters);
    }

    @Override
    void step(SavedStep step, List<Tensor> gradients) {
      ((FrugalBlocks) step).step();
    }
  },
  FRUGAL_LOW_RANK(false, true) {
    @Override
    SavedStep make(Backend backend, StateStorage storage, List<Parameter> parameters) {
      return new FrugalLowRank(
          backend,
          OPTIONS,
          storage,
          FrugalLowRank.Kind.PERMUTATION,
          FrugalLowRank.Side.STANDARD,
          5,
          parameters.get(0));
    }

    @Override
    void step(SavedStep step, List<Tensor> gradients) {
      ((FrugalLowRank) step).step();
    }

    @Override
    int tensors() {
      return 1;
    }
  },
  RIEMANNIAN_ADAM(true, false) {
    @Override
    SavedStep make(Backend backend, StateStorage storage, List<Parameter> parameters) {
      RiemannianAdam.Options options =
          new RiemannianAdam.Options(0.02, 0.9, 0.99, 1e-8, 0, true, false);
      return new RiemannianAdam(backend, options, storage, Manifold.ball(), parameters);
    }

    @Override
    void step(SavedStep step, List<Tensor> gradients) {
      ((RiemannianAdam) step).step();
    }
  },
  RIEMANNIAN_ADAGRAD(true, false) {
    @Override
    SavedStep make(Backend backend, StateStorage storage, List<Parameter> parameters) {
      RiemannianAdaGrad.Options options = new RiemannianAdaGrad.Options(0.5, 1e-10);
      return new RiemannianAdaGrad(backend, options, Manifold.ball(), parameters);
    }

    @Override
    void step(SavedStep step, List<Tensor> gradients) {
      ((RiemannianAdaGrad) step).step();
    }

    @Override
    boolean takes(StateStorage storage) {
      return storage.equals(StateStorage.F32);
    }
  };

  private static final FrugalOptions OPTIONS =
      new FrugalOptions(
          0.03, 0.9, 0.99, 1e-8, 0, 0.5, 20, true, true, 1, 0.5, FrugalOptions.Others.SIGN);

  /** Whether all backends give the same bits: there are no products of matrices. */
  final boolean exact;

  /** Whether parameters may be bf16. */
  final boolean halves;

  StoredStep(boolean exact, boolean halves) {
    this.exact = exact;
    this.halves = halves;
  }

  abstract SavedStep make(Backend backend, StateStorage storage, List<Parameter> parameters);

  abstract void step(SavedStep step, List<Tensor> gradients);

  /** Whether it takes that storage; others it refuses by name, or does not offer. */
  boolean takes(StateStorage storage) {
    return true;
  }

  /** Shapes whose results all backends agree on. */
  int[][] shapes(int[][] any) {
    return any;
  }

  /** How many tensors it takes at most. */
  int tensors() {
    return Integer.MAX_VALUE;
  }
}
