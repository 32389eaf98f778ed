package org.fettle.internal.kernels;

import org.fettle.internal.JavaCall;
import org.fettle.internal.Kernel;
import org.fettle.internal.Windows;

/**
 * Formats with one scale per tile of a matrix: twins of {@code native/src/kernels/formats/grid.h},
 * which tells the arrays, integers and numbers of a call.
 */
public final class GridKernels {
  /** Scales and codes, where every tile is one part. */
  public static final Kernel QUANTIZE = new Kernel("grid_quantize", GridKernels::quantize);

  /** The extremes of every part. */
  public static final Kernel EXTREMES = new Kernel("grid_extremes", GridKernels::extremes);

  /** The scales of tiles from their parts' extremes. */
  public static final Kernel SCALES = new Kernel("grid_scales", GridKernels::scales);

  /** Codes by scales that are there. */
  public static final Kernel ENCODE = new Kernel("grid_encode", GridKernels::encode);

  /** Values of codes. */
  public static final Kernel DECODE = new Kernel("grid_decode", GridKernels::decode);

  private GridKernels() {}

  private static void quantize(JavaCall call, long first, long last) {
    GridLayout grid = GridLayout.of(call);
    GridCodec codec = new GridCodec(call);
    ByteRun run = new ByteRun();
    int[] largest = new int[GridLayout.STRIP_PARTS];
    int[] smallest = new int[GridLayout.STRIP_PARTS];
    float[] factors = new float[GridLayout.STRIP_PARTS];
    int[] zeros = new int[GridLayout.STRIP_PARTS];
    for (long unit = first; unit < last; unit++) {
      grid.unit(unit);
      stripExtremes(call, grid, codec, run, largest, smallest);
      for (int k = 0; k < grid.count(); k++) {
        codec.scale(floatOf(largest[k]), floatOf(smallest[k]));
        factors[k] = codec.factor;
        zeros[k] = codec.zero;
        store(call, run, codec, grid.band * grid.tilesAcross + grid.firstPart + k);
      }
      stripEncode(call, grid, codec, run, factors, zeros);
    }
  }

  private static void extremes(JavaCall call, long first, long last) {
    GridLayout grid = GridLayout.of(call);
    GridCodec codec = new GridCodec(call);
    ByteRun run = new ByteRun();
    int[] largest = new int[GridLayout.STRIP_PARTS];
    int[] smallest = new int[GridLayout.STRIP_PARTS];
    for (long unit = first; unit < last; unit++) {
      grid.unit(unit);
      stripExtremes(call, grid, codec, run, largest, smallest);
      for (int k = 0; k < grid.count(); k++) {
        long at = grid.band * grid.parts + grid.firstPart + k;
        run.putFloat(call.array(6), at, floatOf(largest[k]));
        if (codec.twoSided) {
          run.putFloat(call.array(7), at, floatOf(smallest[k]));
        }
      }
    }
  }

  private static void scales(JavaCall call, long first, long last) {
    GridLayout grid = GridLayout.of(call);
    GridCodec codec = new GridCodec(call);
    ByteRun run = new ByteRun();
    for (long tile = first; tile < last; tile++) {
      long down = tile / grid.tilesAcross;
      long across = tile % grid.tilesAcross;
      int largest = codec.twoSided ? Integer.MIN_VALUE : 0;
      int smallest = codec.twoSided ? Integer.MAX_VALUE : 0;
      for (long j = 0; j < grid.partsDown; j++) {
        for (long k = 0; k < grid.partsAcross; k++) {
          long at = (down * grid.partsDown + j) * grid.parts + across * grid.partsAcross + k;
          largest = Math.max(largest, keyOf(run.floatAt(call.array(6), at)));
          if (codec.twoSided) {
            smallest = Math.min(smallest, keyOf(run.floatAt(call.array(7), at)));
          }
        }
      }
      codec.scale(floatOf(largest), floatOf(smallest));
      store(call, run, codec, tile);
      run.putFloat(call.array(5), tile, codec.factor);
    }
  }

  private static void encode(JavaCall call, long first, long last) {
    GridLayout grid = GridLayout.of(call);
    GridCodec codec = new GridCodec(call, call.array(5) != null);
    ByteRun run = new ByteRun();
    float[] factors = new float[GridLayout.STRIP_PARTS];
    int[] zeros = new int[GridLayout.STRIP_PARTS];
    for (long unit = first; unit < last; unit++) {
      grid.unit(unit);
      for (int k = 0; k < grid.count(); k++) {
        long tile = grid.tileOf(grid.firstPart + k);
        factors[k] =
            call.array(5) != null
                ? run.floatAt(call.array(5), tile)
                : codec.factorOf(run.floatAt(call.array(2), tile));
        zeros[k] = call.array(3) != null ? run.intAt(call.array(3), tile) : 0;
      }
      stripEncode(call, grid, codec, run, factors, zeros);
    }
  }

