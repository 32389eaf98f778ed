package org.fettle.pytorch;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.fettle.Parameter;
import org.fettle.Plan;
import org.fettle.PlanBuilder;
import org.fettle.Rule;
import org.fettle.Step;

/**
 * A Fettle plan in the shape of a {@code torch::optim::Optimizer}: {@link #step} over parameters
 * with their {@code grad()}, {@link #zeroGrad}.
 *
 * <pre>{@code
 * try (PyTorchOptimizer optimizer = new PyTorchOptimizer(new AdamW(), model.parameters())) {
 *   optimizer.zeroGrad();
 *   loss.backward();
 *   optimizer.step();
 * }
 * }</pre>
 *
 * <p>Parameters are updated where they are; a parameter whose gradient is undefined in a step is
 * left alone in it. On CUDA a step runs in the caller's current stream. As a plan, one thread at a
 * time.
 */
public final class PyTorchOptimizer implements AutoCloseable {
  private final List<Tensor> parameters = new ArrayList<>();
  private final List<Tensor> gradients = new ArrayList<>();
  private final Plan plan;

  /** One group: a rule over all parameters. */
  public PyTorchOptimizer(Rule rule, TensorVector parameters) {
    this(Plan.builder(), rule, parameters);
  }

  /**
   * One group in a plan with options of its own: clipping, formats, threads, backend.
   *
   * @param builder a builder without groups; the group is added here
   */
  public PyTorchOptimizer(PlanBuilder builder, Rule rule, TensorVector parameters) {
    List<Parameter> group = new ArrayList<>();
    for (long i = 0; i < parameters.size(); i++) {
      Tensor parameter = parameters.get(i);
      this.parameters.add(parameter);
      gradients.add(null);
      String name = "parameter " + i;
      group.add(Parameter.of(PyTorchTensors.of(name, parameter), null).named(name));
    }
    plan = builder.group(rule, group).build();
  }

  /** One step with the rule's learning rate. */
  public void step() {
    step(new Step());
  }

  /** One step with what differs in it: learning rate, loss scale, inputs. */
  public void step(Step step) {
    for (int i = 0; i < parameters.size(); i++) {
      bind(i, parameters.get(i).grad());
    }
    if (!parameters.isEmpty() && parameters.get(0).is_cuda()) {
      plan.setStream(CurrentStream.handle());
    }
    plan.step(step);
  }

  /** Backward may have made a new gradient, or none. */
  private void bind(int index, Tensor gradient) {
    Tensor before = gradients.get(index);
    if (!gradient.defined()) {
      if (before != null) {
        plan.setGradient(index, null);
        gradients.set(index, null);
      }
      return;
    }
    if (before == null || before.data_ptr().address() != gradient.data_ptr().address()) {
      plan.setGradient(index, PyTorchTensors.of("parameter " + index + ".grad", gradient));
      gradients.set(index, gradient);
    }
  }

  /** Sets every gradient to zero, in place. */
  public void zeroGrad() {
    for (Tensor parameter : parameters) {
      Tensor gradient = parameter.grad();
      if (gradient.defined()) {
        gradient.detach_();
        gradient.zero_();
      }
    }
  }

  /** The plan: its states, counters and state files. */
  public Plan plan() {
    return plan;
  }

  /** Frees the states. The parameters are the caller's. */
  @Override
  public void close() {
    plan.close();
  }

  /**
   * Touched on a CUDA device only. By handles, so that the CUDA preset's classes are needed there
   * and nowhere else.
   */
  private static final class CurrentStream {
    private static final MethodHandle STREAM = stream();

    static long handle() {
      try {
        return ((Pointer) STREAM.invoke()).address();
      } catch (Throwable e) {
        throw new IllegalStateException("libtorch does not tell its current CUDA stream", e);
      }
    }

    private static MethodHandle stream() {
      try {
        Class<?> torchCuda = Class.forName("org.bytedeco.pytorch.global.torch_cuda");
        MethodHandles.Lookup lookup = MethodHandles.publicLookup();
        MethodHandle current = lookup.unreflect(torchCuda.getMethod("getCurrentCUDAStream"));
        Class<?> type = current.type().returnType();
        return MethodHandles.filterReturnValue(current, lookup.unreflect(type.getMethod("stream")));
      } catch (ReflectiveOperationException e) {
        throw new IllegalStateException("this libtorch has no CUDA", e);
      }
    }
  }

  static {
    // Touching a class of libtorch before its library is loaded ends the JVM.
    Loader.load(torch.class);
  }
}
