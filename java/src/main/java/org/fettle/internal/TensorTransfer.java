package org.fettle.internal;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.ThreadLocalRandom;
import java.util.zip.CRC32C;
import org.fettle.Tensor;
import org.fettle.internal.Safetensors.Array;

/** Moves tensors of an engine into files and back, a buffer at a time, with their checksums. */
public final class TensorTransfer {
  private static final int BUFFER_BYTES = 1 << 22;

  private final Engine engine;
  private final ByteBuffer buffer;

  /** For tensors of at most that many bytes. */
  public TensorTransfer(Engine engine, long largestBytes) {
    this.engine = engine;
    buffer = ByteBuffer.allocateDirect((int) Math.min(BUFFER_BYTES, Math.max(1, largestBytes)));
  }

  /** What fills a file. */
  public interface Writing {
    /** Writes everything. */
    void to(FileChannel channel) throws IOException;
  }

  /** What reads a description. */
  public interface Reading {
    /** Reads it; whatever it throws but a refusal means that the description is bad. */
    void read() throws IOException;
  }

  /** Writes a file beside its place and moves it there when it is whole. */
  public static void replace(Path file, Writing writing) throws IOException {
    Path target = file.toAbsolutePath();
    String mark = Long.toHexString(ThreadLocalRandom.current().nextLong());
    Path temporary = target.resolveSibling("." + target.getFileName() + "." + mark);
    try {
      try (FileChannel channel =
          FileChannel.open(temporary, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
        writing.to(channel);
        channel.force(true);
      }
      Files.move(
          temporary, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    } finally {
      Files.deleteIfExists(temporary);
    }
  }

  /** Writes all that a buffer holds, from a position of the file on. */
  public static void write(FileChannel channel, ByteBuffer bytes, long at) throws IOException {
    long position = at;
    while (bytes.hasRemaining()) {
      position += channel.write(bytes, position);
    }
  }

  /**
   * Reads a description whose JSON may be anything.
   *
   * @throws IllegalArgumentException if it is not what the reading expects
   */
  public static void describe(Safetensors source, Reading reading) throws IOException {
    try {
      reading.read();
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException(source.wrong("has a bad description").getMessage(), e);
    } catch (IllegalArgumentException e) {
      throw e;
    } catch (RuntimeException e) {
      // Gson has an exception of its own for each way in which an element is of another kind.
      throw new IllegalArgumentException(source.wrong("has a bad description").getMessage(), e);
    }
  }

  /** Writes a tensor at the channel's position; answers its checksum. */
  public long write(Tensor tensor, FileChannel channel) throws IOException {
    CRC32C checksum = new CRC32C();
    for (long at = 0; at < tensor.bytes(); at += buffer.capacity()) {
      buffer.clear().limit((int) Math.min(buffer.capacity(), tensor.bytes() - at));
      engine.read(tensor, at, buffer);
      checksum.update(buffer.flip());
      buffer.rewind();
      while (buffer.hasRemaining()) {
        channel.write(buffer);
      }
    }
    return checksum.getValue();
  }

  /** The checksum of an array of a file. */
  public long checksum(Safetensors source, Array array) throws IOException {
    CRC32C checksum = new CRC32C();
    for (long at = 0; at < array.bytes(); at += buffer.capacity()) {
      readPart(source, array, at);
      checksum.update(buffer);
    }
    return checksum.getValue();
  }

  /** Reads an array of a file into a tensor of its size. */
  public void read(Safetensors source, Array array, Tensor to) throws IOException {
    for (long at = 0; at < array.bytes(); at += buffer.capacity()) {
      readPart(source, array, at);
      engine.write(to, at, buffer);
    }
  }

  private void readPart(Safetensors source, Array array, long at) throws IOException {
    buffer.clear().limit((int) Math.min(buffer.capacity(), array.bytes() - at));
    source.read(array, at, buffer);
    buffer.flip();
  }

  /** The checksum of a text, as files have it. */
  public static String checksum(String text) {
    CRC32C checksum = new CRC32C();
    checksum.update(text.getBytes(StandardCharsets.UTF_8));
    return hex(checksum.getValue());
  }

  /** A checksum as files have it: eight hexadecimal digits. */
  public static String hex(long checksum) {
    return String.format("%08x", checksum);
  }
}
