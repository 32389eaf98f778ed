package org.fettle.steps;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.ForkJoinPool;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Parameter;
import org.fettle.StateFormat;
import org.fettle.StateStorage;
import org.fettle.Tensor;
import org.fettle.internal.Formats;
import org.fettle.replay.Workbench;
import org.fettle.testkit.Machine;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Steps with states in few bits: every step that takes them, in every format. */
class StoredStatesTest {
  private static final int[][] SHAPES = {{40, 64}, {24, 24}};

  @TempDir private Path folder;

  /** A quadratic bowl, and a step that goes down in it. */
  private static final class Descent implements AutoCloseable {
    final Workbench bench;
    final StoredStep kind;
    final SavedStep step;
    final List<Parameter> parameters = new ArrayList<>();
    final List<float[]> targets = new ArrayList<>();

    Descent(StoredStep kind, Backend backend, StateStorage storage, int[][] shapes, long seed) {
      this.kind = kind;
      bench = new Workbench(backend.name());
      DType dtype = storage.compensated() && kind.halves ? DType.BF16 : DType.F32;
      SplittableRandom random = new SplittableRandom(seed);
      for (int i = 0; i < Math.min(shapes.length, kind.tensors()); i++) {
        long[] shape = java.util.Arrays.stream(shapes[i]).mapToLong(extent -> extent).toArray();
        Tensor value = bench.tensor(dtype, shape);
        float[] start = new float[(int) value.elements()];
        float[] target = new float[start.length];
        for (int k = 0; k < start.length; k++) {
          // Of rows of up to 64 elements all stay well within the unit ball.
          start[k] = (float) (random.nextDouble() - 0.5) * 0.15f;
          target[k] = (float) (random.nextDouble() - 0.5) * 0.15f;
        }
        put(value, start);
        targets.add(target);
        parameters.add(Parameter.of(value, bench.tensor(DType.F32, shape)).named("w" + i));
      }
      step = kind.make(backend, storage, parameters);
    }

    private void put(Tensor tensor, float[] values) {
      if (tensor.dtype() == DType.F32) {
        bench.put(tensor, values);
        return;
      }
      short[] codes = new short[values.length];
      for (int i = 0; i < codes.length; i++) {
        codes[i] = Formats.nearest(DType.BF16, values[i]);
      }
      bench.put(tensor, codes);
    }

    float[] values(int tensor) {
      Tensor value = parameters.get(tensor).value();
      if (value.dtype() == DType.F32) {
        return bench.floats(value);
      }
      short[] codes = bench.codes(value);
      float[] values = new float[codes.length];
      for (int i = 0; i < codes.length; i++) {
        values[i] = Formats.decode(DType.BF16, codes[i]);
      }
      return values;
    }

    void go(int times) {
      for (int t = 0; t < times; t++) {
        for (int i = 0; i < parameters.size(); i++) {
          float[] gradient = values(i);
          for (int k = 0; k < gradient.length; k++) {
            gradient[k] -= targets.get(i)[k];
          }
          bench.put(parameters.get(i).gradient(), gradient);
        }
        kind.step(step, parameters.stream().map(Parameter::gradient).toList());
      }
    }

    double distance() {
      double sum = 0;
      for (int i = 0; i < parameters.size(); i++) {
        float[] values = values(i);
        for (int k = 0; k < values.length; k++) {
          double d = (double) values[k] - (double) targets.get(i)[k];
          sum += d * d;
        }
      }
      return Math.sqrt(sum);
    }

    /** Bytes of everything that the step leaves. */
    Map<String, byte[]> bytes() {
      Map<String, byte[]> all = new LinkedHashMap<>();
      parameters.forEach(one -> all.put(one.name(), bench.bytes(one.value())));
      step.states().forEach((name, tensor) -> all.put(name, bench.bytes(tensor)));
      return all;
    }

    @Override
    public void close() {
      step.close();
      bench.close();
    }
  }

  private static void same(Map<String, byte[]> expected, Map<String, byte[]> actual, String what) {
    assertEquals(expected.keySet(), actual.keySet(), what);
    expected.forEach(
        (name, bytes) -> assertArrayEquals(bytes, actual.get(name), what + " " + name));
  }

  /** Every kind of storage, with blocks that end within a row of a warp, at it and behind it. */
  private static List<StateStorage> storages(int... blockSizes) {
    List<StateStorage> all = new ArrayList<>();
    for (DType dtype : new DType[] {DType.F32, DType.BF16, DType.F16}) {
      all.add(StateStorage.of(dtype));
    }
    for (StateFormat.Kind kind : StateFormat.Kind.values()) {
      for (int size : blockSizes) {
        int least = kind == StateFormat.Kind.TORCHAO4 ? 2 : 1;
        all.add(StateStorage.of(new StateFormat(kind, Math.max(size, least), 0)));
      }
    }
    all.add(StateStorage.F32.withCompensation());
    all.add(StateStorage.of(StateFormat.dynamic8().withThreshold(0)).withCompensation());
    return all;
  }

