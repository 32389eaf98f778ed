package org.fettle.distributed;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Device;
import org.fettle.Parameter;
import org.fettle.Plan;
import org.fettle.Tensor;
import org.fettle.replay.Workbench;
import org.fettle.rules.AdamW;
import org.fettle.testkit.Machine;
import org.junit.jupiter.api.Test;

/** Shards together give the bits of the whole, and a mean does not depend on the backend. */
class ShardsTest {
  private static final long[] SIZES = {5000, 3, 0, 12_345, 1, 4096};
  private static final int WORKERS = 4;

  private static Tensor random(long elements, long seed) {
    Tensor tensor = Tensor.allocate(DType.F32, elements);
    ByteBuffer bytes = tensor.buffer();
    Random random = new Random(seed);
    while (bytes.hasRemaining()) {
      bytes.putFloat((float) random.nextGaussian());
    }
    return tensor;
  }

  @Test
  void piecesCoverEveryElementOnce() {
    for (int shards : new int[] {1, 2, 3, 4, 7}) {
      ShardLayout layout = ShardLayout.of(shards, SIZES);
      assertEquals(0, layout.shardElements() % ShardLayout.ALIGNMENT);
      long[] next = new long[SIZES.length];
      for (int shard = 0; shard < shards; shard++) {
        for (ShardLayout.Piece piece : layout.pieces(shard)) {
          assertEquals(next[piece.tensor()], piece.first());
          next[piece.tensor()] += piece.elements();
          assertEquals(
              layout.offset(piece.tensor()) + piece.first(),
              shard * layout.shardElements() + piece.offset());
        }
      }
      for (int i = 0; i < SIZES.length; i++) {
        assertEquals(SIZES[i], next[i]);
      }
    }
    assertEquals(List.of(), ShardLayout.of(4, 10).pieces(3));
  }

  @Test
  void aShardedStepHasTheBitsOfTheWhole() {
    ShardLayout layout = ShardLayout.of(WORKERS, SIZES);
    Tensor whole = random(layout.elements(), 1);
    Tensor parts = random(layout.elements(), 1);
    Tensor gradient = random(layout.elements(), 2);
    List<Parameter> parameters =
        IntStream.range(0, SIZES.length)
            .filter(i -> SIZES[i] > 0)
            .mapToObj(
                i ->
                    Parameter.of(
                        layout.tensor(whole, i, SIZES[i]), layout.tensor(gradient, i, SIZES[i])))
            .toList();
    AdamW rule = new AdamW().withLr(0.1);
    try (Plan plan = Plan.builder().group(rule, parameters).build()) {
      for (int i = 0; i < 3; i++) {
        plan.step();
      }
    }
    for (int shard = 0; shard < WORKERS; shard++) {
      Tensor values = layout.shard(parts, shard);
      Tensor gradients = layout.shard(gradient, shard);
      List<Parameter> pieces =
          layout.pieces(shard).stream()
              .map(
                  piece ->
                      Parameter.of(layout.piece(values, piece), layout.piece(gradients, piece)))
              .toList();
      try (Plan plan = Plan.builder().group(rule, pieces).build()) {
        for (int i = 0; i < 3; i++) {
          plan.step();
        }
      }
    }
    assertEquals(-1, whole.buffer().mismatch(parts.buffer()));
  }

  @Test
  void meansAreTheSameOnEveryBackendAndOfTheRightSize() {
    ShardLayout layout = ShardLayout.of(WORKERS, SIZES);
    for (Compression compression : Compression.values()) {
      float[] first = null;
      for (Backend backend : Machine.backends()) {
        float[] mean = exchange(backend.name(), compression, layout);
        if (first == null) {
          first = mean;
        }
        assertArrayEquals(first, mean, compression + " on " + backend.name());
      }
    }
  }

