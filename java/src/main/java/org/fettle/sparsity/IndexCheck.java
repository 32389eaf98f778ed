package org.fettle.sparsity;

import org.fettle.DType;
import org.fettle.Tensor;
import org.fettle.internal.Engine;
import org.fettle.internal.KernelCall;
import org.fettle.internal.Scratch;
import org.fettle.internal.kernels.FormatKernels;

/**
 * Index arrays of a sparse matrix before they are followed: whoever holds them may have overwritten
 * them since it was made. Costs a pass over 4 bytes per entry; on CUDA it waits for the device.
 */
final class IndexCheck {
  private IndexCheck() {}

  /**
   * Checks every row.
   *
   * @param least column that is allowed: -1 where that is padding
   * @throws IllegalArgumentException naming the array and the first row that is wrong
   */
  static void rows(
      Engine engine,
      Tensor rowPointers,
      String placesName,
      Tensor places,
      int least,
      long columns) {
    long rows = rowPointers.elements() - 1;
    int[] faults;
    try (Scratch scratch = new Scratch(engine)) {
      Tensor found = scratch.tensor(DType.I32, rows);
      engine.run(
          new KernelCall(FormatKernels.INDEX_FAULTS)
              .arrays(rowPointers, places, found)
              .integers(places.elements(), least, columns)
              .units(rows, places.elements()));
      faults = scratch.ints(found);
    }
    for (int row = 0; row < faults.length; row++) {
      if (faults[row] < 0) {
        throw new IllegalArgumentException(
            "rowPointers of row "
                + row
                + " are not those the matrix was made with: expected ascending ones from 0 to "
                + places.elements());
      }
      if (faults[row] > 0) {
        throw new IllegalArgumentException(
            placesName
                + " of row "
                + row
                + " has "
                + faults[row]
                + " out of range: expected "
                + least
                + " to "
                + (columns - 1));
      }
    }
  }
}
