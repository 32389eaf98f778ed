package org.fettle.examples.distributed;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.pytorch.global.torch;
import org.fettle.Backend;

/** The native libraries of this process. */
final class Libraries {
  private static boolean loaded;

  private Libraries() {}

  /**
   * Loads them, before any other class of the presets is touched: these depend on libtorch. JavaCPP
   * unpacks into a folder that all processes of a machine share. One after the other does so here:
   * of several at once, one may map a file that another still writes, and end with SIGBUS.
   */
  static synchronized void load() throws IOException {
    if (loaded) {
      return;
    }
    Path lock = Path.of(Loader.getCacheDir().getPath(), "fettle-example.lock");
    try (FileChannel channel =
            FileChannel.open(lock, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        FileLock held = channel.lock()) {
      if (!held.isValid()) {
        throw new IOException(lock + " cannot be held");
      }
      Loader.load(torch.class);
      Backend.best();
    }
    torch.set_num_threads(1);
    loaded = true;
  }
}
