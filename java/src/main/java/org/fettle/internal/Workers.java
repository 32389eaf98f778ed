package org.fettle.internal;

import java.util.concurrent.Executor;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.ForkJoinTask;
import java.util.concurrent.ForkJoinWorkerThread;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;

/**
 * Spreads work over threads that belong to somebody else: the common pool, the pool that the caller
 * already runs in, or the caller's executor. The work shares itself out (its participants take
 * ranges from one cursor), so a helper that comes late or never is no loss: one that has not
 * started when the caller is done is withdrawn, not waited for. Allocates nothing after
 * construction.
 */
final class Workers {
  // A few microseconds, as a helper is mostly done by then and waking up takes longer.
  private static final int SPINS = 500;

  private final Executor executor;
  private final Helper[] helpers;
  private volatile Thread waiting;
  private volatile Throwable failure;
  private Runnable work;

  /**
   * Makes the helpers.
   *
   * @param threads the most participants, the caller included
   * @param executor where helpers run; null for fork-join
   */
  Workers(int threads, Executor executor) {
    this.executor = executor;
    helpers = new Helper[threads - 1];
    for (int i = 0; i < helpers.length; i++) {
      helpers[i] = new Helper();
    }
  }

  /**
   * Runs {@code newWork} on the caller and at most {@code participants - 1} helpers; returns when
   * all are done.
   */
  void run(int participants, Runnable newWork) {
    work = newWork;
    failure = null;
    waiting = Thread.currentThread();
    int used = Math.min(participants - 1, limit());
    for (int i = 0; i < used; i++) {
      helpers[i].offer();
    }
    runGuarded();
    await(used);
    waiting = null;
    work = null;
    Throwable failed = failure;
    if (failed instanceof Error error) {
      throw error;
    }
    if (failed instanceof RuntimeException exception) {
      throw exception;
    }
  }

  // A pool gets no more helpers than it has threads.
  private int limit() {
    if (executor != null) {
      return helpers.length;
    }
    int threads =
        inPool()
            ? ForkJoinTask.getPool().getParallelism() - 1
            : ForkJoinPool.getCommonPoolParallelism();
    return Math.min(helpers.length, threads);
  }

  private static boolean inPool() {
    return Thread.currentThread() instanceof ForkJoinWorkerThread;
  }

  private void await(int used) {
    boolean interrupted = false;
    int spins = 0;
    for (int i = 0; i < used; i++) {
      while (!helpers[i].isOver()) {
        if (spins++ < SPINS) {
          Thread.onSpinWait();
          continue;
        }
        LockSupport.park(this);
        interrupted |= Thread.interrupted();
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private void runGuarded() {
    try {
      work.run();
    } catch (RuntimeException | Error e) {
      failure = e;
    }
  }

  /**
   * A participant besides the caller. As a task it never completes: what is over is told by its own
   * state, so that it can be queued again at once. (A task that is joined and reinitialized may
   * still be in the hands of the thread that completed it, which then takes away the next joiner's
   * wake-up.)
   */
  private final class Helper extends ForkJoinTask<Void> implements Runnable {
    private static final long serialVersionUID = 1L;
    private static final int IDLE = 0;
    private static final int OFFERED = 1;
    private static final int RUNNING = 2;

    private final transient AtomicInteger state = new AtomicInteger(IDLE);
    private final transient AtomicBoolean queued = new AtomicBoolean();

    void offer() {
      if (isDone()) {
        // Cancelled by a pool that was shut down while it was queued there.
        reinitialize();
        queued.set(false);
      }
      state.set(OFFERED);
      // One that was withdrawn in an earlier step may still be queued; it will do.
      if (queued.compareAndSet(false, true)) {
        try {
          if (executor != null) {
            executor.execute(this);
          } else if (inPool()) {
            fork();
          } else {
            ForkJoinPool.commonPool().execute((ForkJoinTask<?>) this);
          }
        } catch (RuntimeException | OutOfMemoryError e) {
          // Rejected, or no thread to be had: the caller does the work.
          queued.set(false);
        }
      }
    }

    /** Withdraws it if it has not started; whether it takes no part any more. */
    boolean isOver() {
      state.compareAndSet(OFFERED, IDLE);
      return state.get() == IDLE;
    }

    @Override
    public void run() {
      queued.set(false);
      if (state.compareAndSet(OFFERED, RUNNING)) {
        runGuarded();
        Thread caller = waiting;
        state.set(IDLE);
        LockSupport.unpark(caller);
      }
    }

    @Override
    public Void getRawResult() {
      return null;
    }

    @Override
    protected void setRawResult(Void value) {}

    @Override
    protected boolean exec() {
      run();
      return false;
    }
  }
}
