package org.fettle.internal.kernels;

import org.fettle.DType;
import org.fettle.internal.JavaCall;

/** What becomes of the sums of an integer product: zero point, scales, bias, requantization. */
final class ProductEnd {
  private final JavaCall call;
  private final ByteRun run = new ByteRun();

  ProductEnd(JavaCall call) {
    this.call = call;
  }

  /** Writes n results of a row, from a column on. */
  void finish(long row, long column, int[] sums, int n) {
    long at = row * call.integer(1) + column;
    int zero = (int) call.integer(3);
    DType dtype = call.array(2).dtype();
    float rowScale = call.array(3) == null ? 1f : run.floatAt(call.array(3), row * call.integer(5));
    for (int i = 0; i < n; i++) {
      int sum = sums[i] - (zero == 0 ? 0 : zero * run.intAt(call.array(6), column + i));
      if (dtype == DType.I32) {
        run.putInt(call.array(2), at + i, sum);
        continue;
      }
      float y = sum;
      if (call.array(4) != null) {
        y = y * run.floatAt(call.array(4), (column + i) * call.integer(6));
      }
      y = y * rowScale;
      if (call.array(5) != null) {
        y = y + run.floatAt(call.array(5), column + i);
      }
      if (dtype == DType.F32) {
        run.putFloat(call.array(2), at + i, y);
      } else {
        float code = (float) Math.rint(y * (float) call.number(0));
        float limited = code > 127f ? 127f : code < -128f ? -128f : Float.isNaN(code) ? 0f : code;
        run.putByte(call.array(2), at + i, (int) limited);
      }
    }
  }
}
