package org.fettle.replay;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import org.fettle.Hyper;
import org.fettle.Parameter;
import org.fettle.Plan;
import org.fettle.Rule;
import org.fettle.StateFormat;
import org.fettle.Step;
import org.fettle.Tensor;
import org.fettle.internal.BlockFormat;
import org.fettle.rules.AdEMAMix;
import org.fettle.rules.AdaGrad;
import org.fettle.rules.AdamW;
import org.fettle.rules.Lion;
import org.fettle.rules.RmsProp;
import org.fettle.rules.Sgd;

/**
 * Steps with low-bit states, each from the row before. A plan with F32 states goes beside, to see
 * which values lie near a midpoint.
 */
final class LowBitReplay implements MethodReplay {
  private static final double NEAR = 1e-6;

  @Override
  public Set<String> methods() {
    return Set.of(
        "adam-8bit",
        "lion-8bit",
        "momentum-8bit",
        "rmsprop-8bit",
        "adagrad-8bit",
        "ademamix-8bit",
        "adamw8bit-ao",
        "adamw4bit-ao",
        "adamwfp8-ao");
  }

  private static Rule rule(String method, Hyper h) {
    double lr = h.number("lr");
    double decay = h.number("weight_decay");
    return switch (method) {
      case "lion-8bit" ->
          new Lion()
              .withLr(lr)
              .withBeta1(h.number("beta1"))
              .withBeta2(h.number("beta2"))
              .withWeightDecay(decay);
      case "momentum-8bit" ->
          new Sgd().withLr(lr).withMomentum(h.number("beta1")).withWeightDecay(decay);
      case "rmsprop-8bit" ->
          new RmsProp()
              .withLr(lr)
              .withAlpha(h.number("beta1"))
              .withEps(h.number("eps"))
              .withWeightDecay(decay);
      case "adagrad-8bit" ->
          new AdaGrad().withLr(lr).withEps(h.number("eps")).withWeightDecay(decay);
      case "ademamix-8bit" ->
          new AdEMAMix()
              .withLr(lr)
              .withBeta1(h.number("beta1"))
              .withBeta2(h.number("beta2"))
              .withBeta3(h.number("beta3"))
              .withAlpha(h.number("alpha"))
              .withEps(h.number("eps"))
              .withWeightDecay(decay);
      default -> {
        if (method.endsWith("-ao") && !h.flag("decoupled", true)) {
          yield new org.fettle.rules.Adam()
              .withLr(lr)
              .withBeta1(h.number("beta1"))
              .withBeta2(h.number("beta2"))
              .withEps(h.number("eps"))
              .withWeightDecay(decay);
        }
        yield new AdamW()
            .withLr(lr)
            .withBeta1(h.number("beta1"))
            .withBeta2(h.number("beta2"))
            .withEps(h.number("eps"))
            .withWeightDecay(decay);
      }
    };
  }

  private static StateFormat format(String method, Hyper hyper) {
    StateFormat format =
        switch (method) {
          case "adamw8bit-ao" -> StateFormat.torchao8();
          case "adamw4bit-ao" -> StateFormat.torchao4();
          case "adamwfp8-ao" -> StateFormat.fp8();
          default -> StateFormat.dynamic8();
        };
    return format.withBlockSize((int) hyper.number("block_size")).withThreshold(0);
  }

  /** The vectors' numbers of a rule's states. */
  private static Map<String, Integer> numbers(Rule rule) {
    Map<String, Integer> numbers = new LinkedHashMap<>();
    if (rule instanceof AdEMAMix) {
      numbers.put("m1", 1);
      numbers.put("v", 2);
      numbers.put("m2", 3);
    } else {
      rule.states().forEach(state -> numbers.put(state, numbers.size() + 1));
    }
    return numbers;
  }

