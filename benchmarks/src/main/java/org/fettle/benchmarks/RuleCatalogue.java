package org.fettle.benchmarks;

import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.RecordComponent;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.fettle.Rule;
import org.fettle.Rules;

/**
 * One record for every registered kernel, found by switching options on: a new rule is measured by
 * being registered.
 */
final class RuleCatalogue {
  private static final double SWITCHED_ON = 0.5;
  private static final int MOST_SWITCHES = 3;

  private RuleCatalogue() {}

  /** By id, in the registry's order. */
  static Map<String, Rule> all() {
    Map<String, Rule> found = new LinkedHashMap<>();
    for (Class<? extends Rule> record : Rules.records()) {
      for (int switches = 0; switches <= MOST_SWITCHES; switches++) {
        collect(record, switches, found);
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

  private static void collect(Class<? extends Rule> record, int switches, Map<String, Rule> found) {
    RecordComponent[] components = record.getRecordComponents();
    for (int chosen = 0; chosen < 1 << components.length; chosen++) {
      if (Integer.bitCount(chosen) == switches) {
        Rule rule = make(record, components, chosen);
        if (rule != null) {
          found.putIfAbsent(rule.id(), rule);
        }
      }
    }
  }

  /** The record with its defaults, but for the chosen options; null where that makes no sense. */
  private static Rule make(Class<? extends Rule> record, RecordComponent[] components, int chosen) {
    try {
      Rule defaults = record.getDeclaredConstructor().newInstance();
      List<Class<?>> types = new ArrayList<>();
      List<Object> values = new ArrayList<>();
      for (int i = 0; i < components.length; i++) {
        Object value = components[i].getAccessor().invoke(defaults);
        if ((chosen >> i & 1) != 0) {
          if (value instanceof Boolean flag) {
            value = !flag;
          } else if (value instanceof Double number && number == 0) {
            value = SWITCHED_ON;
          } else {
            return null;
          }
        }
        types.add(components[i].getType());
        values.add(value);
      }
      Constructor<? extends Rule> canonical =
          record.getDeclaredConstructor(types.toArray(Class<?>[]::new));
      return canonical.newInstance(values.toArray());
    } catch (InvocationTargetException e) {
      if (e.getCause() instanceof IllegalArgumentException) {
        return null;
      }
      throw new IllegalStateException(record + " cannot be made", e);
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(record + " has no constructor with all defaults", e);
    }
  }
}
