package org.fettle.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;
import java.util.concurrent.ForkJoinPool;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Tensor;
import org.fettle.TestAccess;
import org.fettle.testkit.Arena;
import org.fettle.testkit.Bits;
import org.fettle.testkit.Inputs;
import org.fettle.testkit.Machine;
import org.junit.jupiter.api.Test;

/**
 * The same bits for every primitive of the registry: outputs, saved copies and sums, over formats,
 * sizes, misalignment, special values and threads; and nothing beside the outputs is touched.
 *
 * <p>The property {@code fettle.primitives.cases} sets how many random cases each primitive gets.
 */
class PrimitiveBitsTest {
  private static final int CASES = Integer.getInteger("fettle.primitives.cases", 60);
  private static final int[] SIZES = {
    0, 1, 2, 7, 15, 17, 31, 127, 129, 511, 512, 513, 1000, 4095, 4096, 4097, 12_289, 70_001, 140_003
  };
  private static final int[] ROWS = {1, 2, 3, 17, 64, 127, 128, 129, 511, 513, 4095, 4097, 9001};
  private static final DType[] DTYPES = {DType.F32, DType.F32, DType.BF16, DType.F16};

  @Test
  void registriesAgree() {
    Primitive[] all = Primitive.values();
    for (int i = 0; i < all.length; i++) {
      assertEquals(all[i].name().toLowerCase(Locale.ROOT), Native.primitiveId(i));
      assertEquals(i, all[i].number());
    }
    assertNull(Native.primitiveId(all.length));
  }

  @Test
  void everyBackendGivesTheSameBits() {
    List<Backend> backends = Machine.hostBackends();
    assertTrue(backends.size() > 1, "there is nothing to compare java with");
    int cases = 0;
    for (Primitive primitive : Primitive.values()) {
      for (int i = 0; i < CASES; i++) {
        Case test = new Case(primitive, new SplittableRandom(31L * i + primitive.number()));
        Result expected = test.run(backends.get(0));
        for (Backend backend : backends.subList(1, backends.size())) {
          String difference = test.difference(expected, test.run(backend));
          assertNull(difference, () -> "case " + test + " on " + backend + ": " + difference);
          cases++;
        }
      }
    }
    Machine.say(
        "same bits of primitives",
        cases + " cases of " + Primitive.values().length + " primitives");
  }

  private record Result(ByteBuffer image, List<Double> sums) {}

  /** A batch of one to three items of a primitive. */
  private static final class Case {
    private final Primitive primitive;
    private final Inputs.Kind kind;
    private final DType[] dtypes;
    private final int threads;
    private final double[] factors;
    private final long seed;
    private final boolean inPlace;
    private final List<int[]> shapes = new ArrayList<>();
    private final List<Integer> offsets = new ArrayList<>();
    private final int bytes;

    Case(Primitive primitive, SplittableRandom random) {
      this.primitive = primitive;
      Inputs.Kind[] kinds = Inputs.Kind.values();
      kind = kinds[random.nextInt(kinds.length)];
      inPlace = primitive.outputs() > 0 && random.nextBoolean();
      threads = new int[] {1, 2, 5}[random.nextInt(3)];
      seed = random.nextLong();
      factors = new double[6];
      for (int k = 0; k < factors.length; k++) {
        factors[k] = Math.scalb(0.5 + random.nextDouble(), random.nextInt(-4, 3));
      }
      int arrays = primitive.inputs() + primitive.outputs() + (primitive.saves() ? 1 : 0);
      dtypes = new DType[arrays];
      for (int k = 0; k < arrays; k++) {
        dtypes[k] = DTYPES[random.nextInt(DTYPES.length)];
      }
      if (inPlace) {
        dtypes[primitive.inputs()] = dtypes[0];
      }
      if (primitive.saves()) {
        dtypes[arrays - 1] = dtypes[0];
      }
      int items = random.nextInt(1, 4);
      int at = 0;
      for (int item = 0; item < items; item++) {
        int[] shape = shape(random);
        shapes.add(shape);
        for (int k = 0; k < arrays; k++) {
          at += 4 * random.nextInt(0, 33);
          offsets.add(at);
          at += shape[0] * shape[1] * shape[2] * 4 + 4;
        }
      }
      bytes = at + 64;
    }

