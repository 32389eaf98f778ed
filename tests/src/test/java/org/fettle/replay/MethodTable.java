package org.fettle.replay;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.fettle.Method;
import org.fettle.Rule;
import org.fettle.Rules;
import org.fettle.testkit.RuleVariants;

/**
 * {@code docs/methods.md}, from what the rules say of themselves and from the golden vectors of
 * this repository.
 */
final class MethodTable {
  private static final String HEAD =
      """
      # Methods

      <!-- Written by the tests from the registry: do not edit, run them with -Dfettle.docs=write. -->

      Every optimizer rule, by the names under which `Rules.of` and the golden vectors know it; then what a plan does around the
      rule; then everything [besides rules](#besides-rules).

      * **Kernel**: a line of the registry. A rule whose states or passes depend on an option has several; state, passes and bytes stand in their order.
      * **State**: tensors of the parameter's shape, f32 unless the plan says otherwise; in parentheses the doubles kept per tensor.
      * **Passes**: sweeps over memory. A pass ends where a reduction must be complete.
      * **Bytes**: read + written in a step per parameter, all in f32.
      * **Vectors**: the cases in `tests/src/test/resources/golden` that every backend replays.

      `ema(x, y, b)` is `b x + (1 - b) y`; c1, c2, c3 are `1 - beta1^t` and so on; `|x|` of a tensor is its Euclidean norm.
      Hyperparameters with their ranges and defaults are in the Javadoc of the records in `org.fettle.rules`.

      | Method | Formula | Kernel | State | Passes | Bytes | Source | Vectors | What differs from others |
      | --- | --- | --- | --- | --- | --- | --- | --- | --- |
      """;

  private static final String OTHERS =
      """

      Around the rule, fused into the same step:

      | Method | Formula | In a plan | Extra passes | Source | Vectors | What differs from others |
      | --- | --- | --- | --- | --- | --- | --- |
      """;

  /** Methods that are no rules. They have no annotation to take this from. */
  private static final List<List<String>> OTHER_METHODS =
      List.of(
          List.of(
              "unscale",
              "g * (1 / scale), the reciprocal formed in double; flag for infinity and NaN",
              "`Step.lossScale`, `PlanBuilder.nonFinite`",
              "0; 1 with the check",
              "torch.amp.GradScaler",
              "a value that only overflows through a scale below 1 counts as non-finite too"),
          List.of(
              "clip-value",
              "clamp(g, -c, c)",
              "`GradientClip.byValue`",
              "0",
              "torch.nn.utils.clip_grad_value_",
              ""),
          List.of(
              "clip-tensor-norm",
              "g min(1, maxNorm / (|g| + 1e-6)), per tensor",
              "`GradientClip.byTensorNorm`",
              "1",
              "torch.nn.utils.clip_grad_norm_",
              "the norm is summed in double"),
          List.of(
              "clip-global-norm",
              "g min(1, maxNorm / (|g| + 1e-6)), |g| over all tensors of the plan",
              "`GradientClip.byGlobalNorm`",
              "1",
              "torch.nn.utils.clip_grad_norm_",
              "the norm is summed in double; norm types 1 and infinity outside a plan: `Gradients`"),
          List.of(
              "ema",
              "average = a average + (1 - a) p, a constant or with a warm-up",
              "`Average`",
              "0",
              "Westlake-AI/SEMA, EMAHook",
              ""),
          List.of(
              "half",
              "f32 to bf16 and f16, nearest, ties to even",
              "parameters, states, copies, averages",
              "0",
              "IEEE 754; bfloat16 as in PyTorch",
              "a NaN is stored as the canonical one, without its sign"),
          List.of(
              "stochastic-round",
              "up with the probability of the distance, by 24 random bits",
              "`Rounding.STOCHASTIC`",
              "0",
              "pytorch/ao (bf16)",
              "the same bits on every backend; int8 by `Quantizer.encode`"),
          List.of(
              "philox",
              "Philox4x32-10, keyed by seed, step, purpose and element",
              "`PlanBuilder.seed`",
              "0",
              "Random123",
              ""));

  private MethodTable() {}

  /** The whole page. */
  static String page() throws IOException {
    StringBuilder page = new StringBuilder(HEAD);
    Map<String, List<String>> vectors = vectors();
    for (Class<? extends Rule> type : Rules.records()) {
      Method method = type.getAnnotation(Method.class);
      Map<String, Rule> kernels = kernels(type);
      Function<Function<Rule, String>, String> perKernel =
          cell -> kernels.values().stream().map(cell).collect(Collectors.joining("<br>"));
      row(
          page,
          Arrays.stream(method.names()).map(MethodTable::code).collect(Collectors.joining(", ")),
          code(method.formula()),
          perKernel.apply(rule -> code(rule.id())),
          perKernel.apply(MethodTable::state),
          perKernel.apply(rule -> String.valueOf(passes(rule))),
          perKernel.apply(rule -> read(rule) + " + " + written(rule)),
          method.source(),
          numbers(List.of(method.names()), vectors),
          method.differs());
    }
    page.append(OTHERS);
    for (List<String> other : OTHER_METHODS) {
      row(
          page,
          "`" + other.get(0) + "`",
          code(other.get(1)),
          other.get(2),
          other.get(3),
          other.get(4),
          numbers(List.of(other.get(0)), vectors),
          other.get(5));
    }
    return page.append(MethodIndex.section()).toString();
  }

