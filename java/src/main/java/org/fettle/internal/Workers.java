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
 * ranges from one cursor), so a helper that comes late or never is no loss. Allocates nothing after
 * construction.
 */
final class Workers {
  private final Executor executor;
  private final Forked[] forked;
  private final Handed[] handed;
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
    int helpers = threads - 1;
    forked = new Forked[executor == null ? helpers : 0];
    handed = new Handed[executor == null ? 0 : helpers];
    for (int i = 0; i < forked.length; i++) {
      forked[i] = new Forked();
    }
    for (int i = 0; i < handed.length; i++) {
      handed[i] = new Handed();
    }
  }

  /**
   * Runs {@code newWork} on the caller and at most {@code participants - 1} helpers; returns when
   * all are done.
   */
  void run(int participants, Runnable newWork) {
    work = newWork;
    failure = null;
    if (executor == null) {
      fork(Math.min(participants - 1, forked.length));
    } else {
      hand(Math.min(participants - 1, handed.length));
    }
    work = null;
    Throwable failed = failure;
    if (failed instanceof Error error) {
      throw error;
    }
    if (failed instanceof RuntimeException exception) {
      throw exception;
    }
  }

  private void fork(int helpers) {
    boolean inPool = Thread.currentThread() instanceof ForkJoinWorkerThread;
    int limit =
        inPool
            ? ForkJoinTask.getPool().getParallelism() - 1
            : ForkJoinPool.getCommonPoolParallelism();
    int used = Math.min(helpers, limit);
    for (int i = 0; i < used; i++) {
      forked[i].reinitialize();
      if (inPool) {
        forked[i].fork();
      } else {
        ForkJoinPool.commonPool().execute(forked[i]);
      }
    }
    runGuarded();
    for (int i = used - 1; i >= 0; i--) {
      forked[i].quietlyJoin();
    }
  }

  private void hand(int helpers) {
    waiting = Thread.currentThread();
    for (int i = 0; i < helpers; i++) {
      handed[i].offer(executor);
    }
    runGuarded();
    boolean interrupted = false;
    for (int i = 0; i < helpers; i++) {
      while (!handed[i].isDone()) {
        LockSupport.park(this);
        interrupted |= Thread.interrupted();
      }
    }
    waiting = null;
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

  private final class Forked extends ForkJoinTask<Void> {
    private static final long serialVersionUID = 1L;

    @Override
    public Void getRawResult() {
      return null;
    }

    @Override
    protected void setRawResult(Void value) {}

    @Override
    protected boolean exec() {
      runGuarded();
      return true;
    }
  }

  /**
   * A helper in the caller's executor. One that has not started when the caller is done is
   * withdrawn, not waited for: the caller may itself be the thread that would have run it.
   */
  private final class Handed implements Runnable {
    private static final int IDLE = 0;
    private static final int OFFERED = 1;
    private static final int RUNNING = 2;

    private final AtomicInteger state = new AtomicInteger(IDLE);
    private final AtomicBoolean queued = new AtomicBoolean();

    void offer(Executor to) {
      state.set(OFFERED);
      // One that was withdrawn in an earlier step may still be queued; it will do.
      if (queued.compareAndSet(false, true)) {
        try {
          to.execute(this);
        } catch (RuntimeException | OutOfMemoryError e) {
          // Rejected, or no thread to be had: the caller does the work.
          queued.set(false);
        }
      }
    }

    boolean isDone() {
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
  }
}
