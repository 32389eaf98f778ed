package org.fettle.distributed;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.Engine;
import org.fettle.internal.Scratch;
import org.fettle.internal.TensorChecks;
import org.fettle.merge.LinearCombination;
import org.fettle.recipes.CompressedCommunication;

/**
 * The other side of an exchange: the mean of all workers' gradients on one shard, added in the
 * order of the workers, so that it has the same bits on whatever machine and in whatever order the
 * messages came. All of it is where the backend's tensors are; device memory is freed by {@link
 * #close}, host memory by the garbage collector.
 */
public final class GradientDecoder implements AutoCloseable {
  private final Backend backend;
  private final Room room;
  private final Compression compression;
  private final ShardLayout layout;
  private final int shard;
  private final Tensor everything;
  private final Tensor ones;

  /** Allocates what decoding needs. */
  public GradientDecoder(Backend backend, Compression compression, ShardLayout layout, int shard) {
    this.backend = Objects.requireNonNull(backend, "backend");
    this.compression = Objects.requireNonNull(compression, "compression");
    this.layout = Objects.requireNonNull(layout, "layout");
    Range.check("shard", shard, shard >= 0 && shard < layout.shards(), "below " + layout.shards());
    this.shard = shard;
    room = new Room(backend);
    boolean sparse = compression == Compression.LARGEST;
    everything = room.tensor(DType.F32, sparse ? layout.elements() : 0);
    boolean votes = compression == Compression.MAJORITY;
    ones = room.tensor(DType.F32, votes ? layout.shardElements() / Compression.BLOCK : 0);
    if (votes) {
      ByteBuffer bytes = Room.bytes(Math.toIntExact(ones.bytes()));
      while (bytes.hasRemaining()) {
        bytes.putFloat(1);
      }
      room.engine().write(ones, 0, bytes.flip());
    }
  }

  /**
   * The mean; of {@link Compression#MAJORITY} the sign of the sum of signs.
   *
   * @param messages of all workers, in their order; their split part cut to this shard
   * @param mean F32, one shard; a direct buffer of the host, or memory of the backend's device
   * @throws IllegalArgumentException if a message or the mean does not fit; nothing was written
   */
  public void mean(List<GradientEncoder.Message> messages, Tensor mean) {
    room.checkOpen("decoder");
    Range.check("number of messages", messages.size(), !messages.isEmpty(), ">= 1");
    double weight = 1.0 / messages.size();
    if (mean.elements() != layout.shardElements() || mean.dtype() != DType.F32) {
      throw new IllegalArgumentException(
          "mean " + mean + ": expected F32[" + layout.shardElements() + "]");
    }
    reachable("mean", mean);
    for (int i = 0; i < messages.size(); i++) {
      check("message " + i, messages.get(i));
    }
    if (compression != Compression.F32 && compression != Compression.BF16) {
      apart(messages, mean);
    }
    switch (compression) {
      case F32, BF16 -> {
        double[] weights = new double[messages.size()];
        Arrays.fill(weights, weight);
        List<Tensor> gradients = messages.stream().map(message -> message.split().get(0)).toList();
        LinearCombination.combine(backend, gradients, weights, mean);
      }
      case INT8 -> {
        room.engine().clear(mean);
        for (GradientEncoder.Message message : messages) {
          CompressedCommunication.addBlocks(
              backend,
              message.split().get(0),
              message.split().get(1),
              Compression.BLOCK,
              weight,
              mean);
        }
      }
      case SIGN -> {
        room.engine().clear(mean);
        for (GradientEncoder.Message message : messages) {
          double scale = room.read(message.whole().get(0));
          CompressedCommunication.addSigns(backend, message.split().get(0), scale, weight, mean);
        }
      }
      case MAJORITY -> majority(messages, mean);
      case LARGEST -> {
        room.engine().clear(everything);
        for (GradientEncoder.Message message : messages) {
          CompressedCommunication.addSparse(
              backend, message.whole().get(0), message.whole().get(1), weight, everything);
        }
        room.engine().copy(layout.shard(everything, shard), mean);
      }
    }
  }

  /** Refuses a mean that shares memory with what is read after it was cleared. */
  private void apart(List<GradientEncoder.Message> messages, Tensor mean) {
    TensorChecks checks = new TensorChecks(backend).writes("mean", mean, DType.F32);
    for (int i = 0; i < messages.size(); i++) {
      String name = "message " + i;
      messages.get(i).split().forEach(part -> checks.reads(name, part, part.dtype()));
      messages.get(i).whole().forEach(part -> checks.reads(name, part, part.dtype()));
    }
    checks.done();
  }

  /** Refuses a message that is none of this compression's, before anything is written. */
  private void check(String name, GradientEncoder.Message message) {
    long n = layout.shardElements();
    switch (compression) {
      case F32 -> parts(name, message.split(), new DType[] {DType.F32}, n);
      case BF16 -> parts(name, message.split(), new DType[] {DType.BF16}, n);
      case INT8 ->
          parts(name, message.split(), new DType[] {DType.I8, DType.F32}, n, n / Compression.BLOCK);
      case SIGN -> {
        parts(name, message.split(), new DType[] {DType.BIT}, n);
        parts(name, message.whole(), new DType[] {DType.F64}, 1);
      }
      case MAJORITY -> parts(name, message.split(), new DType[] {DType.BIT}, n);
      case LARGEST -> {
        long sent = layout.elements() / Compression.LARGEST_OF;
        parts(name, message.whole(), new DType[] {DType.I32, DType.F32}, sent, sent);
      }
    }
  }

  private void parts(String name, List<Tensor> parts, DType[] dtypes, long... elements) {
    boolean fits = parts.size() == dtypes.length;
    for (int i = 0; fits && i < dtypes.length; i++) {
      fits = parts.get(i).dtype() == dtypes[i] && parts.get(i).elements() == elements[i];
    }
    if (!fits) {
      throw new IllegalArgumentException(
          name
              + " holds "
              + parts
              + ": expected "
              + Arrays.toString(dtypes)
              + " of "
              + Arrays.toString(elements)
              + " elements");
    }
    parts.forEach(part -> reachable(name, part));
  }

  private void reachable(String name, Tensor tensor) {
    if (!tensor.device().equals(backend.device())) {
      throw new IllegalArgumentException(
          name + " holds " + tensor + ": expected it on " + backend.device());
    }
    if (room.isHost() && tensor.buffer() == null) {
      throw new IllegalArgumentException(
          name + " holds " + tensor + ", which is at an address: expected a direct buffer");
    }
  }

  private void majority(List<GradientEncoder.Message> messages, Tensor mean) {
    Engine engine = room.engine();
    long elements = mean.elements();
    try (Scratch scratch = new Scratch(engine)) {
      Tensor bits = scratch.tensor(DType.U8, messages.size(), elements / 8);
      for (int i = 0; i < messages.size(); i++) {
        Tensor row = ShardLayout.part(bits, i * (elements / 8), elements / 8, elements / 8);
        engine.copy(messages.get(i).split().get(0), row);
      }
      Tensor votes = scratch.tensor(DType.I32, elements);
      Tensor direction = scratch.tensor(DType.I8, elements);
      CompressedCommunication.majority(backend, bits, votes, direction);
      engine.clear(mean);
      CompressedCommunication.addBlocks(backend, direction, ones, Compression.BLOCK, 1, mean);
    }
  }

  /** Frees device memory. */
  @Override
  public void close() {
    room.close();
  }
}
