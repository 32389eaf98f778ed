package org.fettle.benchmarks;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.fettle.Backend;
import org.fettle.rules.AdamW;

/**
 * One line of the table: a workload, and who does it.
 *
 * @param workload what is done
 * @param threads the most threads of every contestant
 * @param backends Fettle's, the first of which the ratios are about
 * @param withPeers whether other libraries take part
 */
record Case(Workload workload, int threads, List<String> backends, boolean withPeers) {
  private static final int MOST_IDLE_STEPS = 10;

  /** Such as {@code adamw.f32.1e7}, or {@code adamw.f32.1e7.2t} for two threads. */
  String name() {
    return workload.name() + (threads == 1 ? "" : "." + threads + "t");
  }

  boolean isAboutAdamW() {
    return workload.rule().equals(new AdamW());
  }

  /** Measures, in this process. */
  Result.Fork measure(Rounds.Settings settings, List<Peer> peers) throws InterruptedException {
    try (Closer closer = new Closer()) {
      Arrays arrays = closer.add(new Arrays(workload));
      List<Ours> ours = new ArrayList<>();
      for (String backend : backends) {
        ours.add(closer.add(new Ours(workload, arrays, Backend.named(backend), threads)));
      }
      List<Contestant> contestants = new ArrayList<>();
      contestants.add(closer.add(new Ceiling(workload, arrays, ours.get(0).plan(), threads, 0)));
      contestants.addAll(ours);
      if (withPeers) {
        for (Peer peer : peers) {
          peer.contestants(workload, arrays, ours.get(0).plan(), threads)
              .forEach(c -> contestants.add(closer.add(c)));
        }
      }
      contestants.forEach(contestant -> checkThatItWorks(contestant, arrays));
      Map<String, double[]> nanos = Rounds.run(contestants, settings, threads > 1);
      return new Result.Fork(ours.get(0).name(), nanos);
    }
  }

  private void checkThatItWorks(Contestant contestant, Arrays arrays) {
    long before = arrays.fingerprint();
    // Rectified rules leave the parameters alone until their variance is known.
    for (int step = 0; step < MOST_IDLE_STEPS; step++) {
      contestant.step();
      if (arrays.fingerprint() != before) {
        break;
      }
    }
    if (contestant.changesParameters() == (arrays.fingerprint() == before)) {
      throw new IllegalStateException(
          name()
              + ": "
              + contestant.name()
              + (contestant.changesParameters()
                  ? " changed no parameter, so it measures nothing"
                  : " changed a parameter, so it spoils the others' numbers"));
    }
  }

  /** Closes in reverse order. */
  private static final class Closer implements AutoCloseable {
    private final List<AutoCloseable> opened = new ArrayList<>();

    <T extends AutoCloseable> T add(T resource) {
      opened.add(0, resource);
      return resource;
    }

    @Override
    public void close() {
      for (AutoCloseable resource : opened) {
        try {
          resource.close();
        } catch (Exception e) {
          throw new IllegalStateException(e);
        }
      }
    }
  }
}