  private static List<Backend> backends(StoredStep kind) {
    return kind.exact ? Machine.backends() : Machine.productBackends();
  }

  @ParameterizedTest
  @EnumSource(StoredStep.class)
  void sameBitsOnAllBackends(StoredStep kind) {
    int[][] odd = {{13, 61}, {7, 3}};
    for (int[][] shapes : new int[][][] {SHAPES, odd}) {
      for (StateStorage storage : storages(1, 4, 64, 128, 512)) {
        if (!kind.takes(storage)) {
          continue;
        }
        Map<String, byte[]> expected = null;
        List<float[]> near = null;
        for (Backend backend : backends(kind)) {
          try (Descent descent = new Descent(kind, backend, storage, kind.shapes(shapes), 7)) {
            descent.go(3);
            if (expected == null) {
              expected = descent.bytes();
              near = List.of(descent.values(0));
            } else if (kind.exact) {
              same(expected, descent.bytes(), kind + " on " + backend + ", " + storage);
            } else {
              assertArrayEquals(near.get(0), descent.values(0), 2e-3f, kind + ", " + storage);
            }
          }
        }
      }
    }
  }

  /** Long vectors, whose chunks many threads take, and blocks as long as a chunk. */
  @Test
  void sameBitsForAnyNumberOfThreads() {
    int[][] shapes = {{1, 150_001}};
    for (StoredStep kind : new StoredStep[] {StoredStep.PRODIGY, StoredStep.DILOCO}) {
      for (StateFormat.Kind format : StateFormat.Kind.values()) {
        StateStorage storage = StateStorage.of(new StateFormat(format, 4096, 0)).withCompensation();
        Map<String, byte[]> expected = null;
        for (Backend backend : Machine.hostBackends()) {
          for (int threads : new int[] {1, 3}) {
            try (Descent descent = new Descent(kind, backend, storage, shapes, 3);
                Pool pool = new Pool(threads)) {
              pool.fork.submit(() -> descent.go(2)).join();
              if (expected == null) {
                expected = descent.bytes();
              } else {
                same(expected, descent.bytes(), kind + " on " + backend + ", " + storage);
              }
            }
          }
        }
      }
    }
  }

  private static final class Pool implements AutoCloseable {
    final ForkJoinPool fork;

    Pool(int threads) {
      fork = new ForkJoinPool(threads);
    }

    @Override
    public void close() {
      fork.shutdown();
    }
  }

  @ParameterizedTest
  @EnumSource(StoredStep.class)
  void convergesAsInFloats(StoredStep kind) {
    Backend backend = Machine.productBackends().get(Machine.productBackends().size() - 1);
    double before;
    double floats;
    try (Descent descent = new Descent(kind, backend, StateStorage.F32, SHAPES, 5)) {
      before = descent.distance();
      descent.go(60);
      floats = descent.distance();
    }
    assertTrue(floats < 0.6 * before, kind + " in F32: from " + before + " to " + floats);
    for (StateStorage storage : storages(64)) {
      if (kind.takes(storage)) {
        try (Descent descent = new Descent(kind, backend, storage, SHAPES, 5)) {
          descent.go(60);
          double distance = descent.distance();
          assertTrue(
              distance < floats + 0.1 * before,
              kind + ", " + storage + ": " + distance + ", in F32 " + floats + " of " + before);
        }
      }
    }
  }

  /** What is too little for bf16 adds up beside it. */
  @Test
  void theCompensationKeepsSmallSteps() {
    Backend backend = Backend.best();
    float[] moved = new float[2];
    for (int k = 0; k < 2; k++) {
      StateStorage storage = k == 0 ? StateStorage.F32 : StateStorage.F32.withCompensation();
      try (Workbench bench = new Workbench(backend.name())) {
        Tensor value = bench.tensor(DType.BF16, 1);
        bench.put(value, new short[] {0x3F80});
        Tensor gradient = bench.tensor(new float[] {1}, 1);
        try (PolyakMomentum step =
            new PolyakMomentum(
                backend,
                new PolyakMomentum.Options(0, 1, 1e-3, 0, 0),
                storage,
                List.of(Parameter.of(value, gradient)))) {
          for (int t = 0; t < 100; t++) {
            step.step(1e9);
          }
        }
        moved[k] = Formats.decode(DType.BF16, bench.codes(value)[0]);
      }
    }
    assertEquals(1f, moved[0]);
    assertEquals(0.9f, moved[1], 0.004f);
  }

