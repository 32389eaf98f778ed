package org.fettle.benchmarks;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.RecordComponent;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.fettle.Rule;
import org.fettle.Rules;

/**
 * One record for every registered kernel: the defaults of its record with as few options changed as
 * lead to it. So a new rule is measured by being registered.
 */
final class RuleCatalogue {
  private static final int MOST_CHANGES = 3;

  private RuleCatalogue() {}

  /** By id, in the registry's order. */
  static Map<String, Rule> all() {
    Map<String, Rule> found = new LinkedHashMap<>();
    for (Class<? extends Rule> record : Rules.records()) {
      Object[] defaults = defaults(record);
      for (int changes = 0; changes <= MOST_CHANGES; changes++) {
        collect(record, defaults, 0, changes, found);
      }
    }
    Map<String, Rule> ordered = new LinkedHashMap<>();
    for (String id : Rules.ids()) {
      if (!found.containsKey(id)) {
        throw new IllegalStateException("no options of its record lead to kernel " + id);
      }
      ordered.put(id, found.get(id));
    }
    return ordered;
  }

  private static void collect(
      Class<? extends Rule> record,
      Object[] values,
      int from,
      int changes,
      Map<String, Rule> found) {
    if (changes == 0) {
      Rule rule = make(record, values);
      if (rule != null) {
        found.putIfAbsent(rule.id(), rule);
      }
      return;
    }
    for (int i = from; i < values.length; i++) {
      for (Object other : others(values[i])) {
        Object[] changed = values.clone();
        changed[i] = other;
        collect(record, changed, i + 1, changes - 1, found);
      }
    }
  }

  /**
   * What a component may be changed to: a switch turned, another constant, a number to 0 or from
   * it.
   */
  private static List<Object> others(Object value) {
    if (value instanceof Boolean flag) {
      return List.of(!flag);
    }
    if (value instanceof Enum<?> constant) {
      return java.util.Arrays.stream((Object[]) constant.getDeclaringClass().getEnumConstants())
          .filter(other -> other != value)
          .toList();
    }
    if (value instanceof Double number) {
      return List.of(number == 0 ? 0.5 : 0.0);
    }
    return List.of();
  }

  private static Object[] defaults(Class<? extends Rule> record) {
    try {
      Rule rule = record.getDeclaredConstructor().newInstance();
      RecordComponent[] components = record.getRecordComponents();
      Object[] values = new Object[components.length];
      for (int i = 0; i < values.length; i++) {
        values[i] = components[i].getAccessor().invoke(rule);
      }
      return values;
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(record + " has no constructor with all defaults", e);
    }
  }

  /** The record with these components; null where its constructor refuses them. */
  private static Rule make(Class<? extends Rule> record, Object[] values) {
    Class<?>[] types =
        java.util.Arrays.stream(record.getRecordComponents())
            .map(RecordComponent::getType)
            .toArray(Class<?>[]::new);
    try {
      return record.getDeclaredConstructor(types).newInstance(values);
    } catch (InvocationTargetException e) {
      if (e.getCause() instanceof IllegalArgumentException) {
        return null;
      }
      throw new IllegalStateException(record + " cannot be made", e);
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(record + " cannot be made", e);
    }
  }
}
