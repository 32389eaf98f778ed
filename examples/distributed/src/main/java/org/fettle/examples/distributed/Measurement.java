package org.fettle.examples.distributed;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.SplittableRandom;
import org.fettle.DType;
import org.fettle.Tensor;
import org.fettle.distributed.Compression;
import org.fettle.distributed.ShardLayout;

/** What an exchange of gradients costs: bytes that leave a process, and time, on loopback. */
final class Measurement {
  private static final int WARM_UP = 2;
  private static final int REPEATS = 8;

  private final Group group;
  private final Settings settings;

  Measurement(Group group, Settings settings) {
    this.group = group;
    this.settings = settings;
  }

  void run(Compression compression) throws Group.Lost, IOException {
    ShardLayout layout = ShardLayout.of(settings.workers(), settings.measure());
    try (Exchange exchange = new Exchange(group, settings, layout, compression)) {
      measure(compression, layout, exchange);
    }
  }

  private void measure(Compression compression, ShardLayout layout, Exchange exchange)
      throws Group.Lost, IOException {
    Tensor gradient = group.tensor(DType.F32, layout.elements());
    Tensor mean = group.tensor(DType.F32, layout.shardElements());
    Tensor host = group.toHost(gradient);
    ByteBuffer bytes = host.buffer();
    SplittableRandom random = new SplittableRandom(group.rank());
    while (bytes.hasRemaining()) {
      bytes.putFloat((float) (random.nextDouble() - 0.5));
    }
    group.fromHost(host, gradient);
    long sent = 0;
    long wire = 0;
    long start = 0;
    for (int i = -WARM_UP; i < REPEATS; i++) {
      if (i == 0) {
        group.barrier();
        sent = group.bytesSent();
        wire = loopbackBytes();
        start = System.nanoTime();
      }
      for (int k = 0; k < settings.workersHere(); k++) {
        exchange.send(k, gradient);
      }
      for (int k = 0; k < settings.workersHere(); k++) {
        exchange.mean(k, mean);
      }
    }
    group.barrier();
    double seconds = (System.nanoTime() - start) / 1e9 / REPEATS;
    double elements = layout.elements() * (double) REPEATS;
    if (group.rank() == 0) {
      System.out.printf(
          Locale.ROOT,
          "%-8s %d processes: %.4f bytes per parameter leave a process, %.4f on the wire,"
              + " %.1f ms per exchange%n",
          compression,
          group.size(),
          (group.bytesSent() - sent) / elements,
          (loopbackBytes() - wire) / elements / group.size(),
          seconds * 1e3);
    }
  }

  /** Bytes that all processes of this machine sent over loopback, headers and all. */
  private static long loopbackBytes() throws IOException {
    return Long.parseLong(
        Files.readString(Path.of("/sys/class/net/lo/statistics/tx_bytes")).strip());
  }
}
