package org.fettle.internal.kernels;

import org.fettle.internal.PlanSpec;

/**
 * The elements of a unit that is a chunk of a row, where a row starts the chunks anew.
 *
 * @param row the row's number
 * @param first the first element
 * @param last the element behind the last
 */
record RowSpan(long row, long first, long last) {
  static RowSpan of(long rowLength, long unit) {
    long perRow = chunks(rowLength);
    long row = unit / perRow;
    long first = row * rowLength + (unit - row * perRow) * PlanSpec.CHUNK;
    return new RowSpan(row, first, Math.min(first + PlanSpec.CHUNK, (row + 1) * rowLength));
  }

  /** Chunks of a row. */
  static long chunks(long rowLength) {
    return (rowLength + PlanSpec.CHUNK - 1) / PlanSpec.CHUNK;
  }
}
