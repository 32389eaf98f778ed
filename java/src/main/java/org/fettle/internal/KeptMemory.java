package org.fettle.internal;

import java.util.ArrayList;
import java.util.List;

/**
 * Native memory that calls borrow. A few blocks are kept, because mapping a block and touching its
 * pages for the first time takes longer than many a kernel.
 */
final class KeptMemory {
  static final int KEPT_BLOCKS = 4;
  static final long KEPT_BYTES = 32L << 20;

  private final List<NativeMemory> kept = new ArrayList<>();

  /**
   * At least that many bytes, which hold anything.
   *
   * @throws OutOfMemoryError if there are none
   */
  NativeMemory borrow(long bytes) {
    synchronized (kept) {
      NativeMemory best = null;
      for (NativeMemory memory : kept) {
        if (memory.bytes() >= bytes && (best == null || memory.bytes() < best.bytes())) {
          best = memory;
        }
      }
      if (best != null) {
        kept.remove(best);
        return best;
      }
    }
    return NativeMemory.allocate(bytes, 0);
  }

  /** Takes a block back; the oldest of too many is freed. */
  void giveBack(NativeMemory memory) {
    NativeMemory leaving = memory;
    if (memory.bytes() <= KEPT_BYTES) {
      synchronized (kept) {
        kept.add(memory);
        leaving = kept.size() > KEPT_BLOCKS ? kept.remove(0) : null;
      }
    }
    if (leaving != null) {
      leaving.close();
    }
  }
}
