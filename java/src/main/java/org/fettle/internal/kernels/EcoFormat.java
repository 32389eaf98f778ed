package org.fettle.internal.kernels;

/** How ECO's weights are stored: twins of the formats of {@code native/src/kernels/eco.h}. */
enum EcoFormat {
  /** E4M3, saturating; numbers are those of the codes / 256. */
  FP8(1.75f, 256.0) {
    @Override
    float decode(int code) {
      float magnitude = Float.intBitsToFloat((code & 0x7F) << 20) * Float.intBitsToFloat(239 << 23);
      return (code & 0x80) != 0 ? -magnitude : magnitude;
    }

    @Override
    int nearest(float x) {
      int magnitude = Float.floatToRawIntBits(x) & 0x7FFFFFFF;
      int normal = ((magnitude + 0x7FFFF + ((magnitude >>> 20) & 1)) >>> 20) - (112 << 3);
      // Below 2^-14 the spacing is 2^-17: adding 2^6 rounds to it.
      int subnormal =
          Float.floatToRawIntBits(Float.intBitsToFloat(magnitude) + 64f)
              - Float.floatToRawIntBits(64f);
      return finish(x, magnitude < 0x38800000 ? subnormal : normal);
    }

    @Override
    int stochastic(float x, int word) {
      int magnitude = Float.floatToRawIntBits(x) & 0x7FFFFFFF;
      if (magnitude >= 0x7F800000) {
        return finish(x, 0x7F);
      }
      int exponent = magnitude >= 0x00800000 ? magnitude >>> 23 : 1;
      int significand = magnitude >= 0x00800000 ? (magnitude & 0x007FFFFF) | 0x00800000 : magnitude;
      int shift = exponent >= 113 ? 20 : 20 + (113 - exponent);
      int code = shift < 32 ? significand >>> shift : 0;
      if (exponent > 113) {
        code += (exponent - 113) << 3;
      }
      int dropped = shift < 32 ? significand & ((1 << shift) - 1) : significand;
      int fraction = 0;
      if (shift <= 24) {
        fraction = dropped << (24 - shift);
      } else if (shift < 48) {
        fraction = dropped >>> (shift - 24);
      }
      if ((word >>> 8) + fraction >= 1 << 24) {
        code++;
      }
      return finish(x, code);
    }

    private int finish(float x, int code) {
      return Math.min(code, 0x7E) | ((Float.floatToRawIntBits(x) >>> 31) << 7);
    }
  },
  /** Two's complement nibbles, -7 to 7. */
  INT4(7f, 1.0) {
    @Override
    float decode(int code) {
      return (code ^ 8) - 8;
    }

    @Override
    int nearest(float x) {
      float limited = x > 7f ? 7f : (x < -7f ? -7f : x);
      return (int) EstimatorKernels.nearest(limited) & 15;
    }

    @Override
    int stochastic(float x, int word) {
      float limited = Math.min(Math.abs(x), 7f);
      int code = (int) limited;
      int fraction = (int) ((limited - (float) code) * 16777216f);
      if ((word >>> 8) + fraction >= 1 << 24) {
        code++;
      }
      code = Math.min(code, 7);
      return (x < 0f ? -code : code) & 15;
    }
  };

  /** The magnitude of the largest code's number. */
  final float largest;

  /** What a number is to be multiplied by for what a code stands for. */
  final double unit;

  EcoFormat(float largest, double unit) {
    this.largest = largest;
    this.unit = unit;
  }

  abstract float decode(int code);

  abstract int nearest(float x);

  abstract int stochastic(float x, int word);
}
