package org.fettle.examples.distributed;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import org.fettle.Tensor;

/** Raw tensors beside the plans' state files, and the number of the last complete step. */
final class Checkpoints {
  private final Path folder;

  Checkpoints(Path folder) {
    this.folder = folder;
  }

  Path step(int step) throws IOException {
    return Files.createDirectories(folder.resolve("step-" + step));
  }

  /** Called by one process, once everything of the step is written. */
  void complete(int step) throws IOException {
    Path next = Files.writeString(folder.resolve("latest.new"), Integer.toString(step));
    Files.move(next, folder.resolve("latest"), StandardCopyOption.ATOMIC_MOVE);
  }

  /** The last complete step, 0 if there is none. */
  int latest() throws IOException {
    Path latest = folder.resolve("latest");
    return Files.exists(latest) ? Integer.parseInt(Files.readString(latest)) : 0;
  }

  static void write(Path file, Tensor tensor) throws IOException {
    try (FileChannel channel =
        FileChannel.open(
            file,
            StandardOpenOption.CREATE,
            StandardOpenOption.TRUNCATE_EXISTING,
            StandardOpenOption.WRITE)) {
      ByteBuffer bytes = tensor.buffer();
      while (bytes.hasRemaining()) {
        channel.write(bytes);
      }
    }
  }

  static void read(Path file, Tensor tensor) throws IOException {
    ByteBuffer bytes = tensor.buffer();
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      if (channel.size() != bytes.remaining()) {
        throw new IOException(
            file + " has " + channel.size() + " bytes: expected " + bytes.remaining());
      }
      while (bytes.hasRemaining()) {
        if (channel.read(bytes) < 0) {
          throw new IOException(file + " ended early");
        }
      }
    }
  }
}
