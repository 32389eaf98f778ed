package org.fettle.internal.kernels;

import org.fettle.internal.JavaCall;

/** Tiles of a matrix, their parts, and the units of the grid kernels. */
public final class GridLayout {
  static final int STRIP_PARTS = 1024;
  private static final long PART_ROWS = 128;
  private static final long PART_COLUMNS = 512;
  private static final long WHOLE_COLUMNS = 32768;
  private static final long WHOLE_ELEMENTS = 65536;

  final long rows;
  final long columns;
  final long tileRows;
  final long tileColumns;
  final long partRows;
  final long partColumns;
  final long partsDown;
  final long partsAcross;
  final long tilesAcross;
  final long parts;
  final long stripParts;
  final long strips;
  long band;
  long firstRow;
  long lastRow;
  long firstPart;
  long lastPart;

  /** The layout of a matrix; extents of a tile are at least 1. */
  public GridLayout(long rows, long columns, long tileRows, long tileColumns) {
    this.rows = rows;
    this.columns = columns;
    this.tileRows = tileRows;
    this.tileColumns = tileColumns;
    partRows = Math.min(tileRows, PART_ROWS);
    boolean whole = tileColumns <= WHOLE_COLUMNS && partRows * tileColumns <= WHOLE_ELEMENTS;
    partColumns = whole ? tileColumns : Math.min(tileColumns, PART_COLUMNS);
    partsDown = covers(tileRows, partRows);
    partsAcross = covers(tileColumns, partColumns);
    tilesAcross = covers(columns, tileColumns);
    parts = tilesAcross * partsAcross;
    stripParts = partColumns >= STRIP_PARTS ? 1 : STRIP_PARTS / partColumns;
    strips = covers(parts, stripParts);
  }

  static GridLayout of(JavaCall call) {
    return new GridLayout(call.integer(0), call.integer(1), call.integer(2), call.integer(3));
  }

  private static long covers(long elements, long size) {
    return elements / size + (elements % size != 0 ? 1 : 0);
  }

  /** Whether every tile is one part, so that one pass does. */
  public boolean isOnePass() {
    return partsDown == 1 && partsAcross == 1;
  }

  /** How many tiles there are, and so scales. */
  public long tiles() {
    return covers(rows, tileRows) * tilesAcross;
  }

  /** How many parts there are in all bands. */
  public long allParts() {
    return covers(rows, tileRows) * partsDown * parts;
  }

  /** Units of the kernels that go by strips. */
  public long units() {
    return covers(rows, tileRows) * partsDown * strips;
  }

  void unit(long unit) {
    band = unit / strips;
    long tile = band / partsDown;
    firstRow = tile * tileRows + (band % partsDown) * partRows;
    lastRow = Math.min(Math.min(firstRow + partRows, (tile + 1) * tileRows), rows);
    firstPart = (unit % strips) * stripParts;
    lastPart = Math.min(firstPart + stripParts, parts);
  }

  int count() {
    return (int) (lastPart - firstPart);
  }

  long start(long part) {
    return Math.min(
        (part / partsAcross) * tileColumns + (part % partsAcross) * partColumns, columns);
  }

  long end(long part) {
    long tile = part / partsAcross;
    long end = tile * tileColumns + (part % partsAcross + 1) * partColumns;
    return Math.min(Math.min(end, (tile + 1) * tileColumns), columns);
  }

  long tileOf(long part) {
    return band / partsDown * tilesAcross + part / partsAcross;
  }
}