  /** Three steps with error feedback; the last mean, of all shards. */
  private static float[] exchange(String backend, Compression compression, ShardLayout layout) {
    List<GradientEncoder> encoders = new ArrayList<>();
    List<GradientDecoder> decoders = new ArrayList<>();
    try (Workbench bench = new Workbench(backend)) {
      int elements = (int) layout.elements();
      List<Tensor> gradients = new ArrayList<>();
      for (int worker = 0; worker < WORKERS; worker++) {
        encoders.add(new GradientEncoder(bench.backend(), compression, elements));
        decoders.add(new GradientDecoder(bench.backend(), compression, layout, worker));
        gradients.add(direct(bench, elements));
      }
      Tensor mean = direct(bench, elements);
      double[] wanted = new double[elements];
      double[] got = new double[elements];
      for (int step = 0; step < 3; step++) {
        List<GradientEncoder.Message> messages = new ArrayList<>();
        for (int worker = 0; worker < WORKERS; worker++) {
          float[] gradient = new float[elements];
          random(elements, 10L * step + worker).buffer().asFloatBuffer().get(gradient);
          for (int i = 0; i < elements; i++) {
            wanted[i] += gradient[i] / WORKERS;
          }
          bench.put(gradients.get(worker), gradient);
          messages.add(encoders.get(worker).encode(gradients.get(worker)));
        }
        for (int shard = 0; shard < WORKERS; shard++) {
          int own = shard;
          decoders
              .get(shard)
              .mean(
                  messages.stream().map(message -> message.forShards(layout, own, 1)).toList(),
                  layout.shard(mean, shard));
        }
        float[] means = bench.floats(mean);
        for (int i = 0; i < elements; i++) {
          got[i] += means[i];
        }
      }
      float[] last = bench.floats(mean);
      if (compression == Compression.MAJORITY) {
        for (float vote : last) {
          assertTrue(vote == 1 || vote == 0 || vote == -1, "vote " + vote);
        }
        return last;
      }
      // What was sent and what is still kept make up all that there was.
      for (GradientEncoder encoder : encoders) {
        float[] error = bench.floats(encoder.error());
        for (int i = 0; i < error.length; i++) {
          got[i] += error[i] / WORKERS;
        }
      }
      double tolerance = compression == Compression.BF16 ? 0.05 : 1e-4;
      for (int i = 0; i < elements; i++) {
        assertEquals(wanted[i], got[i], tolerance, compression + " element " + i);
      }
      return last;
    } finally {
      encoders.forEach(GradientEncoder::close);
      decoders.forEach(GradientDecoder::close);
    }
  }

  /** On the host a direct buffer, which a decoder asks for. */
  private static Tensor direct(Workbench bench, int elements) {
    return bench.backend().device().equals(Device.CPU)
        ? Tensor.allocate(DType.F32, elements)
        : bench.tensor(DType.F32, elements);
  }

  @Test
  void bytesOnTheWireAreAsDocumented() {
    long elements = ShardLayout.of(WORKERS, 1 << 20).elements();
    Tensor gradient = random(elements, 5);
    Backend backend = Backend.best();
    Map<Compression, Double> expected =
        Map.of(
            Compression.F32, 4.0,
            Compression.BF16, 2.0,
            Compression.INT8, 1 + 4.0 / 2048,
            Compression.SIGN, 0.125,
            Compression.MAJORITY, 0.125,
            Compression.LARGEST, 0.08);
    for (Compression compression : Compression.values()) {
      long bytes = new GradientEncoder(backend, compression, elements).encode(gradient).bytes();
      assertEquals(expected.get(compression), (double) bytes / elements, 1e-4, compression.name());
    }
  }

  @Test
  void whatDoesNotFitIsRefused() {
    ShardLayout layout = ShardLayout.of(2, 100);
    Tensor flat = Tensor.allocate(DType.F32, layout.elements());
    refused("shards is 0", () -> ShardLayout.of(0, 5));
    refused("elements of tensor 1 is -1", () -> ShardLayout.of(1, 5, -1));
    refused("shard is 2", () -> layout.shard(flat, 2));
    refused("tensor is 1", () -> layout.tensor(flat, 1, 100));
    refused("expected 100 elements", () -> layout.tensor(flat, 0, 99));
    refused("expected 8192 elements", () -> layout.tensor(Tensor.allocate(DType.F32, 100), 0, 100));
    refused("equal shards", () -> layout.shard(Tensor.allocate(DType.F32, 3), 0));
    refused("equal shards", () -> layout.shard(Tensor.allocate(DType.BIT, 8), 0));
    refused("count is 2", () -> layout.shards(flat, 1, 2));
    refused("expected 4096", () -> layout.piece(flat, layout.pieces(0).get(0)));
    Backend backend = Backend.best();
    refused("multiple of 4096", () -> new GradientEncoder(backend, Compression.INT8, 100));
    refused("shard is 5", () -> new GradientDecoder(backend, Compression.INT8, layout, 5));
    GradientDecoder decoder = new GradientDecoder(backend, Compression.F32, layout, 0);
    refused("messages is 0", () -> decoder.mean(List.of(), layout.shard(flat, 0)));
    refused(
        "expected F32[4096]",
        () -> decoder.mean(List.of(new GradientEncoder.Message(List.of(), List.of())), flat));
  }

  private static void refused(String words, Runnable call) {
    Throwable thrown = assertThrows(IllegalArgumentException.class, call::run);
    assertTrue(thrown.getMessage().contains(words), thrown.getMessage());
  }
}
