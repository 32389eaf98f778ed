package org.fettle;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.fettle.internal.Addresses;
import org.fettle.internal.PlanSpec;

/**
 * What a plan checks before anything is allocated. Every message names the tensor, the expected and
 * the actual.
 */
final class PlanChecks {
  private PlanChecks() {}

  /** The backend for tensors that nobody chose one for: by where the first of them is. */
  static Backend backendFor(List<List<Parameter>> groups) {
    for (List<Parameter> group : groups) {
      for (Parameter parameter : group) {
        Device device = parameter.value().device();
        return device.kind() == Device.Kind.CUDA
            ? Backend.named(device.toString())
            : Backend.best();
      }
    }
    return Backend.best();
  }

  static void all(
      List<Rule> rules, List<List<Parameter>> groups, DType stateDType, Backend backend) {
    if (!stateDType.isFloating()) {
      throw new IllegalArgumentException(
          "states are " + stateDType + ": expected F32, BF16 or F16");
    }
    List<Span> spans = new ArrayList<>();
    int number = 0;
    for (int group = 0; group < groups.size(); group++) {
      Rule rule = rules.get(group);
      if (Rules.number(rule.id()) < 0 && !backend.name().equals("java")) {
        throw new IllegalArgumentException(
            "rule "
                + rule.id()
                + " of group "
                + group
                + " is not in the registry: expected backend java, is "
                + backend);
      }
      for (Parameter parameter : groups.get(group)) {
        String name = name(parameter, number++);
        Tensor value = parameter.value();
        floating(name, value);
        onDevice(name, value, backend);
        if (parameter.gradient() != null) {
          like(name + ".gradient", parameter.gradient(), value);
          floating(name + ".gradient", parameter.gradient());
        }
        if (parameter.mask() != null) {
          like(name + ".mask", parameter.mask(), value);
          if (parameter.mask().dtype() != DType.BIT) {
            throw new IllegalArgumentException(
                name + ".mask is " + parameter.mask().dtype() + ": expected BIT");
          }
        }
        if (parameter.copy() != null) {
          like(name + ".copy", parameter.copy(), value);
          floating(name + ".copy", parameter.copy());
        }
        if (parameter.average() != null) {
          like(name + ".average", parameter.average(), value);
          floating(name + ".average", parameter.average());
        }
        add(spans, name, value, true);
        add(spans, name + ".gradient", parameter.gradient(), false);
        add(spans, name + ".mask", parameter.mask(), false);
        add(spans, name + ".copy", parameter.copy(), true);
        add(spans, name + ".average", parameter.average(), true);
      }
    }
    overlaps(spans);
  }

  static void gradient(String name, PlanSpec.Entry entry, Tensor gradient, Backend backend) {
    like(name + ".gradient", gradient, entry.parameter().value());
    floating(name + ".gradient", gradient);
    onDevice(name + ".gradient", gradient, backend);
    List<Span> spans = new ArrayList<>();
    add(spans, name, entry.parameter().value(), true);
    add(spans, name + ".copy", entry.parameter().copy(), true);
    add(spans, name + ".average", entry.parameter().average(), true);
    add(spans, name + ".gradient", gradient, false);
    overlaps(spans);
  }

  static String name(PlanSpec.Entry entry, int number) {
    return name(entry.parameter(), number);
  }

  private static String name(Parameter parameter, int number) {
    return parameter.name() == null
        ? "tensor " + number
        : "tensor " + number + " (" + parameter.name() + ")";
  }

  static void floating(String name, Tensor tensor) {
    if (!tensor.dtype().isFloating()) {
      throw new IllegalArgumentException(
          name + " is " + tensor.dtype() + ": expected F32, BF16 or F16");
    }
  }

  static void onDevice(String name, Tensor tensor, Backend backend) {
    if (!tensor.device().equals(backend.device())) {
      throw new IllegalArgumentException(
          name
              + " is on "
              + tensor.device()
              + ": expected "
              + backend.device()
              + " for backend "
              + backend);
    }
  }

  static void like(String name, Tensor tensor, Tensor value) {
    if (!tensor.hasShapeOf(value) || !tensor.device().equals(value.device())) {
      throw new IllegalArgumentException(
          name + " is " + tensor + ": expected the shape and device of " + value);
    }
  }

  record Span(String name, long start, long end, boolean written) {}

  static void add(List<Span> spans, String name, Tensor tensor, boolean written) {
    boolean known = tensor != null && (tensor.buffer() == null || Addresses.known());
    if (known && tensor.elements() > 0) {
      long start = tensor.address();
      spans.add(new Span(name, start, start + tensor.bytes(), written));
    }
  }

  /**
   * Refuses memory that is written and stands in two places; two gradients or masks may share
   * theirs.
   */
  static void overlaps(List<Span> spans) {
    spans.sort(Comparator.comparingLong(Span::start));
    Span farthest = null;
    Span farthestWritten = null;
    for (Span span : spans) {
      Span other = span.written() ? farthest : farthestWritten;
      if (other != null && other.end() > span.start()) {
        throw new IllegalArgumentException(
            String.format(
                "%s overlaps %s: bytes 0x%x to 0x%x and 0x%x to 0x%x, expected separate memory",
                span.name(), other.name(), span.start(), span.end(), other.start(), other.end()));
      }
      if (farthest == null || span.end() > farthest.end()) {
        farthest = span;
      }
      if (span.written() && (farthestWritten == null || span.end() > farthestWritten.end())) {
        farthestWritten = span;
      }
    }
  }
}
