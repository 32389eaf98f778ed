package org.fettle.steps;

import java.util.ArrayList;
import java.util.List;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Parameter;
import org.fettle.StateStorage;
import org.fettle.Tensor;
import org.fettle.internal.CallChecks;
import org.fettle.internal.KernelCall;
import org.fettle.internal.Operand;
import org.fettle.internal.kernels.RiemannianKernels;

/** What the Riemannian steps share: one point per row, its states, the call. */
abstract class RiemannianRows extends SavedStep {
  final List<One> tensors = new ArrayList<>();
  final Manifold manifold;

  /** What belongs to one tensor. */
  final class One {
    final Parameter parameter;
    final long rows;
    final long length;
    final Operand moment;
    private final Unpacking.Unpacked floats;
    final Tensor second;
    final Tensor largest;
    final Tensor scratch;
    final Tensor norms;

    One(
        String label,
        Parameter parameter,
        Unpacking unpacking,
        boolean withMoment,
        boolean withLargest) {
      this.parameter = parameter;
      long[] shape = parameter.value().shape();
      length = shape[shape.length - 1];
      rows = length == 0 ? 0 : parameter.value().elements() / length;
      moment = withMoment ? state(label, "m", Content.SIGNED, shape) : null;
      floats = withMoment ? unpacking.f32(moment, shape) : null;
      second = keep(label, "v", allocate(DType.F64, rows));
      largest = withLargest ? keep(label, "largest", allocate(DType.F64, rows)) : null;
      scratch = allocate(DType.F64, 3 * parameter.value().elements());
      norms = allocate(DType.F64, rows);
    }

    /** Answers how many rows were left alone because they are zero. */
    long run(boolean exact, boolean amsgrad, boolean adagrad, double... numbers) {
      long sphere = manifold.kind() == Manifold.Kind.SPHERE ? 1 : 0;
      engine.run(
          new KernelCall(RiemannianKernels.RIEMANNIAN)
              .arrays(
                  parameter.value(),
                  parameter.gradient(),
                  floats == null ? null : floats.open(),
                  second,
                  largest,
                  scratch,
                  norms)
              .integers(length, sphere, exact ? 1 : 0, amsgrad ? 1 : 0, adagrad ? 1 : 0)
              .numbers(numbers)
              .units(rows, 8 * parameter.value().elements()));
      if (floats != null) {
        floats.close();
      }
      long zeros = 0;
      for (double norm : Doubles.read(engine, norms)) {
        zeros += norm == 0 ? 1 : 0;
      }
      return zeros;
    }
  }

  RiemannianRows(
      Backend backend,
      String kind,
      StateStorage storage,
      Manifold manifold,
      List<Parameter> parameters,
      boolean withMoment,
      boolean withLargest) {
    super(backend, kind, storage);
    this.manifold = manifold;
    CallChecks checks = check(parameters);
    for (int i = 0; i < parameters.size(); i++) {
      Tensor value = parameters.get(i).value();
      String name = "tensor " + i;
      Kernels.f32(name, value);
      Kernels.f32(name + ".gradient", parameters.get(i).gradient());
      if (value.rank() < 1) {
        throw new IllegalArgumentException(name + " is " + value + ": expected rows of points");
      }
      long length = value.shape()[value.rank() - 1];
      if (manifold.kind() == Manifold.Kind.SPHERE && length == 1) {
        throw new IllegalArgumentException(
            name + " is " + value + ": expected rows of 2 or more on the sphere");
      }
    }
    checks.done();
    long elements = parameters.stream().mapToLong(one -> one.value().elements()).max().orElse(0);
    Unpacking unpacking = new Unpacking(this, elements);
    for (int i = 0; i < parameters.size(); i++) {
      Parameter one = parameters.get(i);
      tensors.add(new One(label(i, one), one, unpacking, withMoment, withLargest));
    }
  }

  /** The second moments, one per row. */
  final double[] rowValues(Tensor perRow) {
    enter();
    try {
      return Doubles.read(engine, perRow);
    } finally {
      leave();
    }
  }
}
