package org.fettle.testkit;

import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.RecordComponent;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.fettle.Rule;
import org.fettle.Rules;

/**
 * Variants of every registered rule, derived from its record alone, so that a new rule is tested by
 * being registered: the defaults, every number that is 0 by default made 0.1 (one by one, and all),
 * every number but the learning rate made 0, and all of these with every combination of switches.
 * What a record's constructor refuses is left out.
 */
public final class RuleVariants {
  private RuleVariants() {}

  /** All variants of all registered records; the defaults of each record first. */
  public static List<Rule> all() {
    List<Rule> all = new ArrayList<>();
    Rules.records().forEach(record -> all.addAll(of(record)));
    return all;
  }

  /** The first variant with that id. */
  public static Rule withId(String id) {
    return all().stream()
        .filter(rule -> rule.id().equals(id))
        .findFirst()
        .orElseThrow(() -> new AssertionError("no variant of a registered record has id " + id));
  }

  /** The variants of one record. */
  public static List<Rule> of(Class<? extends Rule> record) {
    Object[] defaults = values(defaults(record));
    Set<Rule> variants = new LinkedHashSet<>();
    for (Object[] numbers : numbers(record, defaults)) {
      switches(record, numbers, 0, variants);
    }
    return List.copyOf(variants);
  }

  /** The rule that the record's constructor without parameters makes. */
  public static Rule defaults(Class<? extends Rule> record) {
    try {
      return record.getDeclaredConstructor().newInstance();
    } catch (ReflectiveOperationException e) {
      throw new LinkageError(record + " needs a constructor without parameters", e);
    }
  }

  /** A record's components, in order. */
  public static Object[] values(Rule rule) {
    return Arrays.stream(rule.getClass().getRecordComponents())
        .map(
            component -> {
              try {
                return component.getAccessor().invoke(rule);
              } catch (ReflectiveOperationException e) {
                throw new LinkageError(e.getMessage(), e);
              }
            })
        .toArray();
  }

  /**
   * Makes a record of its components.
   *
   * @throws IllegalArgumentException if the constructor does
   */
  public static Rule make(Class<? extends Rule> record, Object[] values) {
    Class<?>[] types =
        Arrays.stream(record.getRecordComponents())
            .map(RecordComponent::getType)
            .toArray(Class<?>[]::new);
    try {
      Constructor<? extends Rule> constructor = record.getDeclaredConstructor(types);
      return constructor.newInstance(values);
    } catch (InvocationTargetException e) {
      if (e.getCause() instanceof IllegalArgumentException refused) {
        throw refused;
      }
      throw new AssertionError(record + Arrays.toString(values), e.getCause());
    } catch (ReflectiveOperationException e) {
      throw new LinkageError(e.getMessage(), e);
    }
  }

  private static List<Object[]> numbers(Class<? extends Rule> record, Object[] defaults) {
    List<Object[]> all = new ArrayList<>();
    all.add(defaults);
    Object[] everyOne = defaults.clone();
    for (int i = 0; i < defaults.length; i++) {
      if (isNumber(defaults[i]) && ((Number) defaults[i]).doubleValue() == 0) {
        Object[] one = defaults.clone();
        one[i] = likeOf(defaults[i], 0.1);
        all.add(one);
        everyOne = withIfAccepted(record, everyOne, i, one[i]);
      }
    }
    all.add(everyOne);
    Object[] zero = defaults.clone();
    for (int i = 0; i < defaults.length; i++) {
      if (isNumber(defaults[i]) && !record.getRecordComponents()[i].getName().equals("lr")) {
        zero = withIfAccepted(record, zero, i, likeOf(defaults[i], 0));
      }
    }
    all.add(zero);
    return all;
  }

  private static void switches(
      Class<? extends Rule> record, Object[] values, int from, Set<Rule> variants) {
    for (int i = from; i < values.length; i++) {
      List<Object> choices = choices(values[i]);
      if (!choices.isEmpty()) {
        for (Object choice : choices) {
          Object[] with = values.clone();
          with[i] = choice;
          switches(record, with, i + 1, variants);
        }
        return;
      }
    }
    try {
      variants.add(make(record, values));
    } catch (IllegalArgumentException e) {
      // A combination that the rule does not have.
    }
  }

  private static List<Object> choices(Object value) {
    if (value instanceof Boolean flag) {
      return List.of(flag, !flag);
    }
    if (value instanceof Enum<?> constant) {
      return List.of((Object[]) constant.getDeclaringClass().getEnumConstants());
    }
    return List.of();
  }

  private static Object[] withIfAccepted(
      Class<? extends Rule> record, Object[] values, int index, Object value) {
    Object[] with = values.clone();
    with[index] = value;
    try {
      make(record, with);
      return with;
    } catch (IllegalArgumentException e) {
      return values;
    }
  }

  private static boolean isNumber(Object value) {
    return value instanceof Number;
  }

  /** A number of the default's own type; whole numbers take 2 for a fraction. */
  private static Object likeOf(Object like, double value) {
    if (like instanceof Double) {
      return value;
    }
    if (like instanceof Float) {
      return (float) value;
    }
    long whole = value == 0 ? 0 : 2;
    if (like instanceof Long) {
      return whole;
    }
    if (like instanceof Integer) {
      return (int) whole;
    }
    throw new AssertionError("no variants for a component like " + like + ": add its type here");
  }
}
