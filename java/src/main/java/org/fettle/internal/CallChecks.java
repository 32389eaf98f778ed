package org.fettle.internal;

import org.fettle.Tensor;

/**
 * Collects the tensors of a call, and refuses what does not fit before anything is written. Every
 * message names the tensor, the expected and the actual.
 */
public interface CallChecks {
  /** A tensor that is read. */
  CallChecks reads(String name, Tensor tensor);

  /** A tensor that is written, and may be read as well. */
  CallChecks writes(String name, Tensor tensor);

  /** A tensor of the shape of another that is read. */
  CallChecks readsLike(String name, Tensor tensor, Tensor other);

  /** A tensor of the shape of another that is written. */
  CallChecks writesLike(String name, Tensor tensor, Tensor other);

  /** Refuses memory that is written and stands in two places. */
  void done();
}