  /** The methods of the second table. */
  static Set<String> others() {
    return OTHER_METHODS.stream()
        .map(row -> row.get(0))
        .collect(Collectors.toCollection(TreeSet::new));
  }

  private static void row(StringBuilder page, String... cells) {
    page.append(
        Arrays.stream(cells)
            .map(cell -> cell.replace("|", "\\|"))
            .collect(Collectors.joining(" | ", "| ", " |\n")));
  }

  private static String code(String text) {
    return "`" + text + "`";
  }

  /** The numbers of the vectors of every method. */
  private static Map<String, List<String>> vectors() {
    Map<String, List<String>> vectors = new TreeMap<>();
    Pattern name = Pattern.compile("(.+)-(\\d+)\\.safetensors");
    for (Path file : GoldenFiles.all()) {
      Matcher matcher = name.matcher(file.getFileName().toString());
      if (!matcher.matches()) {
        throw new IllegalStateException(file + ": expected METHOD-NN.safetensors");
      }
      vectors.computeIfAbsent(matcher.group(1), key -> new ArrayList<>()).add(matcher.group(2));
    }
    return vectors;
  }

  private static String numbers(List<String> methods, Map<String, List<String>> vectors) {
    return methods.stream()
        .filter(vectors::containsKey)
        .map(method -> method + " " + String.join(", ", vectors.get(method)))
        .collect(Collectors.joining("; "));
  }

  /** The kernels of a record, in the registry's order, each with a rule that it serves. */
  private static Map<String, Rule> kernels(Class<? extends Rule> type) {
    Map<String, Rule> kernels = new TreeMap<>(Comparator.comparing(Rules::number));
    RuleVariants.of(type).forEach(rule -> kernels.putIfAbsent(rule.id(), rule));
    return kernels;
  }

  private static String state(Rule rule) {
    String states = rule.states().isEmpty() ? "none" : String.join(", ", rule.states());
    return rule.scalars().isEmpty()
        ? states
        : states + " (" + String.join(", ", rule.scalars()) + ")";
  }

  private static int passes(Rule rule) {
    return 1 + rule.gathers() + (rule.needsGradientNorm() ? 1 : 0);
  }

  /** The norm pass reads the gradient, a gather what its terms depend on, the update all. */
  private static int read(Rule rule) {
    int arrays = rule.needsGradientNorm() ? 1 : 0;
    for (int k = 0; k < rule.gathers(); k++) {
      arrays += gathered(rule, k);
    }
    return Float.BYTES * (arrays + 2 + rule.states().size());
  }

  private static int written(Rule rule) {
    return Float.BYTES * (1 + rule.states().size());
  }

  /** How many arrays the terms of a gather depend on: found by changing one after the other. */
  private static int gathered(Rule rule, int gather) {
    int arrays = 0;
    double[] before = terms(rule, gather, -1);
    for (int changed = 0; changed < 2 + rule.states().size(); changed++) {
      if (!Arrays.equals(before, terms(rule, gather, changed))) {
        arrays++;
      }
    }
    return arrays;
  }

  private static double[] terms(Rule rule, int gather, int changed) {
    int n = 64;
    int states = rule.states().size();
    float[][] arrays = new float[2 + states][n];
    for (int i = 0; i < arrays.length; i++) {
      Random random = new Random(i == changed ? 1000 : i);
      for (int k = 0; k < n; k++) {
        // States of second moments must be positive.
        arrays[i][k] = i < 2 ? random.nextFloat() - 0.5f : random.nextFloat();
      }
    }
    float[][] a = new float[4][n];
    float[][] b = new float[4][n];
    float[] coefficients = new float[24];
    Random random = new Random(2000);
    for (int i = 0; i < coefficients.length; i++) {
      coefficients[i] = 0.1f + 0.8f * random.nextFloat();
    }
    float[][] state = Arrays.copyOfRange(arrays, 2, arrays.length);
    rule.gather(gather, coefficients, n, arrays[0], arrays[1], state, a, b);
    double[] terms = new double[rule.sums() * n];
    for (int j = 0; j < rule.sums(); j++) {
      for (int k = 0; k < n; k++) {
        terms[j * n + k] = (double) a[j][k] * b[j][k];
      }
    }
    return terms;
  }
}
