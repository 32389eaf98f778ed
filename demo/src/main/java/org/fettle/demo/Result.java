package org.fettle.demo;

import java.util.List;

/**
 * What came out of a row.
 *
 * @param row the row
 * @param method what steps the weights, with all hyperparameters
 * @param loss the training loss, averaged over a tenth of an epoch each
 * @param accuracy the test accuracy after each epoch
 * @param testLoss the mean cross-entropy on the test images at the end
 * @param parameters how many there are
 * @param steps how many steps were taken
 * @param stepNanos how long all steps took together
 * @param medianStepNanos how long one step took
 * @param trainNanos how long the training took, steps included and tests not
 * @param footprint bytes, density and bits
 * @param bits a checksum over every bit of the parameters at the end
 * @param predictions the class given to each test image
 * @param firstLayer the weights of the first layer, unit by unit
 */
@SuppressWarnings("ArrayRecordComponent") // carries data and is never compared
record Result(
    Row row,
    String method,
    List<Point> loss,
    List<Point> accuracy,
    double testLoss,
    long parameters,
    long steps,
    long stepNanos,
    long medianStepNanos,
    long trainNanos,
    Footprint footprint,
    int bits,
    int[] predictions,
    float[] firstLayer) {
  /**
   * A point of a curve.
   *
   * @param epoch when
   * @param value what
   */
  record Point(double epoch, double value) {}

  int epochs() {
    return accuracy.size();
  }

  double finalAccuracy() {
    return accuracy.get(accuracy.size() - 1).value();
  }

  double finalLoss() {
    return loss.get(loss.size() - 1).value();
  }

  double stepSeconds() {
    return stepNanos * 1e-9;
  }

  double nanosPerParameter() {
    return (double) medianStepNanos / parameters;
  }

  double stepShare() {
    return (double) stepNanos / trainNanos;
  }

  double stateBytesPerParameter() {
    return (double) footprint.state() / parameters;
  }

  /** Parameters, copies, masks, averages and states; gradients not. */
  double bytesPerParameter() {
    return (double) (footprint.stored() + footprint.state()) / parameters;
  }

  /** What is left of a parameter once trained. */
  double modelBytesPerParameter() {
    return footprint.model() / parameters;
  }

  String bitsInHex() {
    return String.format("%08x", bits);
  }
}
