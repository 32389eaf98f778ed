package org.fettle.kernels;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.lang.reflect.Field;
import java.net.URI;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.fettle.Backend;
import org.fettle.Tensor;
import org.fettle.internal.Engines;
import org.fettle.internal.Kernel;
import org.fettle.internal.KernelCall;
import org.fettle.internal.Native;
import org.fettle.internal.NativeLibrary;
import org.fettle.internal.kernels.ReduceKernels;
import org.fettle.replay.Workbench;
import org.junit.jupiter.api.Test;

/** The registry of kernels and the way of a call, by the smallest kernel. */
class KernelRegistryTest {
  @Test
  void everyKernelHasItsTwin() throws Exception {
    assumeTrue(NativeLibrary.isLoaded(), "no native library");
    TreeSet<String> lines = new TreeSet<>();
    for (int i = 0; Native.kernelId(i) != null; i++) {
      lines.add(Native.kernelId(i));
    }
    TreeSet<String> twins = new TreeSet<>();
    for (Class<?> family : families()) {
      for (Field field : family.getDeclaredFields()) {
        if (field.getType() == Kernel.class) {
          field.setAccessible(true);
          twins.add(((Kernel) field.get(null)).id());
        }
      }
    }
    assertEquals(lines, twins, "lines of kernels.def against the constants of the Java twins");
  }

  @Test
  void rowMaximaAreEqualOnEveryBackend() {
    Random random = new Random(7);
    for (int columns : new int[] {0, 1, 7, 16, 33, 4095, 4097, 10000}) {
      int rows = 37;
      float[] values = new float[rows * columns];
      for (int i = 0; i < values.length; i++) {
        values[i] = (float) random.nextGaussian();
      }
      if (columns > 5) {
        values[3] = Float.NaN;
        values[columns + 2] = Float.NEGATIVE_INFINITY;
      }
      float[] expected = null;
      for (Backend.Availability backend : Backend.all()) {
        if (!backend.isAvailable()) {
          continue;
        }
        for (int threads = 1; threads <= 3; threads++) {
          try (Workbench bench = new Workbench(backend.name())) {
            Tensor x = bench.tensor(values, rows, columns);
            Tensor out = bench.tensor(new float[rows], rows);
            Engines.named(backend.name())
                .run(
                    new KernelCall(ReduceKernels.ROW_ABSOLUTE_MAX)
                        .arrays(x, out)
                        .integers(columns)
                        .units(rows, 1L << 20)
                        .threads(threads));
            float[] actual = bench.floats(out);
            if (expected == null) {
              expected = actual;
            }
            assertArrayEquals(expected, actual, backend.name() + ", columns " + columns);
          }
        }
      }
    }
  }

  /** All classes of the package of the twins, from a folder or a jar. */
  private static List<Class<?>> families() throws IOException, ReflectiveOperationException {
    String packageName = ReduceKernels.class.getPackageName();
    String folder = packageName.replace('.', '/');
    URI uri =
        URI.create(
            ReduceKernels.class
                .getResource("ReduceKernels.class")
                .toString()
                .replace("/ReduceKernels.class", ""));
    TreeSet<String> names = new TreeSet<>();
    if (uri.getScheme().equals("jar")) {
      try (FileSystem jar = FileSystems.newFileSystem(uri, Map.of())) {
        list(jar.getPath("/" + folder), names);
      }
    } else {
      list(Path.of(uri), names);
    }
    List<Class<?>> classes = new ArrayList<>();
    for (String name : names) {
      classes.add(Class.forName(packageName + "." + name));
    }
    return classes;
  }

  private static void list(Path folder, Set<String> names) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      files
          .map(file -> file.getFileName().toString())
          .filter(name -> name.endsWith(".class") && !name.startsWith("package-info"))
          .forEach(name -> names.add(name.substring(0, name.length() - 6)));
    }
  }
}
