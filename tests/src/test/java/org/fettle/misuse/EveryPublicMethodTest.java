package org.fettle.misuse;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.reflect.Constructor;
import java.lang.reflect.Executable;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.fettle.Arithmetic;
import org.fettle.Backend;
import org.fettle.Doctor;
import org.fettle.NonFiniteGradientException;
import org.fettle.Plan;
import org.fettle.PlanBuilder;
import org.fettle.Rule;
import org.junit.jupiter.api.Test;

/** Every public method that can be called wrongly is called wrongly by some test here. */
class EveryPublicMethodTest {
  /** Classes without a wrong call: functions of numbers, what only others implement or start. */
  private static final Set<String> EXEMPT =
      Set.of(
          Arithmetic.class.getName(),
          "org.fettle.Transcendental",
          Doctor.class.getName(),
          NonFiniteGradientException.class.getName(),
          Rule.class.getName(),
          Rule.StepContext.class.getName(),
          Backend.Availability.class.getName());

  /** Classes whose wrong calls are the matter of {@code PrimitivesMisuseTest}. */
  private static final Set<String> PRIMITIVES =
      Set.of(
          "Gradients",
          "ConstantGradients",
          "NormLoss",
          "Perturbation",
          "Schedule",
          "StableMax",
          "WeightCompander");

  /** Of these classes the methods without parameters count too: they can be called too late. */
  private static final Set<Class<?>> CLOSEABLE = Set.of(Plan.class, PlanBuilder.class);

  @Test
  void isCalledWrongly() throws Exception {
    Set<String> there = new TreeSet<>();
    for (Class<?> type : classes(Plan.class, "org/fettle")) {
      if (Modifier.isPublic(type.getModifiers())
          && !EXEMPT.contains(type.getName())
          && !PRIMITIVES.contains(type.getSimpleName())) {
        for (Executable one : executables(type)) {
          there.add(signature(type, one));
        }
      }
    }
    Set<String> tested = new TreeSet<>();
    for (Class<?> type : classes(EveryPublicMethodTest.class, "org/fettle/misuse")) {
      for (Method method : type.getDeclaredMethods()) {
        Misuses misuses = method.getAnnotation(Misuses.class);
        if (misuses != null) {
          assertTrue(method.getAnnotations().length > 1, method + " is not a test");
          tested.addAll(List.of(misuses.value()));
        }
      }
    }
    Set<String> untested = new TreeSet<>(there);
    untested.removeAll(tested);
    Set<String> gone = new TreeSet<>(tested);
    gone.removeAll(there);
    assertEquals(Set.of(), untested, "public methods without a test of their misuse");
    assertEquals(Set.of(), gone, "tests of public methods that are not there");
  }

  private static List<Executable> executables(Class<?> type) {
    List<Executable> all = new ArrayList<>();
    if (!type.isEnum() && !type.isAnnotation()) {
      for (Constructor<?> constructor : type.getConstructors()) {
        all.add(constructor);
      }
    }
    for (Method method : type.getDeclaredMethods()) {
      all.add(method);
    }
    all.removeIf(
        one ->
            !Modifier.isPublic(one.getModifiers())
                || one.isSynthetic()
                || (one.getParameterCount() == 0 && !CLOSEABLE.contains(type))
                || Set.of("equals", "toString", "valueOf").contains(one.getName()));
    return all;
  }

  private static String signature(Class<?> type, Executable one) {
    return type.getSimpleName()
        + "."
        + (one instanceof Method method ? method.getName() : "new")
        + Arrays.stream(one.getParameterTypes())
            .map(Class::getSimpleName)
            .collect(Collectors.joining(", ", "(", ")"));
  }

  /** The classes directly in a package, from the folder or jar that holds {@code beside}. */
  private static List<Class<?>> classes(Class<?> beside, String folder)
      throws IOException, URISyntaxException, ClassNotFoundException {
    Path place = Path.of(beside.getProtectionDomain().getCodeSource().getLocation().toURI());
    if (Files.isDirectory(place)) {
      return classes(place.resolve(folder), folder);
    }
    try (FileSystem jar = FileSystems.newFileSystem(URI.create("jar:" + place.toUri()), Map.of())) {
      return classes(jar.getPath(folder), folder);
    }
  }

  private static List<Class<?>> classes(Path folder, String name)
      throws IOException, ClassNotFoundException {
    List<Class<?>> all = new ArrayList<>();
    try (Stream<Path> files = Files.list(folder)) {
      for (Path file : (Iterable<Path>) files::iterator) {
        String fileName = file.getFileName().toString();
        if (fileName.endsWith(".class") && !fileName.startsWith("package-info")) {
          String className = fileName.substring(0, fileName.length() - ".class".length());
          all.add(Class.forName(name.replace('/', '.') + "." + className));
        }
      }
    }
    assertTrue(all.size() > 1, "no classes in " + folder);
    return all;
  }
}
