package org.fettle.testkit;

import java.util.ArrayList;
import java.util.List;
import org.fettle.Arithmetic;
import org.fettle.Backend;
import org.fettle.internal.Access;
import org.fettle.internal.NativeLibrary;
import org.fettle.internal.algebra.Products;

/** What this machine can run, said once per JVM, loudly. */
public final class Machine {
  private static final List<Backend> BACKENDS = find();
  private static final List<Backend> PRODUCTS =
      BACKENDS.stream().filter(Machine::multiplies).toList();

  private Machine() {}

  /** Every backend that this machine has; java, the specification, first. */
  public static List<Backend> backends() {
    return BACKENDS;
  }

  /** Those of them whose tensors lie in this process's memory. */
  public static List<Backend> hostBackends() {
    return BACKENDS.stream().filter(b -> b.device().equals(org.fettle.Device.CPU)).toList();
  }

  /** Those that multiply matrices: CUDA only where its preset and NVIDIA's libraries are there. */
  public static List<Backend> productBackends() {
    return PRODUCTS;
  }

  private static boolean multiplies(Backend backend) {
    try {
      Products.of(Access.engine(backend));
      return true;
    } catch (IllegalStateException e) {
      System.out.println("#### NOT RUN: products on " + backend.name() + ": " + e.getMessage());
      return false;
    }
  }

  /** Says on standard output what a suite did. */
  public static void say(String suite, String what) {
    System.out.println("#### " + suite + ": " + what);
  }

  private static List<Backend> find() {
    List<Backend> found = new ArrayList<>();
    List<String> names = new ArrayList<>();
    List<String> missing = new ArrayList<>();
    for (Backend.Availability one : Backend.all()) {
      if (one.isAvailable()) {
        found.add(Backend.named(one.name()));
        names.add(one.name());
      } else {
        missing.add(one.name() + ": " + one.reason());
      }
    }
    if (names.stream().noneMatch(name -> name.startsWith("cuda"))
        && missing.stream().noneMatch(text -> text.startsWith("cuda"))) {
      missing.add("cuda: there is no such backend in this build");
    }
    if (!names.get(0).equals("java")) {
      throw new AssertionError("java is the reference and comes first, but there are " + names);
    }
    System.out.println("################################################################");
    System.out.println("#### backends under test: " + String.join(", ", names));
    System.out.println("#### CPU tiers: " + NativeLibrary.tierNames());
    System.out.println(
        "#### JDK: "
            + System.getProperty("java.version")
            + ", fma "
            + (Arithmetic.hardwareFma() ? "by instruction" : "emulated")
            + ", "
            + Runtime.getRuntime().availableProcessors()
            + " processors");
    for (String one : missing) {
      System.out.println("#### NOT RUN: backend " + one);
    }
    System.out.println("################################################################");
    return List.copyOf(found);
  }
}
