package org.fettle.merge;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.MappedByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.fettle.DType;
import org.fettle.Device;
import org.fettle.Tensor;
import org.fettle.internal.Addresses;
import org.fettle.internal.Safetensors;

/**
 * A safetensors checkpoint that is read by mapping it into memory, a piece at a time, so that it
 * may be larger than memory. Whoever shortens the file meanwhile breaks the reading process, as
 * with every mapped file.
 */
public final class Checkpoint implements Closeable {
  /** The most bytes of a piece, what one mapping can hold. */
  static final long MOST_BYTES = Integer.MAX_VALUE - 64;

  private final Path file;
  private final Safetensors source;

  private Checkpoint(Path file, Safetensors source) {
    this.file = file;
    this.source = source;
  }

  /**
   * Opens a checkpoint and checks its header.
   *
   * @throws IllegalArgumentException if it is no safetensors file, or a damaged one
   * @throws IOException if it cannot be read
   */
  public static Checkpoint open(Path file) throws IOException {
    return new Checkpoint(file, Safetensors.open(file));
  }

  /** The file. */
  public Path file() {
    return file;
  }

  /** The names of its arrays, in the header's order. */
  public List<String> names() {
    return new ArrayList<>(source.arrays().keySet());
  }

  /** The texts of the header's metadata. */
  public Map<String, String> metadata() {
    return source.metadata();
  }

  Safetensors.Array array(String name) {
    return source.array(name);
  }

  /** The format of an array that can be merged, or null: integers, F64 and 8-bit floats cannot. */
  DType dtype(String name) {
    return switch (array(name).dtype()) {
      case "F32" -> DType.F32;
      case "BF16" -> DType.BF16;
      case "F16" -> DType.F16;
      default -> null;
    };
  }

  /** Elements first to first + count - 1 of an array that can be merged, as a flat tensor. */
  Tensor read(String name, long first, long count) throws IOException {
    DType dtype = dtype(name);
    long from = dtype.bytes(first);
    int bytes = Math.toIntExact(dtype.bytes(count));
    Safetensors.Array array = array(name);
    boolean aligned = source.position(array) % dtype.alignment() == 0;
    if (aligned && bytes > 0 && Addresses.known()) {
      MappedByteBuffer mapped = source.map(array, from, bytes);
      return Tensor.ofAddress(Addresses.of(mapped), bytes, mapped, Device.CPU, dtype, count);
    }
    // A file whose header has an odd length, or no way to tell an address: read into memory.
    Tensor copy = Tensor.allocate(dtype, count);
    source.read(array, from, copy.buffer());
    return copy;
  }

  /** Bytes of an array that is not merged. */
  void read(String name, long from, ByteBuffer to) throws IOException {
    source.read(array(name), from, to.order(ByteOrder.LITTLE_ENDIAN));
  }

  @Override
  public void close() throws IOException {
    source.close();
  }
}
