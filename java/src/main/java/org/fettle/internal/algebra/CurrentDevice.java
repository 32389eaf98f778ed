package org.fettle.internal.algebra;

import org.bytedeco.cuda.global.cudart;
import org.bytedeco.javacpp.Loader;

/** The device that the calling thread's calls of NVIDIA's libraries go to. */
final class CurrentDevice {
  private CurrentDevice() {}

  static void load() {
    Loader.load(cudart.class);
  }

  /** Runs calls with that device, and makes current again what was before. */
  static void run(int device, Runnable calls) {
    int[] before = new int[1];
    check("cudaGetDevice", cudart.cudaGetDevice(before));
    if (before[0] == device) {
      calls.run();
      return;
    }
    check("cudaSetDevice", cudart.cudaSetDevice(device));
    try {
      calls.run();
    } finally {
      check("cudaSetDevice", cudart.cudaSetDevice(before[0]));
    }
  }

  private static void check(String call, int status) {
    if (status != 0) {
      throw new IllegalStateException(call + ": CUDA error " + status);
    }
  }
}
