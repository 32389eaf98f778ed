package org.fettle.misuse;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.RecordComponent;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.fettle.Hyper;
import org.fettle.Rule;
import org.fettle.Rules;
import org.fettle.testkit.RuleVariants;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every hyperparameter of every registered record, by way of the record alone. */
class RecordsMisuseTest {
  private static final String RECORDS = "org.fettle.Rules#records";

  @ParameterizedTest
  @MethodSource(RECORDS)
  void noNumberMayBeNanOrInfinite(Class<? extends Rule> record) {
    for (double wrong : new double[] {Double.NaN, Double.POSITIVE_INFINITY, -1.0 / 0.0}) {
      eachNumber(record, wrong, true);
    }
  }

  /**
   * What a number may not be it may not be by a hair either; the message names it and its value.
   */
  @ParameterizedTest
  @MethodSource(RECORDS)
  void whatIsOutOfRangeIsNamed(Class<? extends Rule> record) {
    for (double wrong : new double[] {-1, -1e-300, -1e300, 1e300, 1, 2, 0}) {
      eachNumber(record, wrong, false);
    }
    Refusal.ofArgument(
        () -> RuleVariants.make(record, with(record, lrOf(record), -1e-300)), "lr", "-1.0E-300");
  }

  private static void eachNumber(Class<? extends Rule> record, double wrong, boolean always) {
    RecordComponent[] components = record.getRecordComponents();
    for (int i = 0; i < components.length; i++) {
      if (components[i].getType() != double.class) {
        continue;
      }
      String name = components[i].getName();
      Object[] values = with(record, i, wrong);
      Refused byConstructor = refused(() -> RuleVariants.make(record, values));
      assertTrue(byConstructor.refused || !always, record + " takes " + name + " = " + wrong);
      assertEquals(
          byConstructor.refused,
          refused(() -> change(RuleVariants.defaults(record), name, wrong)).refused,
          record + ": with" + name + "(" + wrong + ") and the constructor disagree");
      if (byConstructor.refused) {
        assertTrue(
            byConstructor.message.contains(name)
                && byConstructor.message.contains(String.valueOf(wrong))
                && byConstructor.message.contains("expected"),
            record + ": " + byConstructor.message);
      }
    }
  }

  @ParameterizedTest
  @MethodSource(RECORDS)
  void eachWithChangesOneThing(Class<? extends Rule> record) {
    for (Rule variant : RuleVariants.of(record)) {
      Object[] values = RuleVariants.values(variant);
      Rule rebuilt = RuleVariants.defaults(record);
      // Switches last, because some of them need numbers.
      for (boolean switches : new boolean[] {false, true}) {
        for (int i = 0; i < values.length; i++) {
          RecordComponent component = record.getRecordComponents()[i];
          if (switches == (component.getType() == boolean.class)) {
            Object[] expected = RuleVariants.values(rebuilt);
            expected[i] = values[i];
            rebuilt = change(rebuilt, component.getName(), values[i]);
            assertEquals(RuleVariants.make(record, expected), rebuilt);
          }
        }
      }
      assertEquals(variant, rebuilt);
      assertEquals(variant.lr(), variant.hyper()[0], "lr is not the first hyperparameter");
      assertTrue(variant.hyper().length <= 24, "more hyperparameters than the plan tables hold");
    }
  }

  @ParameterizedTest
  @MethodSource(RECORDS)
  void namedOptionsAreRead(Class<? extends Rule> record) {
    for (String method : record.getAnnotation(org.fettle.Method.class).names()) {
      Map<String, Object> needed = needed(record, method);
      assertEquals(record, Rules.of(method, new Hyper(needed)).getClass(), method);
      assertEquals(0.25, Rules.of(method, with(needed, "lr", 0.25)).lr(), method);
      Refusal.ofArgument(
          () -> Rules.of(method, with(needed, "no_such_option", 1)),
          "method " + method,
          "no_such_option");
      Refusal.ofArgument(() -> Rules.of(method, with(needed, "lr", Double.NaN)), "lr is NaN");
      for (String option : needed.keySet()) {
        Refusal.ofArgument(() -> Rules.of(method, with(needed, option, "?")), option, "?");
      }
    }
  }

  /** The options without which a method is refused, with the record's defaults. */
  private static Map<String, Object> needed(Class<? extends Rule> record, String method) {
    Map<String, Object> needed = new HashMap<>();
    Pattern missing = Pattern.compile("(?:hyperparameter )?(\\w+) is .*");
    while (true) {
      Refused refused = refused(() -> Rules.of(method, new Hyper(needed)));
      if (!refused.refused) {
        return needed;
      }
      Matcher matcher = missing.matcher(refused.message);
      assertTrue(matcher.matches(), method + " without options: " + refused.message);
      assertFalse(needed.containsKey(matcher.group(1)), refused.message);
      needed.put(matcher.group(1), defaultOf(record, matcher.group(1)));
    }
  }

  private static Object defaultOf(Class<? extends Rule> record, String option) {
    RecordComponent[] components = record.getRecordComponents();
    for (int i = 0; i < components.length; i++) {
      if (components[i].getName().equalsIgnoreCase(option.replace("_", ""))) {
        Object value = RuleVariants.values(RuleVariants.defaults(record))[i];
        return value instanceof Enum<?> word ? word.name().toLowerCase(Locale.ROOT) : value;
      }
    }
    throw new AssertionError(record + " needs an option that it has no component for: " + option);
  }

  private static Hyper with(Map<String, Object> values, String name, Object value) {
    Map<String, Object> all = new HashMap<>(values);
    all.put(name, value);
    return new Hyper(all);
  }

  private static int lrOf(Class<? extends Rule> record) {
    return Arrays.stream(record.getRecordComponents())
        .map(RecordComponent::getName)
        .toList()
        .indexOf("lr");
  }

  private static Object[] with(Class<? extends Rule> record, int index, double value) {
    Object[] values = RuleVariants.values(RuleVariants.defaults(record));
    values[index] = value;
    return values;
  }

  /**
   * Calls a record's with-method. One that changes several components at once is given the others
   * as they are.
   */
  private static Rule change(Rule rule, String component, Object value) {
    String name = "with" + Character.toUpperCase(component.charAt(0)) + component.substring(1);
    Method method =
        Arrays.stream(rule.getClass().getMethods())
            .filter(one -> one.getName().equals(name))
            .findFirst()
            .orElseThrow(() -> new AssertionError(rule.getClass() + " has no " + name));
    RecordComponent[] components = rule.getClass().getRecordComponents();
    int at = 0;
    while (!components[at].getName().equals(component)) {
      at++;
    }
    Object[] arguments =
        Arrays.copyOfRange(RuleVariants.values(rule), at, at + method.getParameterCount());
    arguments[0] = value;
    try {
      return (Rule) method.invoke(rule, arguments);
    } catch (InvocationTargetException e) {
      if (e.getCause() instanceof RuntimeException cause) {
        throw cause;
      }
      throw new AssertionError(method + Arrays.toString(arguments), e.getCause());
    } catch (IllegalAccessException e) {
      throw new LinkageError(e.getMessage(), e);
    }
  }

  private record Refused(boolean refused, String message) {}

  private static Refused refused(Runnable call) {
    try {
      call.run();
      return new Refused(false, null);
    } catch (IllegalArgumentException e) {
      return new Refused(true, e.getMessage());
    }
  }
}
