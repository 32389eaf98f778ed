package org.fettle.internal;

/** The owner of a tensor that an engine allocated: its memory goes when its plan is closed. */
interface OwnedMemory {
  /** Whether the memory is gone. */
  boolean isFreed();
}
