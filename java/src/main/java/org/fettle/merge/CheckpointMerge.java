package org.fettle.merge;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.LongConsumer;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Tensor;
import org.fettle.internal.Safetensors;

/**
 * Merges whole checkpoints, files of any size: arrays are mapped and go through memory a block at a
 * time. Arrays that are no F32, BF16 or F16 must be equal in all models and are copied. The result
 * is written to a file beside the target, which it replaces once it is whole.
 */
public final class CheckpointMerge {
  /** How the arrays of the models become one. */
  public interface Method {
    /**
     * Merges a block of every model, or a whole array.
     *
     * @param sources the blocks, by role: every list has one block per checkpoint of that role
     * @param out flat, of the same number of elements
     */
    void merge(Sources sources, Tensor out);

    /** Whether a whole array must be given at once, at most 2 GiB in each format. */
    default boolean takesWholeArrays() {
      return false;
    }

    /** Looks at all checkpoints before anything is merged. */
    default void prepare(Checkpoints checkpoints) throws IOException {}
  }

  /**
   * A block of every checkpoint.
   *
   * @param models of the models
   * @param base of the base, or null
   * @param weights of the models' diagonal Fisher information or Hessians; empty for none
   * @param baseWeights of the base's, or null
   * @param rowLength the array's last extent
   */
  public record Sources(
      List<Tensor> models, Tensor base, List<Tensor> weights, Tensor baseWeights, long rowLength) {}

  /**
   * The checkpoints of a merge.
   *
   * @param models at least one
   * @param base the pre-trained model, or null
   * @param weights the models' diagonal Fisher information or Hessians; empty for none
   * @param baseWeights the base's, or null
   */
  public record Checkpoints(
      List<Checkpoint> models, Checkpoint base, List<Checkpoint> weights, Checkpoint baseWeights) {
    /** Copies the lists. */
    public Checkpoints {
      models = List.copyOf(models);
      weights = List.copyOf(weights);
    }

    private List<Checkpoint> all() {
      List<Checkpoint> all = new ArrayList<>(models);
      all.addAll(weights);
      if (base != null) {
        all.add(base);
      }
      if (baseWeights != null) {
        all.add(baseWeights);
      }
      return all;
    }
  }

  private static final long BLOCK = 1L << 23;
  private static final int COPY_BYTES = 1 << 22;

  private final Checkpoints checkpoints;
  private final Method method;
  private final DType dtype;
  private final Checkpoint first;

  /**
   * Checks everything: the same arrays of the same shapes in all checkpoints, and what is not
   * merged equal in all models.
   *
   * @param dtype the format of the merged arrays; null for that of the first model's
   * @throws IllegalArgumentException naming the files and the array that do not fit
   * @throws IOException if a checkpoint cannot be read
   */
  public CheckpointMerge(Checkpoints checkpoints, Method method, DType dtype) throws IOException {
    this.checkpoints = Objects.requireNonNull(checkpoints, "checkpoints");
    this.method = Objects.requireNonNull(method, "method");
    this.dtype = dtype;
    if (checkpoints.models().isEmpty()) {
      throw new IllegalArgumentException("0 models: expected at least 1");
    }
    if (dtype != null && !dtype.isFloating()) {
      throw new IllegalArgumentException(
          "the output's dtype is " + dtype + ": expected F32, BF16 or F16");
    }
    first = checkpoints.models().get(0);
    for (Checkpoint other : checkpoints.all()) {
      checkNames(other);
    }
    for (String name : first.names()) {
      checkArray(name);
    }
  }

  private void checkNames(Checkpoint other) {
    for (String name : first.names()) {
      if (!other.names().contains(name) && (first.dtype(name) != null || isModel(other))) {
        throw new IllegalArgumentException(
            other.file() + " has no array " + name + ": expected the arrays of " + first.file());
      }
    }
    for (String name : other.names()) {
      if (isModel(other) && !first.names().contains(name)) {
        throw new IllegalArgumentException(
            other.file() + " has an array " + name + ", which " + first.file() + " has not");
      }
    }
  }

