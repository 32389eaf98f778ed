package org.fettle;

import java.util.List;
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

  /** What messages call an average of a parameter. */
  static String average(String name, Parameter parameter, int number) {
    return parameter.averages().size() == 1 ? name + ".average" : name + ".average " + number;
  }

  static void all(
      List<Rule> rules,
      List<List<Parameter>> groups,
      DType stateDType,
      int averages,
      Backend backend) {
    if (!stateDType.isFloating()) {
      throw new IllegalArgumentException(
          "states are " + stateDType + ": expected F32, BF16 or F16");
    }
    Spans spans = new Spans();
    int number = 0;
    for (int group = 0; group < groups.size(); group++) {
      Rule rule = rules.get(group);
      rule(rule, group, backend);
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
        if (parameter.averages().size() > averages) {
          throw new IllegalArgumentException(
              name
                  + " has "
                  + parameter.averages().size()
                  + " averages: expected at most "
                  + averages
                  + ", as many as the plan says how to move");
        }
        for (int k = 0; k < parameter.averages().size(); k++) {
          like(average(name, parameter, k), parameter.averages().get(k), value);
          floating(average(name, parameter, k), parameter.averages().get(k));
        }
        for (Tensor tensor : parameter.tensors()) {
          owned(name, tensor, backend);
        }
        spans.addWritten(name, parameter);
        spans.add(name + ".gradient", parameter.gradient(), false);
        spans.add(name + ".mask", parameter.mask(), false);
      }
    }
    spans.check();
  }

  static void gradient(String name, PlanSpec.Entry entry, Tensor gradient, Backend backend) {
    like(name + ".gradient", gradient, entry.parameter().value());
    floating(name + ".gradient", gradient);
    onDevice(name + ".gradient", gradient, backend);
    owned(name + ".gradient", gradient, backend);
  }

  /** A rule of the registry; on the Java backend also another, within what a tile has room for. */
  private static void rule(Rule rule, int group, Backend backend) {
    String name = "rule " + rule.id() + " of group " + group;
    if (!Rules.isRegistered(rule) && !backend.name().equals("java")) {
      throw new IllegalArgumentException(
          name + " is not in the registry: expected backend java, is " + backend);
    }
    atMost(name, "states", rule.states().size(), PlanSpec.MAX_STATES);
    atMost(name, "scalars", rule.scalars().size(), PlanSpec.MAX_SCALARS);
    atMost(name, "sums", rule.sums(), PlanSpec.MAX_SUMS);
  }

  private static void atMost(String name, String what, int actual, int most) {
    if (actual > most) {
      throw new IllegalArgumentException(
          name + " has " + actual + " " + what + ": expected at most " + most);
    }
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

  /** A plan's states go when the plan is closed, whoever else still uses them. */
  private static void owned(String name, Tensor tensor, Backend backend) {
    if (backend.engine().owns(tensor)) {
      throw new IllegalArgumentException(
          name + " uses the state of a plan: expected memory of your own");
    }
  }

  /** A state may be looked at while its plan is open, but not after. */
  static void notFreed(String name, Tensor tensor, Backend backend) {
    if (backend.engine().isFreed(tensor)) {
      throw new IllegalArgumentException(
          name + " is the state of a plan that is closed: expected memory that is there");
    }
  }

  static void like(String name, Tensor tensor, Tensor value) {
    if (!tensor.hasShapeOf(value) || !tensor.device().equals(value.device())) {
      throw new IllegalArgumentException(
          name + " is " + tensor + ": expected the shape and device of " + value);
    }
  }
}
