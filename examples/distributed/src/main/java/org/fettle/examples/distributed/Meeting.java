package org.fettle.examples.distributed;

import java.io.IOException;
import java.util.concurrent.TimeUnit;
import org.bytedeco.javacpp.SizeTPointer;
import org.bytedeco.javacpp.chrono.Milliseconds;
import org.bytedeco.pytorch.ByteVector;
import org.bytedeco.pytorch.FileStore;
import org.bytedeco.pytorch.Store;
import org.bytedeco.pytorch.TCPStore;
import org.bytedeco.pytorch.TCPStoreOptions;

/**
 * Where the processes of one start find each other: keys and values that all of them see, in a file
 * or at a port of rank 0. New for every start.
 */
public final class Meeting implements AutoCloseable {
  /** Milliseconds that a process waits for another one; a property tells the seconds. */
  static final long TIMEOUT = TimeUnit.SECONDS.toMillis(Long.getLong("fettle.example.timeout", 60));

  private static final String TCP = "tcp://";

  private final Store store;
  private final String address;

  private Meeting(Store store, String address) {
    this.store = store;
    this.address = address;
  }

  /**
   * Opens it.
   *
   * @param address {@code tcp://HOST:PORT}, served by rank 0, which may give port 0 for any that is
   *     free; or the path of a file that is not there yet
   * @throws IllegalArgumentException if the address is none of these
   */
  public static Meeting open(String address, int rank, int processes) throws IOException {
    if (!address.startsWith(TCP)) {
      Libraries.load();
      return new Meeting(new FileStore(address, processes), address);
    }
    int colon = address.lastIndexOf(':');
    String host = address.substring(TCP.length(), Math.max(TCP.length(), colon));
    int port = port(address.substring(colon + 1));
    if (host.isEmpty() || port < 0 || (port == 0 && rank != 0)) {
      throw new IllegalArgumentException(
          "store " + address + " of rank " + rank + ": expected tcp://HOST:PORT or a file");
    }
    Libraries.load();
    TCPStoreOptions options = new TCPStoreOptions();
    options.isServer(rank == 0);
    options.port((short) port);
    options.numWorkers(new SizeTPointer(1).put(processes));
    // Rank 0 first has to tell its port.
    options.waitWorkers(false);
    options.timeout(new Milliseconds(TIMEOUT));
    TCPStore store = new TCPStore(host, options);
    return new Meeting(store, TCP + host + ":" + Short.toUnsignedInt(store.getPort()));
  }

  private static int port(String text) {
    try {
      int port = Integer.parseInt(text);
      return port <= 0xffff ? port : -1;
    } catch (NumberFormatException e) {
      return -1;
    }
  }

  /** What the other processes open. */
  public String address() {
    return address;
  }

  /** Bytes that one process gives to all. */
  byte[] share(String key, boolean giver, byte[] bytes) {
    if (giver) {
      store.set(key, new ByteVector(bytes));
      return bytes;
    }
    return store.get(key).get();
  }

  Store store() {
    return store;
  }

  @Override
  public void close() {
    store.close();
  }
}
