package org.fettle.replay;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.fettle.Parameter;
import org.fettle.Plan;
import org.fettle.Rule;
import org.fettle.Rules;
import org.fettle.Step;
import org.fettle.Tensor;

/**
 * Any optimizer rule of the registry, by what the rule says of itself.
 *
 * <p>Arrays have their meaning by name. With {@code S} a state, {@code C} a scalar and {@code I} an
 * input of the rule ({@link Rule#states}, {@link Rule#scalars}, {@link Rule#inputs}):
 *
 * <ul>
 *   <li>{@code param0} or {@code x0} is where the parameter starts, {@code grad} or {@code
 *       pseudo_grad} its gradient in every step, {@code param} what becomes of it;
 *   <li>{@code S0} or {@code C0} as input is where a state or scalar starts, if not where the rule
 *       lets it start;
 *   <li>{@code S} as input is written to the state before every step: a tensor that the caller
 *       supplies;
 *   <li>{@code I} as input is the number that every step is given;
 *   <li>{@code S} or {@code C} as output is what the state or scalar is after every step. An output
 *       that the rule does not keep, such as a momentum buffer without momentum, must be all zero.
 * </ul>
 *
 * <p>With several tensors, each of these names except {@code I} ends in {@code _0}, {@code _1} and
 * so on; a scalar without a number is that of the first tensor. The methods of class T start every
 * step from the row of the step before.
 */
final class RuleReplay implements MethodReplay {
  private static final List<String> STARTS = List.of("param0", "x0");
  private static final List<String> GRADIENTS = List.of("grad", "pseudo_grad");

  @Override
  public Set<String> methods() {
    return Rules.methods();
  }

  @Override
  public void replay(GoldenCase golden, Workbench bench, Outputs outputs) {
    replay(golden, Rules.of(golden.method(), golden.hyper()), bench, outputs);
  }

  static void replay(GoldenCase golden, Rule rule, Workbench bench, Outputs outputs) {
    List<Slot> slots = new ArrayList<>();
    for (String suffix : suffixes(golden)) {
      slots.add(new Slot(golden, rule, suffix, bench));
    }
    checkInputs(golden, rule, slots);
    boolean stepByStep = Limits.classOf(golden.method()).equals("T");
    try (Plan plan =
        Plan.builder()
            .group(rule, slots.stream().map(slot -> slot.parameter).toList())
            .backend(bench.backend())
            .build()) {
      for (int i = 0; i < slots.size(); i++) {
        slots.get(i).start(plan, i);
      }
      Step step = new Step();
      for (int t = 0; t < golden.steps(); t++) {
        for (int i = 0; i < slots.size(); i++) {
          if (stepByStep && t > 0) {
            slots.get(i).restart(plan, i, t);
          }
          slots.get(i).supply(plan, i, t);
        }
        for (String input : rule.inputs()) {
          step.input(input, golden.array(input).get(t));
        }
        plan.step(step);
        for (int i = 0; i < slots.size(); i++) {
          slots.get(i).record(plan, i, outputs);
        }
      }
    }
    for (String output : golden.outputs()) {
      if (outputs.get(output) == null) {
        outputs.absent(
            output,
            "the rule keeps none; it keeps states "
                + rule.states()
                + " and scalars "
                + rule.scalars());
      }
    }
  }

  /** An empty ending, or _0, _1 and so on. */
  private static List<String> suffixes(GoldenCase golden) {
    List<String> suffixes = new ArrayList<>();
    Pattern numbered = Pattern.compile("(" + String.join("|", STARTS) + ")(_\\d+)?");
    for (String input : golden.inputs()) {
      Matcher matcher = numbered.matcher(input);
      if (matcher.matches()) {
        suffixes.add(matcher.group(2) == null ? "" : matcher.group(2));
      }
    }
    if (suffixes.isEmpty()) {
      throw new IllegalArgumentException(
          "inputs " + golden.inputs() + ": expected one of " + STARTS + ", where it starts");
    }
    return suffixes;
  }