  @Override
  public void replay(GoldenCase golden, Workbench bench, Outputs outputs) {
    String method = golden.method();
    boolean torchao = method.endsWith("-ao");
    Rule rule = rule(method, golden.hyper());
    StateFormat format = format(method, golden.hyper());
    Step step = new Step().lossScale(torchao ? 1 : 1 / golden.hyper().number("gnorm_scale"));
    Values start = golden.array("param0");
    int n = start.length();
    Tensor value = bench.tensor(start.floats(), start.shape());
    Tensor shadow = bench.tensor(start.floats(), start.shape());
    Tensor gradient = bench.tensor(new float[n], start.shape());
    try (Plan plan =
            Plan.builder()
                .group(rule, Parameter.of(value, gradient))
                .states(format)
                .backend(bench.backend())
                .build();
        Plan exact =
            Plan.builder()
                .group(rule, Parameter.of(shadow, gradient))
                .backend(bench.backend())
                .build()) {
      for (int t = 0; t < golden.steps(); t++) {
        bench.put(gradient, golden.array("grad").floats(t));
        if (t > 0) {
          bench.put(value, golden.array("param").floats(t - 1));
          bench.put(shadow, golden.array("param").floats(t - 1));
        }
        for (Map.Entry<String, Integer> state : numbers(rule).entrySet()) {
          Stored stored = new Stored(golden, format, rule, state, torchao);
          if (t > 0) {
            stored.restart(bench, plan, exact, t - 1);
          }
        }
        plan.step(step);
        exact.step(step);
        outputs.add("param", bench.floats(value));
        for (Map.Entry<String, Integer> state : numbers(rule).entrySet()) {
          new Stored(golden, format, rule, state, torchao).record(bench, plan, exact, t, outputs);
        }
      }
    }
  }

  /** One state as the vectors have it: a code per byte, and scales. */
  private record Stored(
      String name, Values codes, Values scales, BlockFormat format, int blockSize) {
    Stored(
        GoldenCase golden,
        StateFormat format,
        Rule rule,
        Map.Entry<String, Integer> state,
        boolean torchao) {
      this(
          state.getKey(),
          golden.array("c" + state.getValue()),
          golden.array((torchao ? "s" : "a") + state.getValue()),
          stored(format, rule, rule.states().indexOf(state.getKey())),
          format.blockSize());
    }

    private static BlockFormat stored(StateFormat format, Rule rule, int state) {
      boolean positive = rule.isNonNegative(state);
      return switch (format.kind()) {
        case TORCHAO8 -> positive ? BlockFormat.TORCHAO8_POSITIVE : BlockFormat.TORCHAO8;
        case TORCHAO4 -> positive ? BlockFormat.TORCHAO4_POSITIVE : BlockFormat.TORCHAO4;
        case FP8 -> BlockFormat.BLOCK_E4M3;
        // bitsandbytes keeps a single state in the signed map.
        default ->
            positive && rule.states().size() > 1
                ? BlockFormat.DYNAMIC8_POSITIVE
                : BlockFormat.DYNAMIC8;
      };
    }

    private int elements() {
      return (int) codes.stepShape()[0];
    }

    private int code(int row, int element) {
      return (int) codes.get(row * elements() + element);
    }

    private float scale(int row, int element) {
      int blocks = (int) scales.stepShape()[0];
      return (float) scales.get(row * blocks + element / blockSize);
    }

    void restart(Workbench bench, Plan plan, Plan exact, int row) {
      byte[] bytes = new byte[(int) format.bytes(elements())];
      float[] decoded = new float[elements()];
      float[] values = format.codeValues();
      for (int i = 0; i < elements(); i++) {
        int code = code(row, i);
        if (format.bits() == 8) {
          bytes[i] = (byte) code;
        } else {
          bytes[i / 2] |= (byte) (i % 2 == 0 ? code << 4 : code);
        }
        decoded[i] = values[code] * scale(row, i);
      }
      bench.put(plan.state(0, name), bytes);
      bench.put(plan.scales(0, name), scales.floats(row));
      bench.put(exact.state(0, name), decoded);
    }

    void record(Workbench bench, Plan plan, Plan exact, int row, Outputs outputs) {
      byte[] bytes = bench.bytes(plan.state(0, name));
      float[] unrounded = bench.floats(exact.state(0, name));
      float[] values = format.codeValues();
      for (int i = 0; i < elements(); i++) {
        int code = format.bits() == 8 ? bytes[i] & 0xFF : bytes[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15;
        outputs.add(codes.name(), code);
        int wanted = code(row, i);
        double scaled = unrounded[i] / scale(row, i);
        if (isNear(values, wanted, wanted - 1, scaled)
            || isNear(values, wanted, wanted + 1, scaled)) {
          outputs.nearTie(codes.name(), row * elements() + i);
        }
      }
      outputs.add(scales.name(), bench.floats(plan.scales(0, name)));
    }

    private static boolean isNear(float[] values, int code, int other, double scaled) {
      if (other < 0 || other >= values.length) {
        return false;
      }
      double midpoint = ((double) values[code] + values[other]) / 2;
      return Math.abs(scaled - midpoint) <= NEAR * Math.max(1, Math.abs(midpoint));
    }
  }
}
