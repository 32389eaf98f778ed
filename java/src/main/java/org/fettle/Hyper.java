package org.fettle;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Named hyperparameters, as a file or a command line gives them; notes which of them were read. */
public final class Hyper {
  private final Map<String, Object> values;
  private final Set<String> read = new LinkedHashSet<>();

  /**
   * Wraps values: numbers, booleans, strings, or null for "none".
   *
   * @param values by name, in snake_case
   */
  public Hyper(Map<String, ?> values) {
    this.values = new LinkedHashMap<>(values);
  }

  /** Whether a value of that name is there and is not null. */
  public boolean has(String name) {
    read.add(name);
    return values.get(name) != null;
  }

  /** A number that must be there; the word "inf" is infinity. */
  public double number(String name) {
    Object value = value(name);
    if (value instanceof Number number) {
      return number.doubleValue();
    }
    if ("inf".equals(value)) {
      return Double.POSITIVE_INFINITY;
    }
    throw wrong(name, value, "a number");
  }

  /** A number, or the default where the name is absent or null. */
  public double number(String name, double defaultValue) {
    return has(name) ? number(name) : defaultValue;
  }

  /** An unsigned 64-bit number that must be there, given as a number or as its decimal digits. */
  public long unsigned(String name) {
    Object value = value(name);
    try {
      return Long.parseUnsignedLong(String.valueOf(value));
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException(
          "hyperparameter " + name + " is " + value + ": expected an unsigned 64-bit number", e);
    }
  }

  /** A switch that must be there. */
  public boolean flag(String name) {
    Object value = value(name);
    if (value instanceof Boolean flag) {
      return flag;
    }
    throw wrong(name, value, "true or false");
  }

  /** A switch, or the default where the name is absent or null. */
  public boolean flag(String name, boolean defaultValue) {
    return has(name) ? flag(name) : defaultValue;
  }

  /** A word that must be there. */
  public String word(String name) {
    Object value = value(name);
    if (value instanceof String word) {
      return word;
    }
    throw wrong(name, value, "a word");
  }

  /** A list of numbers that must be there. */
  public double[] numbers(String name) {
    Object value = value(name);
    if (!(value instanceof List<?> list)
        || !list.stream().allMatch(entry -> entry instanceof Number)) {
      throw wrong(name, value, "a list of numbers");
    }
    return list.stream().mapToDouble(entry -> ((Number) entry).doubleValue()).toArray();
  }

  /** The names that nobody has asked for: options that the reader does not know. */
  public List<String> unread() {
    List<String> names = new ArrayList<>(values.keySet());
    names.removeAll(read);
    return names;
  }

  private Object value(String name) {
    read.add(name);
    if (!values.containsKey(name)) {
      throw new IllegalArgumentException(
          "hyperparameter " + name + " is missing; there are " + values.keySet());
    }
    return values.get(name);
  }

  private static IllegalArgumentException wrong(String name, Object value, String expected) {
    return new IllegalArgumentException(
        "hyperparameter " + name + " is " + value + ": expected " + expected);
  }
}
