package org.fettle.merge;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.internal.Safetensors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Merging of checkpoint files. */
class CheckpointMergeTest {
  @TempDir private Path folder;

  @Test
  void everyMethodGivesTheSameFileOnEveryBackend() throws IOException {
    List<Path> files = new ArrayList<>();
    for (int k = 0; k < 5; k++) {
      files.add(write("model" + k, k, 300, 7L));
    }
    for (String word : List.of("mean", "linear", "stock", "rows", "variance", "adasum", "fisher")) {
      byte[] expected = null;
      for (Backend.Availability available : Backend.all()) {
        if (!available.isAvailable() || available.name().startsWith("cuda")) {
          continue;
        }
        Backend backend = Backend.named(available.name());
        Path target = folder.resolve("merged");
        merge(files, method(word, backend), null, backend, target, word);
        byte[] actual = Files.readAllBytes(target);
        assertArrayEquals(expected == null ? actual : expected, actual, word + " on " + backend);
        expected = actual;
      }
    }
  }

  @Test
  void theMeanIsTheMean() throws IOException {
    Path a = write("a", 1, 300, 7L);
    Path b = write("b", 2, 300, 7L);
    Path target = folder.resolve("merged");
    Backend backend = Backend.named("java");
    long[] told = {0};
    try (Checkpoint first = Checkpoint.open(a);
        Checkpoint second = Checkpoint.open(b)) {
      CheckpointMerge merge =
          new CheckpointMerge(
              new CheckpointMerge.Checkpoints(List.of(first, second), null, List.of(), null),
              CheckpointMethods.linear(backend),
              DType.F32);
      merge.write(backend, target, bytes -> told[0] += bytes);
      assertEquals(merge.bytes(), told[0]);
    }
    float[] x = floats(a, "layer.weight");
    float[] y = floats(b, "layer.weight");
    float[] mean = floats(target, "layer.weight");
    for (int i = 0; i < mean.length; i++) {
      assertEquals((float) (0.5 * x[i] + 0.5 * y[i]), mean[i]);
    }
    try (Safetensors merged = Safetensors.open(target)) {
      assertEquals("F32", merged.array("layer.half").dtype());
      assertEquals("I64", merged.array("positions").dtype());
      assertEquals(Map.of("format", "pt"), merged.metadata());
    }
  }

  @Test
  void whatDoesNotFitIsRefusedByNameAndNothingIsWritten() throws IOException {
    Path model = write("model", 1, 300, 7L);
    refused(model, write("shorter", 2, 299, 7L), "layer.weight", "shorter", "model");
    refused(model, write("positions", 2, 300, 8L), "positions", "I64", "differs");
    try (Stream<Path> files = Files.list(folder)) {
      assertTrue(files.noneMatch(f -> f.getFileName().toString().startsWith("merged")));
    }
  }

  @Test
  void aCheckpointWhoseDataIsNotAlignedIsCopied() throws IOException {
    Path model = write("model", 1, 300, 7L);
    Path shifted = folder.resolve("shifted");
    byte[] bytes = Files.readAllBytes(model);
    ByteBuffer old = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    long header = old.getLong(0);
    ByteBuffer odd = ByteBuffer.allocate(bytes.length + 1).order(ByteOrder.LITTLE_ENDIAN);
    odd.putLong(header + 1).put(bytes, 8, (int) header).put((byte) ' ');
    odd.put(bytes, 8 + (int) header, bytes.length - 8 - (int) header);
    Files.write(shifted, odd.array());
    Path target = folder.resolve("merged");
    Backend backend = Backend.best();
    if (backend.device().kind() != org.fettle.Device.Kind.CPU) {
      backend = Backend.named("java");
    }
    merge(List.of(shifted, model), CheckpointMethods.linear(backend), null, backend, target, "");
    assertArrayEquals(floats(model, "layer.weight"), floats(target, "layer.weight"));
  }

