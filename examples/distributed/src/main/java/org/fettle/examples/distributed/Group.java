package org.fettle.examples.distributed;

import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Tensor;

/** The processes of a run, and the collectives that training needs. Counts what leaves this one. */
public interface Group extends AutoCloseable {
  /** Thrown where another process is gone, or does not answer in time. */
  final class Lost extends Exception {
    private static final long serialVersionUID = 1;

    Lost(String what, Throwable cause) {
      super(what, cause);
    }
  }

  /** Number of this process, from 0. */
  int rank();

  /** How many processes there are. */
  int size();

  /** Computes on the tensors that this group sends. */
  Backend backend();

  /** A zeroed tensor where the group sends from. Lives as long as the group. */
  Tensor tensor(DType dtype, long elements);

  /** The tensor itself where it is the host's, else a copy there. */
  Tensor toHost(Tensor tensor);

  /** Replaces a tensor by what {@link #toHost} gave, once that was changed. */
  void fromHost(Tensor host, Tensor tensor);

  /** Cuts {@code from} into equal parts, one per process, and gets the own part of everyone's. */
  void exchange(Tensor from, Tensor to) throws Lost;

  /** Everyone's {@code part}, one behind the other. */
  void gather(Tensor part, Tensor whole) throws Lost;

  /** Waits for all. */
  void barrier() throws Lost;

  /** Bytes that this process has sent to others. */
  long bytesSent();

  /** Leaves: whoever waits for this process is told that it is lost. */
  @Override
  void close();
}
