package org.fettle.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** Every range is taken once and the caller returns, wherever it stands and whatever helpers do. */
class WorkersTest {
  private static final Duration LONG = Duration.ofSeconds(60);
  private static final int RANGES = 40;

  /** Ranges taken from one cursor, counted. */
  private static final class Ranges implements Runnable {
    final AtomicInteger cursor = new AtomicInteger();
    final AtomicInteger taken = new AtomicInteger();

    @Override
    public void run() {
      while (cursor.getAndIncrement() < RANGES) {
        taken.incrementAndGet();
      }
    }
  }

  private static void runMany(Workers workers, int participants, int times) {
    for (int i = 0; i < times; i++) {
      Ranges ranges = new Ranges();
      workers.run(participants, ranges);
      assertEquals(RANGES, ranges.taken.get());
    }
  }

  @Test
  void manyRunsOnTheCommonPool() {
    assertTimeoutPreemptively(LONG, () -> runMany(new Workers(3, null), 3, 20_000));
  }

  @Test
  void manyRunsInsideAPool() {
    for (int parallelism : new int[] {1, 2, 3}) {
      ForkJoinPool pool = new ForkJoinPool(parallelism);
      assertTimeoutPreemptively(
          LONG, () -> pool.submit(() -> runMany(new Workers(4, null), 4, 10_000)).join());
      pool.shutdown();
    }
  }

  @Test
  void manyCallersInOnePool() {
    ForkJoinPool pool = new ForkJoinPool(2);
    assertTimeoutPreemptively(
        LONG,
        () -> {
          List<Future<?>> callers = new ArrayList<>();
          for (int i = 0; i < 6; i++) {
            callers.add(pool.submit(() -> runMany(new Workers(3, null), 3, 3_000)));
          }
          for (Future<?> caller : callers) {
            caller.get();
          }
        });
    pool.shutdown();
  }

  @Test
  void oneWorkersGoesFromPoolToPool() {
    Workers workers = new Workers(4, null);
    for (int i = 0; i < 200; i++) {
      ForkJoinPool pool = new ForkJoinPool(2);
      assertTimeoutPreemptively(LONG, () -> pool.submit(() -> runMany(workers, 4, 5)).join());
      // Takes withdrawn helpers with it.
      pool.shutdownNow();
      runMany(workers, 4, 5);
    }
  }

  @Test
  void theOnlyThreadOfAnExecutor() throws Exception {
    ExecutorService executor = Executors.newSingleThreadExecutor();
    Workers workers = new Workers(3, executor);
    assertTimeoutPreemptively(LONG, () -> executor.submit(() -> runMany(workers, 3, 1000)).get());
    assertTimeoutPreemptively(LONG, () -> runMany(workers, 3, 1000));
    executor.shutdown();
  }

  @Test
  void executorsThatForgetOrRefuse() {
    Executor forgets = task -> {};
    Executor refuses =
        task -> {
          throw new RejectedExecutionException("full");
        };
    assertTimeoutPreemptively(LONG, () -> runMany(new Workers(3, forgets), 3, 100));
    assertTimeoutPreemptively(LONG, () -> runMany(new Workers(3, refuses), 3, 100));
  }

  @Test
  void aFailureOfAnyParticipantIsThrown() {
    for (int i = 0; i < 100; i++) {
      Workers workers = new Workers(3, null);
      AtomicInteger entered = new AtomicInteger();
      IllegalStateException thrown =
          assertThrows(
              IllegalStateException.class,
              () ->
                  workers.run(
                      3,
                      () -> {
                        entered.incrementAndGet();
                        throw new IllegalStateException("no");
                      }));
      assertEquals("no", thrown.getMessage());
      assertTrue(entered.get() >= 1);
      runMany(workers, 3, 3);
    }
  }
}
