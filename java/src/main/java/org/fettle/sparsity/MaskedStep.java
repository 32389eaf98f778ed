package org.fettle.sparsity;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.fettle.DType;
import org.fettle.Plan;
import org.fettle.Range;
import org.fettle.Step;
import org.fettle.Tensor;
import org.fettle.internal.Engine;
import org.fettle.internal.Engines;
import org.fettle.internal.KernelCall;
import org.fettle.internal.Scratch;
import org.fettle.internal.Selector;
import org.fettle.internal.kernels.MaskKernels;

/**
 * A step of a plan whose parameters have masks ({@link org.fettle.Parameter#withMask}), with a
 * policy for the states of what is pruned. The parameter itself is +0 there after every step;
 * gradients off the mask have no effect on an elementwise rule, NaN included. The step counter is
 * the plan's, so what grows back meets the bias correction of all the others.
 *
 * <p>States are set right in a pass of their own behind the step: {@link States#ZERO} reads and
 * writes every state once more, {@link States#FREEZE} twice, with a copy of the states.
 */
public final class MaskedStep {
  /** What becomes of the states where the mask is 0. */
  public enum States {
    /** They become 0. */
    ZERO,
    /** They stay what they were. */
    FREEZE,
    /** They go on as if there were no mask, as sparse momentum wants it. */
    UPDATE
  }

  private final Plan plan;
  private final States policy;
  private final Engine engine;

  /**
   * Steps of a plan.
   *
   * @throws IllegalArgumentException if a parameter of the plan has no mask
   */
  public MaskedStep(Plan plan, States policy) {
    this.plan = Objects.requireNonNull(plan, "plan");
    this.policy = Objects.requireNonNull(policy, "policy");
    engine = Engines.named(plan.backend().name());
    for (int i = 0; i < plan.tensors(); i++) {
      if (plan.parameter(i).mask() == null) {
        throw new IllegalArgumentException("tensor " + i + " has no mask: expected one");
      }
    }
  }

  /** One step of the plan, and the states set right. */
  public void step(Step step) {
    if (policy == States.FREEZE) {
      try (Scratch scratch = new Scratch(engine)) {
        List<Tensor> before = new ArrayList<>();
        forEachState((state, mask) -> before.add(copy(scratch, state)));
        plan.step(step);
        int[] at = {0};
        forEachState((state, mask) -> restore(scratch, before.get(at[0]++), state, mask));
      }
      return;
    }
    plan.step(step);
    if (policy == States.ZERO) {
      forEachState((state, mask) -> apply(state, mask, state));
    }
  }

  private interface StateAction {
    void on(Tensor state, Tensor mask);
  }

  private void forEachState(StateAction action) {
    for (int i = 0; i < plan.tensors(); i++) {
      Tensor mask = plan.parameter(i).mask();
      for (String name : plan.rule(i).states()) {
        action.on(plan.state(i, name), mask);
      }
    }
  }

  private void apply(Tensor x, Tensor mask, Tensor out) {
    engine.run(
        new KernelCall(MaskKernels.APPLY)
            .arrays(x, mask, out)
            .integers(x.elements(), x.dtype().bits() / 8)
            .units(Selector.units(x.elements(), MaskKernels.PACK_UNIT), x.elements()));
  }

  private void combine(int operation, Tensor a, Tensor b, Tensor out, long bits) {
    engine.run(
        new KernelCall(MaskKernels.COMBINE)
            .arrays(a, b, out)
            .integers(bits, operation)
            .units(Selector.units(bits, MaskKernels.UNIT), bits / 32));
  }

  private Tensor copy(Scratch scratch, Tensor state) {
    Tensor copy = scratch.tensor(state.dtype(), state.shape());
    either(state, null, copy);
    return copy;
  }

  /** Of bytes of which one is 0, the other; also a copy. */
  private void either(Tensor a, Tensor b, Tensor out) {
    Range.check("bytes of a state", a.bytes(), a.bytes() <= Long.MAX_VALUE / 8, "< 2^60");
    combine(
        1,
        Scratch.asBytes(a),
        b == null ? null : Scratch.asBytes(b),
        Scratch.asBytes(out),
        8 * a.bytes());
  }

  private void restore(Scratch scratch, Tensor before, Tensor state, Tensor mask) {
    Tensor others = scratch.tensor(DType.BIT, mask.shape());
    combine(4, mask, null, others, mask.elements());
    apply(before, others, before);
    apply(state, mask, state);
    either(state, before, state);
  }
}
