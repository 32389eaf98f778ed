package org.fettle.examples.distributed;

/** What a call of NCCL answers, in the order of {@code ncclResult_t}. */
enum NcclResult {
  ncclSuccess(false),
  ncclUnhandledCudaError(false),
  ncclSystemError(true),
  ncclInternalError(false),
  ncclInvalidArgument(false),
  ncclInvalidUsage(false),
  ncclRemoteError(true),
  ncclInProgress(false);

  private final boolean peer;

  NcclResult(boolean peer) {
    this.peer = peer;
  }

  /**
   * The result of that number.
   *
   * @throws IllegalStateException for a number that NCCL had not when this was written
   */
  static NcclResult of(int number) {
    if (number < 0 || number >= values().length) {
      throw new IllegalStateException("NCCL answered " + number + ": expected 0 to 7");
    }
    return values()[number];
  }

  /** Whether another process or the way to it is the cause. */
  boolean isPeers() {
    return peer;
  }
}