  private boolean isModel(Checkpoint checkpoint) {
    return checkpoints.models().contains(checkpoint);
  }

  private void checkArray(String name) throws IOException {
    Safetensors.Array expected = first.array(name);
    boolean merged = first.dtype(name) != null;
    for (Checkpoint other : merged ? checkpoints.all() : checkpoints.models()) {
      Safetensors.Array actual = other.array(name);
      if (!actual.shape().equals(expected.shape())) {
        throw mismatch(name, other, actual, expected);
      }
      if (merged ? other.dtype(name) == null : !actual.dtype().equals(expected.dtype())) {
        throw mismatch(name, other, actual, expected);
      }
      if (!merged && !sameBytes(name, other)) {
        throw new IllegalArgumentException(
            "array "
                + name
                + " is "
                + expected.dtype()
                + " and differs between "
                + first.file()
                + " and "
                + other.file()
                + ": expected F32, BF16 or F16 where there is something to merge");
      }
      if (merged
          && method.takesWholeArrays()
          && Math.max(actual.bytes(), outputType(name).bytes(actual.elements()))
              > Checkpoint.MOST_BYTES) {
        throw new IllegalArgumentException(
            "array "
                + name
                + " of "
                + other.file()
                + " has "
                + actual.bytes()
                + " bytes: expected at most "
                + Checkpoint.MOST_BYTES
                + " for a method that needs whole arrays");
      }
    }
  }

  private IllegalArgumentException mismatch(
      String name, Checkpoint other, Safetensors.Array actual, Safetensors.Array expected) {
    return new IllegalArgumentException(
        "array "
            + name
            + " of "
            + other.file()
            + " is "
            + actual.dtype()
            + actual.shape()
            + ": expected "
            + expected.dtype()
            + expected.shape()
            + " as in "
            + first.file());
  }

  private boolean sameBytes(String name, Checkpoint other) throws IOException {
    if (other == first) {
      return true;
    }
    ByteBuffer mine = ByteBuffer.allocate(COPY_BYTES);
    ByteBuffer theirs = ByteBuffer.allocate(COPY_BYTES);
    long bytes = first.array(name).bytes();
    for (long at = 0; at < bytes; at += COPY_BYTES) {
      int size = (int) Math.min(COPY_BYTES, bytes - at);
      first.read(name, at, mine.clear().limit(size));
      other.read(name, at, theirs.clear().limit(size));
      if (!mine.flip().equals(theirs.flip())) {
        return false;
      }
    }
    return true;
  }

  private DType outputType(String name) {
    return dtype == null ? first.dtype(name) : dtype;
  }

  /** Bytes that {@link #write} reads and writes, for a progress bar. */
  public long bytes() {
    long bytes = 0;
    for (String name : first.names()) {
      Safetensors.Array array = first.array(name);
      bytes += outputBytes(name);
      if (first.dtype(name) == null) {
        bytes += array.bytes();
      } else {
        for (Checkpoint checkpoint : checkpoints.all()) {
          bytes += checkpoint.array(name).bytes();
        }
      }
    }
    return bytes;
  }

  private long outputBytes(String name) {
    Safetensors.Array array = first.array(name);
    return first.dtype(name) == null ? array.bytes() : outputType(name).bytes(array.elements());
  }

  /**
   * Merges and writes.
   *
   * @param backend one whose tensors are on the CPU
   * @param progress told how many more bytes were read and written
   * @throws IOException if something cannot be read or written; the old target is untouched then
   */
  public void write(Backend backend, Path target, LongConsumer progress) throws IOException {
    if (backend.device().kind() != org.fettle.Device.Kind.CPU) {
      throw new IllegalArgumentException(
          "backend " + backend + " is on " + backend.device() + ": expected one on the CPU");
    }
    method.prepare(checkpoints);
    Path partial = target.resolveSibling(target.getFileName() + ".part");
    boolean complete = false;
    try {
      try (FileChannel channel =
          FileChannel.open(
              partial,
              StandardOpenOption.CREATE,
              StandardOpenOption.TRUNCATE_EXISTING,
              StandardOpenOption.WRITE)) {
        writeFully(channel, header());
        for (String name : first.names()) {
          if (first.dtype(name) == null) {
            copy(name, channel, progress);
          } else {
            merge(name, channel, progress);
          }
        }
        channel.force(true);
      }
      move(partial, target);
      complete = true;
    } finally {
      if (!complete) {
        Files.deleteIfExists(partial);
      }
    }
  }

