package org.fettle.distributed;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Device;
import org.fettle.Parameter;
import org.fettle.Plan;
import org.fettle.Tensor;
import org.fettle.rules.Sgd;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Shards and messages that do not fit; nothing outside a tensor is touched. */
class ShardsMisuseTest {
  private static final ShardLayout LAYOUT = ShardLayout.of(2, 5000, 3000);

  @Test
  void noPartReachesBeyondItsTensor() {
    Tensor flat = Tensor.allocate(DType.F32, LAYOUT.elements());
    refused(() -> LAYOUT.shards(flat, 1, Integer.MAX_VALUE), "count is 2147483647");
    refused(() -> LAYOUT.shards(flat, 0, 0), "count is 0");
    refused(() -> LAYOUT.shard(flat, 2), "shard is 2");
    Tensor shard = LAYOUT.shard(flat, 1);
    long n = LAYOUT.shardElements();
    refused(() -> LAYOUT.piece(shard, new ShardLayout.Piece(0, 0, 1, n)), "1 elements from " + n);
    refused(() -> LAYOUT.piece(shard, new ShardLayout.Piece(0, 0, n + 1, 0)), "expected a part");
    refused(() -> LAYOUT.piece(shard, new ShardLayout.Piece(0, 0, 1, -1)), "from -1");
    refused(
        () -> LAYOUT.piece(shard, new ShardLayout.Piece(0, 0, Long.MAX_VALUE, 1)),
        "expected a part");
    Tensor bits = Tensor.allocate(DType.BIT, n);
    refused(() -> LAYOUT.piece(bits, new ShardLayout.Piece(0, 0, 8, 4)), "whole byte");
    assertThrows(ArithmeticException.class, () -> ShardLayout.of(2, Long.MAX_VALUE - 5));
  }

  @Test
  void aPartOfAPlansStateKnowsWhenItIsFreed() {
    Tensor value = Tensor.allocate(DType.F32, LAYOUT.elements());
    Tensor part;
    Backend backend = Backend.best();
    Tensor gradient = Tensor.allocate(DType.F32, LAYOUT.elements());
    try (Plan plan =
        Plan.builder()
            .group(new Sgd().withMomentum(0.9), Parameter.of(value, gradient))
            .backend(backend)
            .build()) {
      part = LAYOUT.shard(plan.state(0, plan.rule(0).states().get(0)), 1);
    }
    Tensor freed = part;
    Tensor other = Tensor.allocate(DType.F32, LAYOUT.shardElements());
    Throwable error =
        assertThrows(
            RuntimeException.class,
            () ->
                Plan.builder()
                    .group(new Sgd(), Parameter.of(freed, other))
                    .backend(backend)
                    .build());
    assertTrue(error.getMessage().contains("plan"), error.getMessage());
  }

  @ParameterizedTest
  @EnumSource(Compression.class)
  void messagesAreLookedAtFirst(Compression compression) {
    Backend backend = Backend.best();
    GradientEncoder encoder = new GradientEncoder(backend, compression, LAYOUT.elements());
    GradientDecoder decoder = new GradientDecoder(backend, compression, LAYOUT, 0);
    Tensor gradient = Tensor.allocate(DType.F32, LAYOUT.elements());
    refused(() -> encoder.encode(Tensor.allocate(DType.F32, 4096 * 3)), "gradient");
    refused(() -> encoder.encode(Tensor.allocate(DType.BF16, LAYOUT.elements())), "gradient");
    GradientEncoder.Message all = encoder.encode(gradient);
    GradientEncoder.Message good = all.forShards(LAYOUT, 0, 1);
    GradientEncoder.Message none = new GradientEncoder.Message(List.of(), List.of());

    // The mean is the front of a larger buffer, whose rest is somebody else's.
    int bytes = (int) (4 * LAYOUT.shardElements());
    ByteBuffer memory = ByteBuffer.allocateDirect(bytes + 4096);
    Tensor mean = Tensor.of(memory, DType.F32, LAYOUT.shardElements());
    byte[] before = new byte[bytes + 4096];
    Arrays.fill(before, (byte) 77);
    memory.put(0, before);
    refused(() -> decoder.mean(List.of(good, none), mean), "message 1");
    refused(() -> decoder.mean(List.of(), mean), "number of messages is 0");
    refused(() -> decoder.mean(List.of(good), Tensor.allocate(DType.F32, 4096 * 3)), "mean");
    byte[] after = new byte[before.length];
    memory.get(0, after);
    assertArrayEquals(before, after);
    if (compression == Compression.INT8) {
      ByteBuffer shared = good.split().get(0).buffer();
      ByteBuffer large = ByteBuffer.allocateDirect(bytes).put(shared).clear();
      Tensor codes = Tensor.of(large, DType.I8, LAYOUT.shardElements());
      GradientEncoder.Message overlapping =
          new GradientEncoder.Message(List.of(codes, good.split().get(1)), good.whole());
      Tensor over = Tensor.of(large, DType.F32, LAYOUT.shardElements());
      byte[] kept = new byte[bytes];
      large.get(0, kept);
      refused(() -> decoder.mean(List.of(overlapping), over), "overlaps");
      byte[] now = new byte[bytes];
      large.get(0, now);
      assertArrayEquals(kept, now);
    }
    Tensor square = Tensor.allocate(DType.F32, 2, LAYOUT.elements() / 2);
    refused(() -> encoder.encode(square), "gradient");
    // Only the address is looked at, and refused.
    long n = LAYOUT.elements();
    Device device = Device.cuda(0);
    Tensor elsewhere = Tensor.ofAddress(4096, 4 * n, null, device, DType.F32, n);
    refused(() -> encoder.encode(elsewhere), "gradient", "on cuda:0", "on cpu");
    Tensor meanElsewhere = LAYOUT.shard(elsewhere, 0);
    refused(() -> decoder.mean(List.of(good), meanElsewhere), "mean", "on cuda:0", "on cpu");
    decoder.mean(List.of(good, good), mean);
    memory.get(0, after);
    for (int i = 0; i < after.length; i++) {
      if (i >= bytes) {
        assertEquals(77, after[i], "byte " + i);
      }
    }
    encoder.close();
    decoder.close();
    encoder.close();
    closed(() -> encoder.encode(gradient), "encoder is closed");
    closed(() -> decoder.mean(List.of(good), mean), "decoder is closed");
  }

  private static void closed(Executable call, String message) {
    Throwable error = assertThrows(IllegalStateException.class, call);
    assertEquals(message, error.getMessage());
  }

  private static void refused(Executable call, String... parts) {
    Throwable error = assertThrows(IllegalArgumentException.class, call);
    for (String part : parts) {
      assertTrue(error.getMessage().contains(part), error.getMessage());
    }
  }
}