  private static void checkInputs(GoldenCase golden, Rule rule, List<Slot> slots) {
    List<String> rest = new ArrayList<>(golden.inputs());
    rest.removeAll(rule.inputs());
    slots.forEach(slot -> rest.removeAll(slot.inputs()));
    if (!rest.isEmpty()) {
      throw new IllegalArgumentException(
          "inputs "
              + rest
              + ": the rule has no states, scalars or inputs of these names; it has "
              + rule.states()
              + ", "
              + rule.scalars()
              + " and "
              + rule.inputs());
    }
    for (String input : rule.inputs()) {
      if (golden.array(input).length() != golden.steps()) {
        throw new IllegalArgumentException(
            "input "
                + input
                + " has "
                + golden.array(input).length()
                + " numbers: expected one a step");
      }
    }
  }

  /** One tensor of the case. */
  private static final class Slot {
    private final GoldenCase golden;
    private final Rule rule;
    private final String suffix;
    private final Workbench bench;
    private final String startName;
    private final String gradientName;
    private final Tensor value;
    private final Tensor gradient;
    private final Parameter parameter;

    Slot(GoldenCase golden, Rule rule, String suffix, Workbench bench) {
      this.golden = golden;
      this.rule = rule;
      this.suffix = suffix;
      this.bench = bench;
      startName = first(STARTS);
      gradientName = first(GRADIENTS);
      Values start = golden.array(startName);
      value = bench.tensor(start.floats(), start.shape());
      gradient = bench.tensor(new float[start.length()], start.shape());
      parameter = Parameter.of(value, gradient);
    }

    private String first(List<String> names) {
      for (String name : names) {
        if (golden.takes(name + suffix)) {
          return name + suffix;
        }
      }
      throw new IllegalArgumentException(
          "inputs " + golden.inputs() + ": expected one of " + names + " with ending " + suffix);
    }

    /** The inputs that this tensor can take. */
    List<String> inputs() {
      List<String> names = new ArrayList<>(List.of(startName, gradientName));
      for (String state : rule.states()) {
        names.add(state + suffix);
        names.add(state + "0" + suffix);
      }
      for (String scalar : rule.scalars()) {
        names.add(scalar + "0" + suffix);
      }
      return names;
    }

    void start(Plan plan, int tensor) {
      for (String state : rule.states()) {
        if (golden.takes(state + "0" + suffix)) {
          bench.put(plan.state(tensor, state), golden.array(state + "0" + suffix).floats());
        }
      }
      for (String scalar : rule.scalars()) {
        if (golden.takes(scalar + "0" + suffix)) {
          plan.setScalar(tensor, scalar, golden.array(scalar + "0" + suffix).get(0));
        }
      }
    }

    /** Takes everything from the row of the step before. */
    void restart(Plan plan, int tensor, int t) {
      bench.put(value, golden.array("param" + suffix).floats(t - 1));
      for (String state : rule.states()) {
        if (golden.outputs().contains(state + suffix)) {
          bench.put(plan.state(tensor, state), golden.array(state + suffix).floats(t - 1));
        }
      }
      for (String scalar : rule.scalars()) {
        if (golden.outputs().contains(scalar + suffix)) {
          plan.setScalar(tensor, scalar, golden.array(scalar + suffix).get(t - 1));
        }
      }
    }

    /** Gives the step what it needs. */
    void supply(Plan plan, int tensor, int t) {
      bench.put(gradient, golden.array(gradientName).floats(t));
      for (String state : rule.states()) {
        if (golden.takes(state + suffix)) {
          bench.put(plan.state(tensor, state), golden.array(state + suffix).floats(t));
        }
      }
    }

    void record(Plan plan, int tensor, Outputs outputs) {
      outputs.add("param" + suffix, bench.floats(value));
      for (String state : rule.states()) {
        outputs.add(state + suffix, bench.floats(plan.state(tensor, state)));
      }
      if (rule.rowState() != null) {
        double[] rows = new double[Math.toIntExact(value.shape()[0])];
        for (int row = 0; row < rows.length; row++) {
          rows[row] = plan.rowState(tensor, row);
        }
        outputs.add(rule.rowState() + suffix, rows);
      }
      for (String scalar : rule.scalars()) {
        outputs.add(scalar + suffix, plan.scalar(tensor, scalar));
        if (tensor == 0 && !suffix.isEmpty()) {
          outputs.add(scalar, plan.scalar(tensor, scalar));
        }
      }
    }
  }
}
