package org.fettle.benchmarks;

import java.util.List;
import org.fettle.Backend;
import org.fettle.benchmarks.Workload.Extra;
import org.fettle.benchmarks.Workload.Storage;
import org.fettle.internal.NativeLibrary;
import org.fettle.rules.AdamW;

/**
 * What the machine allows, measured at the end of a run; NaN where it has no such thing.
 *
 * @param memory GB/s of one thread, on arrays far larger than a cache
 * @param memoryOfAll GB/s of all threads together
 * @param threads how many that was
 * @param cache GB/s of one thread, on arrays that fit in its cache
 * @param multiplyAdds Gop/s of one thread in f32; a multiply-add is two
 * @param divisions 1e9 elements per second, each a division and a square root in f32
 * @param byteProducts Gop/s of one thread on products of bytes
 */
record Ceilings(
    double memory,
    double memoryOfAll,
    int threads,
    double cache,
    double multiplyAdds,
    double divisions,
    double byteProducts) {
  private static final int TURNS = 9;
  private static final long LARGE = 10_000_000;
  private static final long SMALL = 10_000;

  private static final int MULTIPLY_ADDS = 0;
  private static final int DIVISIONS = 1;
  private static final int BYTE_PRODUCTS = 2;

  static Ceilings measure() throws InterruptedException {
    Passes.load();
    int threads = Math.min(2, Runtime.getRuntime().availableProcessors());
    List<String> tiers = NativeLibrary.tierNames();
    return new Ceilings(
        gigabytes(LARGE, 1),
        gigabytes(LARGE, threads),
        threads,
        gigabytes(SMALL, 1),
        peak(MULTIPLY_ADDS),
        peak(DIVISIONS),
        tiers.contains("avx512-vnni") ? peak(BYTE_PRODUCTS) : Double.NaN);
  }

  /** A pass over the arrays of AdamW. */
  private static double gigabytes(long elements, int threads) throws InterruptedException {
    Workload workload = new Workload(new AdamW(), Storage.F32, Extra.NONE, elements, 1);
    try (Arrays arrays = new Arrays(workload);
        Ours ours = new Ours(workload, arrays, Backend.named("cpu"), threads);
        Ceiling ceiling = new Ceiling(workload, arrays, ours.plan(), threads, 0)) {
      double[] nanos =
          Rounds.run(
                  List.of(ceiling), new Rounds.Settings(0.2, 0.3, 0.004, TURNS, 101), threads > 1)
              .get(ceiling.name());
      return Shape.of(workload).bytesPerElement() * elements / Result.median(nanos);
    }
  }

  /** Per nanosecond; the best turn, as nothing but the clock may be in the way. */
  private static double peak(int kind) {
    int tier = (NativeLibrary.tiers() & 4) != 0 ? 4 : 3;
    long rounds = kind == DIVISIONS ? 2_000 : 1_000_000;
    double best = 0;
    for (int turn = 0; turn < TURNS; turn++) {
      long start = System.nanoTime();
      long done = Passes.peak(kind, tier, rounds);
      best = Math.max(best, (double) done / (System.nanoTime() - start));
    }
    return best > 0 ? best : Double.NaN;
  }
}