  private void refused(Path first, Path second, String... words) {
    Backend backend = Backend.named("java");
    IllegalArgumentException refusal =
        assertThrows(
            IllegalArgumentException.class,
            () ->
                merge(
                    List.of(first, second),
                    CheckpointMethods.linear(backend),
                    null,
                    backend,
                    folder.resolve("merged"),
                    ""));
    for (String word : words) {
      assertTrue(refusal.getMessage().contains(word), refusal.getMessage());
    }
    assertFalse(Files.exists(folder.resolve("merged")));
  }

  private static CheckpointMerge.Method method(String word, Backend backend) {
    return switch (word) {
      case "mean" -> CheckpointMethods.linear(backend);
      case "linear" -> CheckpointMethods.linear(backend, 0.7, 0.6, -0.5, 0.2);
      case "stock" -> CheckpointMethods.modelStock(backend, new ModelStock());
      case "rows" -> CheckpointMethods.modelStock(backend, new ModelStock().withFilterWise(true));
      case "variance" -> CheckpointMethods.varianceCorrected(backend);
      case "adasum" -> CheckpointMethods.adasum(backend);
      default -> CheckpointMethods.fisher(backend, new FisherMerge(4));
    };
  }

  /** The first file is the base where there is one, and stands for all Fisher information. */
  private static void merge(
      List<Path> files,
      CheckpointMerge.Method method,
      DType dtype,
      Backend backend,
      Path target,
      String word)
      throws IOException {
    boolean based = word.equals("stock") || word.equals("rows");
    List<Checkpoint> opened = new ArrayList<>();
    try {
      for (Path file : files) {
        opened.add(Checkpoint.open(file));
      }
      List<Checkpoint> models = opened.size() > 2 ? opened.subList(1, opened.size()) : opened;
      List<Checkpoint> weights =
          word.equals("fisher") ? opened.subList(0, opened.size() - 1) : List.of();
      new CheckpointMerge(
              new CheckpointMerge.Checkpoints(models, based ? opened.get(0) : null, weights, null),
              method,
              dtype)
          .write(backend, target, bytes -> {});
    } finally {
      for (Checkpoint checkpoint : opened) {
        checkpoint.close();
      }
    }
  }

  private Path write(String name, int seed, int columns, long positions) throws IOException {
    Random random = new Random(seed);
    long weights = 40L * columns;
    List<Safetensors.Array> arrays =
        List.of(
            new Safetensors.Array(
                "layer.weight", "F32", List.of(40L, (long) columns), 0, 4 * weights),
            new Safetensors.Array("layer.half", "BF16", List.of(6L, 5L), 4 * weights, 60),
            new Safetensors.Array("empty", "F32", List.of(0L), 4 * weights + 60, 0),
            new Safetensors.Array("positions", "I64", List.of(1L), 4 * weights + 60, 8));
    ByteBuffer data = ByteBuffer.allocate((int) (4 * weights + 68)).order(ByteOrder.LITTLE_ENDIAN);
    for (long i = 0; i < weights; i++) {
      data.putFloat((float) random.nextGaussian());
    }
    for (int i = 0; i < 30; i++) {
      data.putShort((short) (Float.floatToIntBits((float) random.nextGaussian()) >>> 16));
    }
    data.putLong(positions).flip();
    Path file = folder.resolve(name);
    try (FileChannel channel =
        FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
      channel.write(Safetensors.header(Map.of("format", "pt"), arrays));
      channel.write(data);
    }
    return file;
  }

  private static float[] floats(Path file, String name) throws IOException {
    try (Safetensors source = Safetensors.open(file)) {
      Safetensors.Array array = source.array(name);
      ByteBuffer bytes = ByteBuffer.allocate((int) array.bytes()).order(ByteOrder.LITTLE_ENDIAN);
      source.read(array, 0, bytes);
      float[] values = new float[(int) array.elements()];
      bytes.flip().order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(values);
      return values;
    }
  }
}