  private ByteBuffer header() {
    Map<String, String> metadata = new LinkedHashMap<>(first.metadata());
    List<Safetensors.Array> arrays = new ArrayList<>();
    long offset = 0;
    for (String name : first.names()) {
      Safetensors.Array array = first.array(name);
      String word = first.dtype(name) == null ? array.dtype() : outputType(name).fileName();
      long bytes = outputBytes(name);
      arrays.add(new Safetensors.Array(name, word, array.shape(), offset, bytes));
      offset += bytes;
    }
    return Safetensors.header(metadata, arrays);
  }

  private void merge(String name, FileChannel channel, LongConsumer progress) throws IOException {
    Safetensors.Array array = first.array(name);
    long elements = array.elements();
    long block = method.takesWholeArrays() ? Math.max(elements, 1) : BLOCK;
    DType type = outputType(name);
    Tensor out = Tensor.allocate(type, Math.min(block, elements));
    for (long at = 0; at < elements; at += block) {
      long count = Math.min(block, elements - at);
      Tensor part = count == out.elements() ? out : Tensor.of(out.buffer(), type, count);
      method.merge(sources(name, at, count), part);
      ByteBuffer bytes = part.buffer().order(ByteOrder.LITTLE_ENDIAN);
      writeFully(channel, bytes.limit((int) part.bytes()));
      long moved = part.bytes();
      for (Checkpoint checkpoint : checkpoints.all()) {
        moved += checkpoint.dtype(name).bytes(count);
      }
      progress.accept(moved);
    }
  }

  private Sources sources(String name, long at, long count) throws IOException {
    List<Long> shape = first.array(name).shape();
    long rowLength = shape.isEmpty() ? 1 : shape.get(shape.size() - 1);
    return new Sources(
        readAll(checkpoints.models(), name, at, count),
        checkpoints.base() == null ? null : checkpoints.base().read(name, at, count),
        readAll(checkpoints.weights(), name, at, count),
        checkpoints.baseWeights() == null ? null : checkpoints.baseWeights().read(name, at, count),
        rowLength);
  }

  private static List<Tensor> readAll(
      List<Checkpoint> checkpoints, String name, long at, long count) throws IOException {
    List<Tensor> tensors = new ArrayList<>();
    for (Checkpoint checkpoint : checkpoints) {
      tensors.add(checkpoint.read(name, at, count));
    }
    return tensors;
  }

  private void copy(String name, FileChannel channel, LongConsumer progress) throws IOException {
    ByteBuffer buffer = ByteBuffer.allocate(COPY_BYTES);
    long bytes = first.array(name).bytes();
    for (long at = 0; at < bytes; at += COPY_BYTES) {
      int size = (int) Math.min(COPY_BYTES, bytes - at);
      first.read(name, at, buffer.clear().limit(size));
      writeFully(channel, buffer.flip());
      progress.accept(2L * size);
    }
  }

  private static void writeFully(FileChannel channel, ByteBuffer bytes) throws IOException {
    while (bytes.hasRemaining()) {
      channel.write(bytes);
    }
  }

  private static void move(Path from, Path to) throws IOException {
    try {
      Files.move(from, to, StandardCopyOption.ATOMIC_MOVE);
    } catch (AtomicMoveNotSupportedException e) {
      Files.move(from, to, StandardCopyOption.REPLACE_EXISTING);
    }
  }
}
