package org.fettle.misuse;

import static java.util.concurrent.TimeUnit.SECONDS;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.GradientClip;
import org.fettle.Parameter;
import org.fettle.Plan;
import org.fettle.PlanBuilder;
import org.fettle.Tensor;
import org.fettle.rules.Lamb;
import org.fettle.testkit.Inputs;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Several threads at one plan, and executors of every kind, down to ones that do not work. */
@Timeout(value = 120, unit = SECONDS)
class ThreadsMisuseTest {
  private static final String BACKENDS = "org.fettle.testkit.Machine#hostBackends";
  private static final int ELEMENTS = 300_000;

  /** A plan that fans out, and what it must give. */
  private static final class Fixture {
    final Tensor value = Tensor.allocate(DType.F32, ELEMENTS);
    final Tensor gradient = Tensor.allocate(DType.F32, ELEMENTS);
    final PlanBuilder builder;

    Fixture(Backend backend) {
      Inputs.fill(Inputs.Kind.NORMAL, DType.F32, 1, value.buffer(), 0, ELEMENTS);
      Inputs.fill(Inputs.Kind.NORMAL, DType.F32, 2, gradient.buffer(), 0, ELEMENTS);
      builder =
          Plan.builder()
              .backend(backend)
              .threads(4)
              .clip(GradientClip.byGlobalNorm(1))
              .group(new Lamb(), Parameter.of(value, gradient));
    }

    void assertIsAfter(int steps) {
      Fixture other = new Fixture(Backend.named("java"));
      try (Plan plan = other.builder.threads(1).build()) {
        for (int i = 0; i < steps; i++) {
          plan.step();
        }
      }
      ByteBuffer expected = other.value.buffer();
      assertEquals(-1, expected.mismatch(value.buffer()), "other bits than on one thread");
    }
  }

  @ParameterizedTest
  @MethodSource(BACKENDS)
  void aSecondThreadIsRefusedAndAClosingOneWaits(Backend backend) throws Exception {
    Fixture fixture = new Fixture(backend);
    List<Future<?>> closing = new ArrayList<>();
    CountDownLatch started = new CountDownLatch(1);
    AtomicInteger refused = new AtomicInteger();
    Plan[] plan = new Plan[1];
    // Called on the stepping thread, in the middle of its step.
    Executor meddling =
        task -> {
          if (closing.isEmpty()) {
            Refusal.ofState(() -> plan[0].close(), "cannot be closed by its own step");
            try {
              CompletableFuture.runAsync(
                      () -> {
                        Refusal.ofState(() -> plan[0].step(), "in use by another thread");
                        Refusal.ofState(() -> plan[0].stepCount(0), "in use by another thread");
                        Refusal.ofState(
                            () -> plan[0].setGradient(0, null), "in use by another thread");
                        refused.incrementAndGet();
                      },
                      command -> new Thread(command).start())
                  .get(30, SECONDS);
              closing.add(
                  CompletableFuture.runAsync(
                      () -> {
                        started.countDown();
                        plan[0].close();
                      },
                      command -> new Thread(command).start()));
              assertTrue(started.await(30, SECONDS));
            } catch (InterruptedException | ExecutionException | TimeoutException e) {
              throw new AssertionError(e);
            }
          }
          assertFalse(closing.get(0).isDone(), "closed in the middle of a step");
          task.run();
        };
    plan[0] = fixture.builder.executor(meddling).build();
    plan[0].step();
    closing.get(0).get(30, SECONDS);
    assertEquals(1, refused.get());
    fixture.assertIsAfter(1);
    Refusal.ofState(() -> plan[0].step(), "the plan is closed");
  }

  @ParameterizedTest
  @MethodSource(BACKENDS)
  void anExecutorMayBeTheOneThatSteps(Backend backend) throws Exception {
    ExecutorService single = Executors.newSingleThreadExecutor();
    try {
      Fixture fixture = new Fixture(backend);
      try (Plan plan = fixture.builder.executor(single).build()) {
        single
            .submit(
                () -> {
                  plan.step();
                  plan.step();
                })
            .get(60, SECONDS);
        plan.step();
      }
      fixture.assertIsAfter(3);
    } finally {
      single.shutdownNow();
    }
  }