    // Elements are the product; the row is the second, the pixels are the third.
    private int[] shape(SplittableRandom random) {
      return switch (primitive.kind()) {
        case ELEMENTS -> new int[] {SIZES[random.nextInt(SIZES.length)], 1, 1};
        case ROWS -> {
          int row = ROWS[random.nextInt(ROWS.length)];
          yield new int[] {random.nextInt(0, 2 + 40_000 / (row + 300)), row, 1};
        }
        case PIXELS ->
            new int[] {
              random.nextInt(0, 4),
              random.nextInt(1, 6),
              new int[] {1, 35, 512, 513, 2000}[random.nextInt(5)]
            };
      };
    }

    private Tensor view(Arena arena, int item, int array, boolean asBuffer) {
      int[] shape = shapes.get(item);
      int place = inPlace && array == primitive.inputs() ? 0 : array;
      int offset = offsets.get(item * dtypes.length + place);
      return arena.view(asBuffer, offset, dtypes[array], (long) shape[0] * shape[1] * shape[2]);
    }

    private int elements(int item) {
      return shapes.get(item)[0] * shapes.get(item)[1] * shapes.get(item)[2];
    }

    Result run(Backend backend) {
      SplittableRandom random = new SplittableRandom(seed);
      try (Arena arena = new Arena(backend, bytes)) {
        List<Batch.Item> items = new ArrayList<>();
        for (int item = 0; item < shapes.size(); item++) {
          List<Tensor> arrays = new ArrayList<>();
          for (int k = 0; k < dtypes.length; k++) {
            int offset = offsets.get(item * dtypes.length + k);
            Inputs.fill(kind, dtypes[k], random.nextLong(), arena.image(), offset, elements(item));
            arrays.add(view(arena, item, k, random.nextBoolean()));
          }
          int[] shape = shapes.get(item);
          long[] labels = new long[shape[0]];
          for (int i = 0; i < labels.length; i++) {
            labels[i] = random.nextInt(shape[1]);
          }
          items.add(Batch.Item.of(primitive, arrays, shape[1], shape[2], new Batch.Labels(labels)));
        }
        arena.upload(bytes);
        ForkJoinPool pool = new ForkJoinPool(threads);
        double[] sums = new double[4 * items.size()];
        pool.submit(
                () -> {
                  try (BatchRunner runner = TestAccess.engine(backend).open(new Batch(items))) {
                    for (int item = 0; item < items.size(); item++) {
                      for (int k = 0; k < factors.length; k++) {
                        runner.factor(item, k, factors[k]);
                      }
                    }
                    runner.run();
                    for (int i = 0; i < sums.length; i++) {
                      sums[i] = runner.sum(i / 4, i % 4);
                    }
                  }
                })
            .join();
        pool.shutdown();
        arena.download(bytes);
        ByteBuffer copy = ByteBuffer.allocate(bytes).order(arena.image().order());
        copy.put(arena.image().duplicate().position(0).limit(bytes));
        return new Result(copy.flip(), Arrays.stream(sums).boxed().toList());
      }
    }

    String difference(Result expected, Result actual) {
      for (int i = 0; i < expected.sums().size(); i++) {
        double a = expected.sums().get(i);
        double b = actual.sums().get(i);
        if (Double.doubleToLongBits(a) != Double.doubleToLongBits(b)) {
          return "sum " + i % 4 + " of item " + i / 4 + ": expected " + a + ", is " + b;
        }
      }
      byte[] left = expected.image().array().clone();
      byte[] right = actual.image().array().clone();
      for (int item = 0; item < shapes.size(); item++) {
        for (int k = 0; k < dtypes.length; k++) {
          int offset = offsets.get(item * dtypes.length + k);
          int output = k - primitive.inputs();
          boolean written = (output >= 0 && output < primitive.outputs()) || (inPlace && k == 0);
          if (!written) {
            continue;
          }
          String difference =
              Bits.difference(expected.image(), actual.image(), dtypes[k], offset, elements(item));
          if (difference != null) {
            return "array " + k + " of item " + item + ": " + difference;
          }
          int end = offset + elements(item) * dtypes[k].bits() / 8;
          Arrays.fill(left, offset, end, (byte) 0);
          Arrays.fill(right, offset, end, (byte) 0);
        }
      }
      // Inputs, saved copies (payloads of NaN included) and the memory between the arrays.
      int at = Arrays.mismatch(left, right);
      return at < 0 ? null : "byte " + at + " beside the outputs differs";
    }

    @Override
    public String toString() {
      return primitive
          + " "
          + kind
          + " "
          + Arrays.toString(dtypes)
          + (inPlace ? " in place" : "")
          + ", threads "
          + threads
          + ", shapes "
          + shapes.stream().map(Arrays::toString).toList()
          + ", factors "
          + Arrays.toString(factors);
    }
  }
}
