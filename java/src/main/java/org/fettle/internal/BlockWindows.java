package org.fettle.internal;

import org.fettle.Tensor;

/** A block-wise operand on the Java backend: runs of its elements to and from floats. */
final class BlockWindows {
  private final BlockFormat format;
  private final int size;
  private final long rowLength;
  private final Windows codes;
  private final Windows scales;

  BlockWindows(Tensor codes, Blocks blocks, long rowLength) {
    format = blocks.format();
    size = blocks.size();
    this.rowLength = rowLength;
    this.codes = new Windows(codes);
    scales = new Windows(blocks.scales());
  }

  /** Elements of a block. */
  int size() {
    return size;
  }

  /** One participant's scratch. */
  static final class Scratch {
    final byte[] codes = new byte[PlanSpec.CHUNK];
    final float[] scales = new float[PlanSpec.CHUNK];
  }

  /** Decodes a run within a row, from an even element of the row on. */
  void decode(long first, int n, float[] to, Scratch scratch) {
    long row = first / rowLength;
    long within = first - row * rowLength;
    codes.getBytes(byteAt(row, within), scratch.codes, (int) format.bytes(n));
    long block = blockAt(row, within);
    scales.getFloats(block, scratch.scales, (int) (blockAt(row, within + n - 1) - block) + 1);
    int skip = (int) (within % size);
    for (int at = 0, k = 0; at < n; k++) {
      int count = Math.min(n - at, size - skip);
      format.decode(scratch.codes, at, scratch.scales[k], count, to, at);
      at += count;
      skip = 0;
    }
  }

  /** Encodes whole blocks of a row, of which the last may end with the row. */
  void encode(long first, int n, float[] from, Scratch scratch) {
    long row = first / rowLength;
    long within = first - row * rowLength;
    int k = 0;
    for (int at = 0; at < n; at += size) {
      int count = Math.min(n - at, size);
      scratch.scales[k++] = format.encode(from, at, count, count == size, scratch.codes, at);
    }
    codes.putBytes(byteAt(row, within), scratch.codes, (int) format.bytes(n));
    scales.putFloats(blockAt(row, within), scratch.scales, k);
  }

  private long byteAt(long row, long within) {
    return row * format.bytes(rowLength) + within * format.bits() / 8;
  }

  private long blockAt(long row, long within) {
    return row * ((rowLength + size - 1) / size) + within / size;
  }
}
