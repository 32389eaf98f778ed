package org.fettle.distributed;

import java.util.List;
import java.util.Objects;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Tensor;
import org.fettle.merge.LinearCombination;
import org.fettle.recipes.CompressedCommunication;

/**
 * One worker's side of an exchange of gradients: encodes its flat gradient into buffers for the
 * wire, and keeps what it did not send for the next step. All of it is where the backend's tensors
 * are; device memory is freed by {@link #close}, host memory by the garbage collector.
 */
public final class GradientEncoder implements AutoCloseable {
  private static final double[] ONE = {1};

  private final Backend backend;
  private final Room room;
  private final Compression compression;
  private final long elements;
  private final Tensor error;
  private final List<Tensor> split;
  private final List<Tensor> whole;

  /**
   * Allocates the buffers.
   *
   * @param elements of the flat gradient: {@link ShardLayout#elements}
   */
  public GradientEncoder(Backend backend, Compression compression, long elements) {
    this.backend = Objects.requireNonNull(backend, "backend");
    this.compression = Objects.requireNonNull(compression, "compression");
    if (elements < 1 || elements % ShardLayout.ALIGNMENT != 0) {
      throw new IllegalArgumentException(
          elements + " elements: expected a multiple of " + ShardLayout.ALIGNMENT);
    }
    this.elements = elements;
    room = new Room(backend);
    error = room.tensor(DType.F32, compression.hasMemory() ? elements : 0);
    split =
        switch (compression) {
          case F32, LARGEST -> List.of();
          case BF16 -> List.of(room.tensor(DType.BF16, elements));
          case INT8 ->
              List.of(
                  room.tensor(DType.I8, elements),
                  room.tensor(DType.F32, elements / Compression.BLOCK));
          case SIGN, MAJORITY -> List.of(room.tensor(DType.BIT, elements));
        };
    long sent = elements / Compression.LARGEST_OF;
    whole =
        switch (compression) {
          case SIGN -> List.of(room.tensor(DType.F64, 1));
          case LARGEST -> List.of(room.tensor(DType.I32, sent), room.tensor(DType.F32, sent));
          default -> List.of();
        };
  }

  /**
   * Encodes a gradient.
   *
   * @param gradient F32, flat, of the encoder's length, on the backend's device; F32 compression
   *     sends it from where it is
   * @return what to send: views of the encoder's buffers, or of the gradient, which the next call
   *     overwrites
   */
  public Message encode(Tensor gradient) {
    Objects.requireNonNull(gradient, "gradient");
    if (gradient.dtype() != DType.F32
        || gradient.rank() != 1
        || gradient.elements() != elements
        || !gradient.device().equals(backend.device())) {
      throw new IllegalArgumentException(
          "gradient " + gradient + ": expected F32[" + elements + "] on " + backend.device());
    }
    room.checkOpen("encoder");
    switch (compression) {
      case F32 -> {
        return new Message(List.of(gradient), whole);
      }
      case BF16 -> LinearCombination.combine(backend, List.of(gradient), ONE, split.get(0));
      case INT8 ->
          CompressedCommunication.encodeBlocks(
              backend, gradient, error, Compression.BLOCK, split.get(0), split.get(1));
      case SIGN -> {
        double scale = CompressedCommunication.encodeSigns(backend, gradient, error, split.get(0));
        room.write(whole.get(0), scale);
      }
      case MAJORITY -> CompressedCommunication.packSigns(backend, gradient, split.get(0));
      case LARGEST ->
          CompressedCommunication.encodeLargest(
              backend, gradient, error, whole.get(0), whole.get(1));
    }
    return new Message(split, whole);
  }

  /**
   * What was not sent yet, F32; without elements where nothing is kept. Belongs into checkpoints.
   */
  public Tensor error() {
    return error;
  }

  /** Frees device memory: the error's, and that of the messages. */
  @Override
  public void close() {
    room.close();
  }

  /**
   * What a worker sends.
   *
   * @param split to be cut into equal parts, of which each shard's owner gets its own
   * @param whole for every owner
   */
  public record Message(List<Tensor> split, List<Tensor> whole) {
    /** Takes copies of the lists. */
    public Message {
      split = List.copyOf(split);
      whole = List.copyOf(whole);
    }

    /** What the owner of some neighbouring shards gets. */
    public Message forShards(ShardLayout layout, int first, int count) {
      return new Message(
          split.stream().map(tensor -> layout.shards(tensor, first, count)).toList(), whole);
    }

    /** Bytes of all of it. */
    public long bytes() {
      return split.stream().mapToLong(Tensor::bytes).sum()
          + whole.stream().mapToLong(Tensor::bytes).sum();
    }
  }
}
