package org.fettle.internal;

/**
 * An array of a primitive on the Java backend: runs of its elements to and from floats. Twin of
 * {@code native/src/cpu/stored.h}.
 */
final class StoredArray {
  private final Windows values;
  private final Windows compensation;
  private final BlockWindows blocks;

  StoredArray(Operand operand) {
    values = new Windows(operand.tensor());
    compensation = operand.compensation() == null ? null : new Windows(operand.compensation());
    blocks =
        operand.blocks() == null
            ? null
            : new BlockWindows(operand.tensor(), operand.blocks(), operand.elements());
  }

  /** The elements themselves; of a block-wise format the codes. */
  Windows values() {
    return values;
  }

  /** One participant's scratch, for runs of that many elements at most. */
  static final class Scratch {
    final TileCodec codec;
    final float[] low;
    final BlockWindows.Scratch blocks = new BlockWindows.Scratch();

    Scratch(int size) {
      codec = new TileCodec(size);
      low = new float[size];
    }
  }

  void decode(long at, int n, float[] to, Scratch scratch) {
    if (blocks != null) {
      blocks.decode(at, n, to, scratch.blocks);
      return;
    }
    scratch.codec.decode(values, at, n, to);
    if (compensation != null) {
      scratch.codec.decode(compensation, at, n, scratch.low);
      for (int i = 0; i < n; i++) {
        to[i] = to[i] + scratch.low[i];
      }
    }
  }

  /** The way back, to nearest. Of a block-wise format whole blocks, but for the last. */
  void encode(long at, int n, float[] from, Scratch scratch) {
    if (blocks != null) {
      blocks.encode(at, n, from, scratch.blocks);
      return;
    }
    scratch.codec.encode(values, at, n, from);
    if (compensation != null) {
      for (int i = 0; i < n; i++) {
        float high = Float.intBitsToFloat(Formats.nearestBf16(from[i]) << 16);
        scratch.low[i] = Float.isFinite(high) ? from[i] - high : 0f;
      }
      scratch.codec.encode(compensation, at, n, scratch.low);
    }
  }
}