  @ParameterizedTest
  @EnumSource(StoredStep.class)
  void filesGoOnWithTheSameBits(StoredStep kind) throws IOException {
    List<Backend> backends = backends(kind);
    Backend from = backends.get(0);
    Backend to = kind.exact ? backends.get(backends.size() - 1) : from;
    for (StateStorage storage : storages(64)) {
      if (!kind.takes(storage)) {
        continue;
      }
      Path file = folder.resolve(kind + ".safetensors");
      String what = kind + ", " + storage;
      try (Descent first = new Descent(kind, from, storage, SHAPES, 9);
          Descent second = new Descent(kind, to, storage, SHAPES, 9)) {
        first.go(2);
        first.step.save(file);
        for (int i = 0; i < first.parameters.size(); i++) {
          Tensor value = second.parameters.get(i).value();
          byte[] bytes = first.bench.bytes(first.parameters.get(i).value());
          second.bench.put(value, bytes);
        }
        second.step.load(file);
        assertEquals(2, second.step.steps());
        same(first.bytes(), second.bytes(), what);
        first.go(2);
        second.go(2);
        same(first.bytes(), second.bytes(), what);
      }
    }
  }

  @Test
  void damagedFilesAndOtherFormatsAreRefused() throws IOException {
    Backend backend = Backend.best();
    StateStorage storage = StateStorage.of(StateFormat.dynamic8().withThreshold(0));
    Path file = folder.resolve("file");
    try (Descent descent = new Descent(StoredStep.PRODIGY, backend, storage, SHAPES, 1)) {
      descent.go(2);
      descent.step.save(file);
      Map<String, byte[]> before = descent.bytes();
      byte[] whole = Files.readAllBytes(file);
      for (int at = 8; at < whole.length; at += 1 + whole.length / 61) {
        byte[] damaged = whole.clone();
        damaged[at] ^= 16;
        Files.write(file, damaged);
        assertThrows(IllegalArgumentException.class, () -> descent.step.load(file), "byte " + at);
      }
      same(before, descent.bytes(), "a refused file");
      Files.write(file, whole);
    }
    StateFormat other = StateFormat.linear8().withThreshold(0);
    for (StateStorage wrong :
        List.of(
            StateStorage.of(other),
            StateStorage.of(StateFormat.dynamic8().withThreshold(0).withBlockSize(128)),
            StateStorage.of(DType.BF16),
            storage.withCompensation())) {
      try (Descent descent = new Descent(StoredStep.PRODIGY, backend, wrong, SHAPES, 1)) {
        Map<String, byte[]> before = descent.bytes();
        assertThrows(IllegalArgumentException.class, () -> descent.step.load(file));
        same(before, descent.bytes(), "a refused file");
      }
    }
    try (Descent descent = new Descent(StoredStep.MUON, backend, storage, SHAPES, 1)) {
      Throwable thrown =
          assertThrows(IllegalArgumentException.class, () -> descent.step.load(file));
      assertTrue(thrown.getMessage().contains("prodigy"), thrown.getMessage());
    }
  }

  @Test
  void whatAStateCannotTakeIsRefusedByName() {
    Backend backend = Backend.best();
    for (StateStorage storage :
        List.of(StateStorage.of(DType.BF16), StateStorage.of(StateFormat.fp8()))) {
      Throwable thrown =
          assertThrows(
              IllegalArgumentException.class,
              () -> new Descent(StoredStep.POLYAK_HEAVY_BALL, backend, storage, SHAPES, 1));
      assertTrue(thrown.getMessage().contains("state q"), thrown.getMessage());
    }
    Throwable f16 =
        assertThrows(
            IllegalArgumentException.class,
            () -> new Descent(StoredStep.PRODIGY, backend, StateStorage.of(DType.F16), SHAPES, 1));
    assertTrue(f16.getMessage().contains("states m, v and s"), f16.getMessage());
    try (Workbench bench = new Workbench(backend.name())) {
      List<Parameter> halves =
          List.of(Parameter.of(bench.tensor(DType.F16, 4), bench.tensor(DType.F16, 4)));
      for (StoredStep kind : new StoredStep[] {StoredStep.PRODIGY, StoredStep.DILOCO}) {
        Throwable thrown =
            assertThrows(
                IllegalArgumentException.class,
                () -> kind.make(backend, StateStorage.F32.withCompensation(), halves));
        assertTrue(thrown.getMessage().contains("F16"), thrown.getMessage());
      }
    }
  }

  /** States by blocks take their bytes, and what is below the threshold stays F32. */
  @Test
  void statesTakeTheBytesOfTheirFormat() {
    StateStorage storage = StateStorage.of(StateFormat.torchao4().withThreshold(600));
    try (Descent descent = new Descent(StoredStep.PRODIGY, Backend.best(), storage, SHAPES, 1)) {
      Map<String, Tensor> states = descent.step.states();
      assertEquals(DType.U8, states.get("w0.m").dtype());
      assertEquals(40 * 64 / 2, states.get("w0.v").bytes());
      assertEquals(40 * 64 / 128, states.get("w0.s.scales").elements());
      assertEquals(DType.F32, states.get("w0.p0").dtype());
      assertEquals(DType.F32, states.get("w1.m").dtype());
    }
  }
}
