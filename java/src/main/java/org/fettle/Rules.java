package org.fettle;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The registry of rules, read from the same {@code rules.def} that the kernels are compiled from.
 */
public final class Rules {
  private static final Pattern LINE =
      Pattern.compile("^FETTLE_RULE\\((\\w+), \"([\\w.]+)\", (.+)\\)$", Pattern.MULTILINE);

  private static final Map<String, Integer> NUMBERS = new LinkedHashMap<>();
  private static final Map<String, String> RECORD_NAMES = new HashMap<>();
  private static final List<Class<? extends Rule>> RECORDS = new ArrayList<>();

  static {
    Set<String> records = new LinkedHashSet<>();
    Matcher line = LINE.matcher(definitions());
    while (line.find()) {
      NUMBERS.put(line.group(1), NUMBERS.size());
      RECORD_NAMES.put(line.group(1), line.group(2));
      records.add(line.group(2));
    }
    for (String record : records) {
      try {
        RECORDS.add(Class.forName(record).asSubclass(Rule.class));
      } catch (ClassNotFoundException e) {
        throw new IllegalStateException("rules.def names a record that is not there: " + record, e);
      }
    }
  }

  private Rules() {}

  /** The records of all registered rules, in the registry's order. */
  public static List<Class<? extends Rule>> records() {
    return List.copyOf(RECORDS);
  }

  /** The ids of all registered kernels, in the registry's order. */
  public static List<String> ids() {
    return List.copyOf(NUMBERS.keySet());
  }

  /** The position of a kernel in the registry, or -1 for a rule that only Java has. */
  public static int number(String id) {
    return NUMBERS.getOrDefault(id, -1);
  }

  /** Whether the rule is the registry's own, and not another class that has taken its id. */
  static boolean isRegistered(Rule rule) {
    return rule.getClass().getName().equals(RECORD_NAMES.get(rule.id()));
  }

  /** The names of all methods that {@link #of} knows. */
  public static Set<String> methods() {
    Set<String> names = new TreeSet<>();
    for (Class<? extends Rule> record : RECORDS) {
      names.addAll(List.of(record.getAnnotation(Method.class).names()));
    }
    return names;
  }

  /**
   * Makes a rule by its method's name.
   *
   * @param method a name of {@link #methods}
   * @param hyper the hyperparameters; every one of them must be known to the rule
   * @throws IllegalArgumentException for an unknown method or option, or a value out of range
   */
  public static Rule of(String method, Hyper hyper) {
    Objects.requireNonNull(method, "method");
    Objects.requireNonNull(hyper, "hyper");
    for (Class<? extends Rule> record : RECORDS) {
      if (List.of(record.getAnnotation(Method.class).names()).contains(method)) {
        Rule rule = make(record, method, hyper);
        if (!hyper.unread().isEmpty()) {
          throw new IllegalArgumentException(
              "method " + method + " has no option " + hyper.unread());
        }
        return rule;
      }
    }
    throw new IllegalArgumentException(
        "unknown method " + method + ": expected one of " + methods());
  }

  private static Rule make(Class<? extends Rule> record, String method, Hyper hyper) {
    try {
      return (Rule)
          record.getMethod("fromHyper", String.class, Hyper.class).invoke(null, method, hyper);
    } catch (InvocationTargetException e) {
      if (e.getCause() instanceof IllegalArgumentException cause) {
        throw cause;
      }
      throw new IllegalStateException(record + " cannot be made", e.getCause());
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(record + " has no factory fromHyper(String, Hyper)", e);
    }
  }

  private static String definitions() {
    try (InputStream in = Rules.class.getResourceAsStream("/org/fettle/rules.def")) {
      if (in == null) {
        throw new IllegalStateException("org/fettle/rules.def is missing from the jar");
      }
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