  private static void decode(JavaCall call, long first, long last) {
    GridLayout grid = GridLayout.of(call);
    GridCodec codec = new GridCodec(call);
    ByteRun run = new ByteRun();
    for (long unit = first; unit < last; unit++) {
      grid.unit(unit);
      for (long row = grid.firstRow; row < grid.lastRow; row++) {
        for (long part = grid.firstPart; part < grid.lastPart; part++) {
          long tile = grid.tileOf(part);
          float scale = codec.multiplier(run.floatAt(call.array(2), tile));
          float zero = call.array(3) != null ? run.intAt(call.array(3), tile) : 0f;
          long end = row * grid.columns + grid.end(part);
          for (long at = row * grid.columns + grid.start(part); at < end; at += ByteRun.LENGTH) {
            int n = ByteRun.length(at, end);
            call.array(1).getBytes(at, run.bytes, n);
            for (int i = 0; i < n; i++) {
              run.floats[i] = codec.value(run.bytes[i], scale, zero);
            }
            call.array(0).putFloats(at, run.floats, n);
          }
        }
      }
    }
  }

  private static void stripExtremes(
      JavaCall call, GridLayout grid, GridCodec codec, ByteRun run, int[] largest, int[] smallest) {
    boolean empty = grid.firstRow >= grid.lastRow;
    for (int k = 0; k < grid.count(); k++) {
      largest[k] = codec.twoSided && !empty ? Integer.MIN_VALUE : 0;
      smallest[k] = codec.twoSided && !empty ? Integer.MAX_VALUE : 0;
    }
    for (long row = grid.firstRow; row < grid.lastRow; row++) {
      for (int k = 0; k < grid.count(); k++) {
        long end = row * grid.columns + grid.end(grid.firstPart + k);
        long start = row * grid.columns + grid.start(grid.firstPart + k);
        for (long at = start; at < end; at += ByteRun.LENGTH) {
          int n = ByteRun.length(at, end);
          call.array(0).getFloats(at, run.floats, n);
          int high = largest[k];
          int low = smallest[k];
          for (int i = 0; i < n; i++) {
            int key = codec.twoSided ? keyOf(run.floats[i]) : magnitudeOf(run.floats[i]);
            high = Math.max(high, key);
            low = Math.min(low, key);
          }
          largest[k] = high;
          smallest[k] = codec.twoSided ? low : 0;
        }
      }
    }
  }

  private static void stripEncode(
      JavaCall call, GridLayout grid, GridCodec codec, ByteRun run, float[] factors, int[] zeros) {
    for (long row = grid.firstRow; row < grid.lastRow; row++) {
      for (int k = 0; k < grid.count(); k++) {
        long start = grid.start(grid.firstPart + k);
        long end = grid.end(grid.firstPart + k);
        for (long column = start; column < end; column += ByteRun.LENGTH) {
          int n = ByteRun.length(column, end);
          long at = row * grid.columns + column;
          call.array(0).getFloats(at, run.floats, n);
          codec.encode(run, n, factors[k], zeros[k], at);
          call.array(1).putBytes(at, run.bytes, n);
          if (call.array(4) != null) {
            transpose(call.array(4), grid.rows, row, column, run, n);
          }
        }
      }
    }
  }

  private static void transpose(Windows to, long rows, long row, long column, ByteRun run, int n) {
    for (int i = 0; i < n; i++) {
      run.putByte(to, (column + i) * rows + row, run.bytes[i]);
    }
  }

  private static void store(JavaCall call, ByteRun run, GridCodec codec, long tile) {
    run.putFloat(call.array(2), tile, codec.scale);
    if (call.array(3) != null) {
      run.putInt(call.array(3), tile, codec.zero);
    }
  }

  private static int magnitudeOf(float x) {
    return Float.floatToRawIntBits(x) & 0x7FFFFFFF;
  }

  private static int keyOf(float x) {
    int bits = Float.floatToRawIntBits(x);
    return bits ^ ((bits >> 31) & 0x7FFFFFFF);
  }

  private static float floatOf(int key) {
    return Float.intBitsToFloat(key ^ ((key >> 31) & 0x7FFFFFFF));
  }
}
