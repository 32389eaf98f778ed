package org.fettle.benchmarks;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.pytorch.AdamWOptions;
import org.bytedeco.pytorch.Dispatcher;
import org.bytedeco.pytorch.GenericList;
import org.bytedeco.pytorch.IValue;
import org.bytedeco.pytorch.IValueVector;
import org.bytedeco.pytorch.OperatorHandle;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.TensorType;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.Type;
import org.bytedeco.pytorch.global.torch;
import org.fettle.Plan;
import org.fettle.rules.AdamW;

/**
 * libtorch's AdamW in f32, through JavaCPP: the fused operator on the arrays and states of Fettle's
 * plan, and {@code torch::optim::AdamW} on the same arrays with states of its own.
 */
public final class Libtorch implements Peer {
  /** Loads libtorch; must be the first thing that touches it. */
  public Libtorch() {
    Loader.load(torch.class);
  }

  @Override
  public List<Contestant> contestants(
      Workload workload, Arrays arrays, Plan plan, int threads) {
    if (!workload.isPlainAdamW()) {
      return List.of();
    }
    torch.set_num_threads(threads);
    return List.of(new Fused(workload, arrays, plan, threads), new Optimizer(workload, arrays, threads));
  }

  @Override
  public Operation kernel(String name, Map<String, org.fettle.Tensor> arrays) {
    torch.set_num_threads(1);
    if (name.startsWith("product.csr")
        || name.startsWith("product.bsr")
        || name.equals("product.2:4")
        || name.equals("product.f32")) {
      Tensor left = matrix(arrays.get("left"), torch.ScalarType.Float);
      Tensor right = matrix(arrays.get("right"), torch.ScalarType.Float).t();
      Tensor out = torch.mm(left, right);
      double entries = (double) left.numel() + right.numel() + out.numel();
      double multiplyAdds = (double) out.numel() * left.size(1);
      return new Operation(
          "mm, dense",
          () -> torch.mm_out(out, left, right).close(),
          2,
          Float.BYTES * entries / multiplyAdds);
    }
    if (name.startsWith("product.int8")) {
      return new Operation(
          "_int_mm",
          integers(
              matrix(arrays.get("left"), torch.ScalarType.Char),
              matrix(arrays.get("right"), torch.ScalarType.Char).t()));
    }
    if (!arrays.containsKey("x") || arrays.get("x").rank() > 2) {
      return null;
    }
    Tensor x = view(arrays.get("x").address(), arrays.get("x").elements());
    long half = arrays.get("x").elements() / 2;
    return switch (name) {
      case "quantize.int8" ->
          new Operation(
              "quantize_per_tensor",
              () -> torch.quantize_per_tensor(x, 0.02, 0, torch.ScalarType.QInt8).close());
      case "fake-quantize.lsq" ->
          new Operation(
              "fake_quantize_per_tensor_affine",
              () -> torch.fake_quantize_per_tensor_affine(x, 0.05, 0, -128, 127).close());
      case "cast.e4m3" ->
          new Operation(
              "to(float8_e4m3fn)", () -> x.toType(torch.ScalarType.Float8_e4m3fn).close());
      case "select.half" ->
          new Operation(
              "kthvalue(abs)",
              () -> {
                try (Tensor absolute = x.abs()) {
                  absolute.kthvalue(half).close();
                }
              });
      default -> null;
    };
  }

  private static Tensor matrix(org.fettle.Tensor tensor, torch.ScalarType type) {
    long[] shape = tensor.shape();
    return torch.from_blob(new Arrays.At(tensor.address()), shape, new TensorOptions(type));
  }

  private static Runnable integers(Tensor left, Tensor right) {
    OperatorHandle operator = Dispatcher.singleton().findSchemaOrThrow("aten::_int_mm", "");
    IValueVector stack = new IValueVector();
    IValue[] arguments = {new IValue(left), new IValue(right)};
    return () -> {
      stack.put(arguments);
      operator.callBoxed(stack);
    };
  }

  private static Tensor view(long address, long elements) {
    return torch.from_blob(new Arrays.At(address), elements);
  }

  /** {@code _fused_adamw_}: the Java binding has no method for it, so it goes through the dispatcher. */
  private static final class Fused implements Contestant {
    private final int threads;
    private final OperatorHandle operator;
    private final IValue[] arguments;
    private final IValueVector stack = new IValueVector();

    Fused(Workload workload, Arrays arrays, Plan plan, int threads) {
      this.threads = threads;
      operator = Dispatcher.singleton().findSchemaOrThrow("aten::_fused_adamw_", "");
      Type.TypePtr tensorType = new Type.TypePtr(TensorType.get());
      GenericList values = new GenericList(tensorType);
      GenericList gradients = new GenericList(tensorType);
      GenericList first = new GenericList(tensorType);
      GenericList second = new GenericList(tensorType);
      GenericList steps = new GenericList(tensorType);
      for (int i = 0; i < workload.tensors(); i++) {
        long elements = workload.elements();
        values.push_back(new IValue(view(arrays.parameter(i).value().address(), elements)));
        gradients.push_back(new IValue(view(arrays.parameter(i).gradient().address(), elements)));
        first.push_back(new IValue(view(plan.state(i, "m").address(), elements)));
        second.push_back(new IValue(view(plan.state(i, "v").address(), elements)));
        // The counter stays at 1: raising it would be one more operator, at the peer's expense.
        steps.push_back(new IValue(torch.tensor(1f)));
      }
      AdamW rule = (AdamW) workload.rule();
      arguments =
          new IValue[] {
            new IValue(values),
            new IValue(gradients),
            new IValue(first),
            new IValue(second),
            new IValue(new GenericList(tensorType)),
            new IValue(steps),
            new IValue(rule.lr()),
            new IValue(rule.beta1()),
            new IValue(rule.beta2()),
            new IValue(rule.weightDecay()),
            new IValue(rule.eps()),
            new IValue(false),
            new IValue(false),
            new IValue(),
            new IValue()
          };
    }

    @Override
    public String name() {
      return "libtorch";
    }

    @Override
    public void step() {
      stack.put(arguments);
      operator.callBoxed(stack);
    }

    @Override
    public boolean spinsAfterwards() {
      return threads > 1;
    }
  }

  /** {@code torch::optim::AdamW.step()}. */
  private static final class Optimizer implements Contestant {
    private final int threads;
    private final List<Tensor> kept = new ArrayList<>();
    private final org.bytedeco.pytorch.AdamW optimizer;

    Optimizer(Workload workload, Arrays arrays, int threads) {
      this.threads = threads;
      TensorVector parameters = new TensorVector();
      for (int i = 0; i < workload.tensors(); i++) {
        long elements = workload.elements();
        Tensor value = view(arrays.parameter(i).value().address(), elements);
        value.set_requires_grad(true);
        value.mutable_grad().put(view(arrays.parameter(i).gradient().address(), elements));
        kept.add(value);
        parameters.push_back(value);
      }
      optimizer = new org.bytedeco.pytorch.AdamW(parameters, new AdamWOptions(1e-3));
    }

    @Override
    public String name() {
      return "libtorch-step";
    }

    @Override
    public void step() {
      optimizer.step().close();
    }

    @Override
    public boolean spinsAfterwards() {
      return threads > 1;
    }
  }
}