  @ParameterizedTest
  @MethodSource(BACKENDS)
  void executorsThatDoNotWork(Backend backend) {
    Queue<Runnable> late = new ArrayDeque<>();
    List<Executor> executors =
        List.of(
            late::add,
            task -> {},
            Runnable::run,
            task -> {
              throw new RejectedExecutionException("full");
            },
            task -> {
              throw new IllegalArgumentException("broken");
            },
            task -> {
              throw new OutOfMemoryError("unable to create native thread");
            },
            task -> {
              task.run();
              throw new RejectedExecutionException("run and rejected");
            },
            task -> {
              task.run();
              task.run();
            });
    for (Executor executor : executors) {
      Fixture fixture = new Fixture(backend);
      try (Plan plan = fixture.builder.executor(executor).build()) {
        plan.step();
        plan.step();
        assertTrue(late.size() <= 3, "an executor that runs nothing fills up: " + late.size());
        List<Runnable> now = List.copyOf(late);
        late.clear();
        now.forEach(Runnable::run);
        plan.step();
      }
      fixture.assertIsAfter(3);
    }
    // Helpers that come after the plan is closed find nothing to do.
    late.forEach(Runnable::run);
  }

  @ParameterizedTest
  @MethodSource(BACKENDS)
  void theCommonPoolMayBeBusy(Backend backend) throws Exception {
    CountDownLatch release = new CountDownLatch(1);
    List<Future<?>> blockers = new ArrayList<>();
    for (int i = 0; i < ForkJoinPool.getCommonPoolParallelism() + 2; i++) {
      blockers.add(
          ForkJoinPool.commonPool()
              .submit(
                  () -> {
                    try {
                      release.await();
                    } catch (InterruptedException e) {
                      fail(e);
                    }
                  }));
    }
    try {
      Fixture fixture = new Fixture(backend);
      try (Plan plan = fixture.builder.build()) {
        Future<?> stepping =
            CompletableFuture.runAsync(
                () -> {
                  plan.step();
                  plan.step();
                },
                command -> new Thread(command).start());
        stepping.get(60, SECONDS);
      }
      fixture.assertIsAfter(2);
    } finally {
      release.countDown();
    }
    for (Future<?> blocker : blockers) {
      blocker.get(30, SECONDS);
    }
  }

  @ParameterizedTest
  @MethodSource(BACKENDS)
  void anInterruptIsKeptForTheCaller(Backend backend) {
    ExecutorService pool = Executors.newFixedThreadPool(3);
    try {
      Fixture fixture = new Fixture(backend);
      try (Plan plan = fixture.builder.executor(pool).build()) {
        Thread.currentThread().interrupt();
        plan.step();
        assertTrue(Thread.interrupted());
        plan.step();
        assertFalse(Thread.interrupted());
      }
      fixture.assertIsAfter(2);
    } finally {
      pool.shutdownNow();
    }
  }

  @ParameterizedTest
  @MethodSource(BACKENDS)
  void manyPlansAtOnce(Backend backend) throws Exception {
    ExecutorService pool = Executors.newFixedThreadPool(8);
    try {
      List<Future<?>> all = new ArrayList<>();
      for (int i = 0; i < 16; i++) {
        Fixture fixture = new Fixture(backend);
        boolean ownPool = i % 2 == 0;
        all.add(
            pool.submit(
                () -> {
                  if (ownPool) {
                    fixture.builder.executor(pool);
                  }
                  try (Plan plan = fixture.builder.build()) {
                    plan.step();
                    plan.step();
                  }
                  fixture.assertIsAfter(2);
                }));
      }
      for (Future<?> one : all) {
        one.get(100, SECONDS);
      }
    } finally {
      pool.shutdownNow();
    }
  }

  /** A race, not a schedule: whatever wins, nothing crashes and a closed plan stays closed. */
  @ParameterizedTest
  @MethodSource(BACKENDS)
  void closingRacesWithStepping(Backend backend) throws Exception {
    for (int round = 0; round < 200; round++) {
      Tensor value = Tensor.allocate(DType.F32, 1000);
      Tensor gradient = Tensor.allocate(DType.F32, 1000);
      Plan plan =
          Plan.builder().backend(backend).group(new Lamb(), Parameter.of(value, gradient)).build();
      List<Thread> threads = new ArrayList<>();
      List<Throwable> wrong = new ArrayList<>();
      for (int i = 0; i < 3; i++) {
        threads.add(
            new Thread(
                () -> {
                  try {
                    while (true) {
                      step(plan);
                    }
                  } catch (IllegalStateException e) {
                    assertTrue(e.getMessage().contains("closed"), e.getMessage());
                  }
                }));
      }
      threads.forEach(
          thread -> {
            thread.setUncaughtExceptionHandler(
                (t, e) -> {
                  synchronized (wrong) {
                    wrong.add(e);
                  }
                });
            thread.start();
          });
      Thread.sleep(round % 3);
      plan.close();
      for (Thread thread : threads) {
        thread.join();
      }
      assertEquals(List.of(), wrong);
      Refusal.ofState(() -> plan.step(), "closed");
    }
  }

  /** A step, or nothing where another thread is at it. */
  private static void step(Plan plan) {
    try {
      plan.step();
    } catch (IllegalStateException e) {
      if (!e.getMessage().contains("in use")) {
        throw e;
      }
    }
  }
}
