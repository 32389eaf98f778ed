package org.fettle.samebits;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.zip.CRC32;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Parameter;
import org.fettle.Plan;
import org.fettle.Rounding;
import org.fettle.Rule;
import org.fettle.Rules;
import org.fettle.Step;
import org.fettle.Tensor;
import org.fettle.TestAccess;
import org.fettle.internal.Engine;
import org.fettle.testkit.Arena;
import org.fettle.testkit.Bits;
import org.fettle.testkit.Inputs;
import org.fettle.testkit.Machine;
import org.fettle.testkit.RuleVariants;
import org.junit.jupiter.api.Test;

/**
 * Every bit of the results is part of the interface: a committed table holds a checksum of what
 * each rule leaves behind in each format after a few steps, and every backend must reproduce it.
 * {@code -Dfettle.crc=write} writes the table anew from the Java backend: for a new rule, or with a
 * new format version.
 */
class CrcTableTest {
  private static final Path TABLE = Path.of("src/test/resources/samebits/crc.txt");
  private static final int STEPS = 5;
  private static final long[][] SHAPES = {{3, 1399}, {17}};
  private static final DType[] FORMATS = {DType.F32, DType.BF16, DType.F16};

  @Test
  void everyBackendReproducesTheTable() throws IOException {
    if ("write".equals(System.getProperty("fettle.crc"))) {
      Files.createDirectories(TABLE.getParent());
      Files.write(TABLE, table(Machine.backends().get(0)));
    }
    List<String> expected = Files.readAllLines(TABLE);
    assertEquals(
        Rules.ids().size() * FORMATS.length * Rounding.values().length,
        expected.size(),
        () -> TABLE + " does not have a row per rule, format and rounding: -Dfettle.crc=write");
    for (Backend backend : Machine.backends()) {
      List<String> actual = table(backend);
      List<String> differences = new ArrayList<>();
      for (int i = 0; i < actual.size(); i++) {
        if (!actual.get(i).equals(expected.get(i))) {
          differences.add("expected " + expected.get(i) + ", is " + actual.get(i));
        }
      }
      assertTrue(
          differences.isEmpty(), () -> backend.name() + "\n" + String.join("\n", differences));
    }
    Machine.say("checksums", expected.size() + " on " + Machine.backends().size() + " backends");
  }

  private static List<String> table(Backend backend) {
    List<String> lines = new ArrayList<>();
    for (String id : Rules.ids()) {
      for (DType format : FORMATS) {
        for (Rounding rounding : Rounding.values()) {
          String name =
              String.join(" ", id, format.name(), rounding.name()).toLowerCase(Locale.ROOT);
          lines.add(name + String.format(" %08x", crc(backend, id, format, rounding)));
        }
      }
    }
    return lines;
  }

  private static long crc(Backend backend, String id, DType format, Rounding rounding) {
    Rule rule = RuleVariants.withId(id);
    Engine engine = TestAccess.engine(backend);
    int bytes = 1 << 16;
    try (Arena arena = new Arena(backend, bytes)) {
      List<Parameter> parameters = new ArrayList<>();
      List<Integer> gradients = new ArrayList<>();
      int at = 0;
      for (long[] shape : SHAPES) {
        int n = (int) Arrays.stream(shape).reduce(1, (a, b) -> a * b);
        Inputs.fill(Inputs.Kind.NORMAL, format, n, arena.image(), at, n);
        Tensor value = arena.view(false, at, format, shape);
        at += 4 * n + 64;
        gradients.add(at);
        parameters.add(Parameter.of(value, arena.view(false, at, format, shape)));
        at += 4 * n + 64;
      }
      try (Plan plan =
          Plan.builder()
              .backend(backend)
              .group(rule, parameters)
              .states(format, rounding)
              .rounding(rounding)
              .seed(7)
              .build()) {
        for (int i = 0; i < STEPS; i++) {
          for (int k = 0; k < SHAPES.length; k++) {
            int n = (int) parameters.get(k).value().elements();
            Inputs.fill(
                Inputs.Kind.NORMAL, format, 1000L * i + k, arena.image(), gradients.get(k), n);
          }
          arena.upload(bytes);
          Step step = new Step().lr(0.01);
          for (String input : rule.inputs()) {
            step.input(input, 1.5 - 0.25 * i);
          }
          plan.step(step);
          arena.download(bytes);
        }
        CRC32 crc = new CRC32();
        for (int k = 0; k < SHAPES.length; k++) {
          update(crc, engine, parameters.get(k).value());
          for (String state : rule.states()) {
            update(crc, engine, plan.state(k, state));
          }
          for (String scalar : rule.scalars()) {
            update(crc, Double.doubleToLongBits(plan.scalar(k, scalar)), Long.BYTES);
          }
        }
        return crc.getValue();
      }
    }
  }

  private static void update(CRC32 crc, Engine engine, Tensor tensor) {
    ByteBuffer bytes =
        ByteBuffer.allocateDirect((int) tensor.bytes()).order(ByteOrder.nativeOrder());
    engine.read(tensor, 0, bytes);
    for (int i = 0; i < tensor.elements(); i++) {
      int code = Bits.canonical(tensor.dtype(), Bits.at(bytes, tensor.dtype(), 0, i));
      update(crc, code, Integer.BYTES);
    }
  }

  private static void update(CRC32 crc, long bits, int bytes) {
    for (int i = 0; i < bytes; i++) {
      crc.update((int) (bits >>> (8 * i)));
    }
  }
}
