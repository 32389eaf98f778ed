package org.fettle.internal.algebra;

import java.lang.ref.Cleaner;
import org.fettle.internal.CudaEngine;

/**
 * cuBLAS and cuSOLVER on an engine's device, opened when the engine's first products are asked for
 * and closed when the engine and its steps are unreachable. Nothing here names the preset's classes
 * outside of {@link Opened}, so this can be loaded without them.
 */
final class CudaHandles {
  /**
   * The system property {@code fettle.cuda.algebra.least=N}: products in double of N^3
   * multiplications and more, and factorisations of matrices with N rows and columns and more, go
   * to the device; below that the way there and back costs more than the host. Default 128.
   */
  static final String LEAST_PROPERTY = "fettle.cuda.algebra.least";

  private static final int DEFAULT_LEAST = 128;
  // The work space of the symmetric eigenvalues is 2 n^2, counted in an int.
  private static final int MOST = 30_000;
  private static final Cleaner CLEANER = Cleaner.create();

  private final Opened opened;

  private CudaHandles(Opened opened) {
    this.opened = opened;
  }

  /** What has to be closed; the engine in it is another one, so that the first can go. */
  private static final class Opened implements Runnable {
    final int device;
    final DeviceDoubles memory;
    Cublas blas;
    Cusolver solver;

    Opened(CudaEngine engine) {
      device = engine.device().index();
      memory = new DeviceDoubles(engine.sameDevice());
      try {
        CurrentDevice.run(
            device,
            () -> {
              blas = new Cublas();
              solver = new Cusolver();
            });
      } finally {
        if (solver == null) {
          run();
        }
      }
    }

    @Override
    public synchronized void run() {
      CurrentDevice.run(
          device,
          () -> {
            if (solver != null) {
              solver.close();
            }
            if (blas != null) {
              blas.close();
            }
            memory.release();
          });
    }
  }

  /**
   * The handles of an engine.
   *
   * @throws IllegalStateException if the preset or a library is missing; the message says what to
   *     add
   */
  static CudaHandles of(CudaEngine engine) {
    return engine.attached(
        CudaHandles.class,
        () -> {
          String missing = Preset.MISSING;
          if (missing != null) {
            throw new IllegalStateException(
                "steps with matrix products on backend " + engine.name() + " need " + missing);
          }
          Opened opened = new Opened(engine);
          CudaHandles handles = new CudaHandles(opened);
          CLEANER.register(handles, opened);
          return handles;
        });
  }

  /** What is missing, found once: a second attempt to load would no longer say why. */
  static final class Preset {
    static final String MISSING = missing();

    private Preset() {}

    private static String missing() {
      try {
        Cusolver.load();
        Cublas.load();
        CurrentDevice.load();
        return null;
      } catch (LinkageError e) {
        return "cuBLAS and cuSOLVER: add org.bytedeco:cuda and its jar for this platform (classifier"
            + " linux-x86_64) to the class path, and the libraries of a CUDA 13 toolkit where the"
            + " loader finds them (LD_LIBRARY_PATH, /usr/local/cuda); "
            + e
            + (e.getCause() == null ? "" : "; caused by " + e.getCause());
      }
    }
  }

  /** Whether a product of so many rows, columns and terms is worth the way to the device. */
  static boolean isLarge(int m, int n, int k) {
    double least = least();
    return m > 0 && n > 0 && k > 0 && (double) m * n * k >= least * least * least;
  }

  /** Whether a matrix is one to factorise on the device. */
  static boolean isLarge(Matrix matrix) {
    int small = Math.min(matrix.rows, matrix.columns);
    return small > 0 && small >= least() && Math.max(matrix.rows, matrix.columns) <= MOST;
  }

  private static int least() {
    return Integer.getInteger(LEAST_PROPERTY, DEFAULT_LEAST);
  }

  Cublas blas() {
    return opened.blas;
  }

  Cusolver solver() {
    return opened.solver;
  }

  DeviceDoubles memory() {
    return opened.memory;
  }

  /** Runs calls of the libraries, one thread at a time, with the device made the current one. */
  void run(Runnable calls) {
    synchronized (opened) {
      CurrentDevice.run(opened.device, calls);
    }
  }
}
