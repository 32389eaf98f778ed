package org.fettle.internal;

import org.fettle.DType;

/** Tiles of a tensor to and from floats; 16-bit formats are rounded to nearest. */
public final class TileCodec {
  /** The most elements of a call, unless there is room for more. */
  public static final int TILE = JavaBatch.TILE;

  private final float[] floats;
  private final short[] codes;

  /** For tiles of {@link #TILE}. */
  public TileCodec() {
    this(TILE);
  }

  /** For runs of that many elements at most. */
  TileCodec(int size) {
    floats = new float[size];
    codes = new short[size];
  }

  /** Elements of any floating format to floats. */
  public void decode(Windows from, long at, int n, float[] to) {
    DType dtype = from.dtype();
    if (dtype == DType.F32) {
      from.getFloats(at, to, n);
      return;
    }
    from.getShorts(at, codes, n);
    for (int i = 0; i < n; i++) {
      to[i] = Formats.decode(dtype, codes[i]);
    }
  }

  /** Floats to elements of any floating format, to nearest. */
  public void encode(Windows to, long at, int n, float[] values) {
    DType dtype = to.dtype();
    if (dtype == DType.F32) {
      to.putFloats(at, values, n);
      return;
    }
    for (int i = 0; i < n; i++) {
      codes[i] = Formats.nearest(dtype, values[i]);
    }
    to.putShorts(at, codes, n);
  }

  /** Copies elements of one format bit for bit, NaN's payload included. */
  public void copy(Windows from, Windows to, long at, int n) {
    if (from.dtype() == DType.F32) {
      from.getFloats(at, floats, n);
      to.putFloats(at, floats, n);
    } else {
      from.getShorts(at, codes, n);
      to.putShorts(at, codes, n);
    }
  }
}
