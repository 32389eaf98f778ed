package org.fettle.samebits;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.fettle.DType;
import org.fettle.testkit.Inputs;

/**
 * Where the arrays of a case lie in its block, and what they hold at first: the same for every
 * backend.
 */
final class SameBitsLayout {
  /** A byte that no gap may lose. */
  private static final byte CANARY = (byte) 0xA5;

  private static final int GAP = 128;

  /** One array of a tensor. */
  record Place(String what, int tensor, DType dtype, int elements, int offset) {
    int bytes() {
      return (int) dtype.bytes(elements);
    }
  }

  /** One tensor with its arrays; null for those that it does not have. */
  record TensorPlaces(
      int group,
      List<Long> extents,
      Place value,
      Place gradient,
      Place otherGradient,
      Place mask,
      Place copy,
      Place average) {
    int elements() {
      return value.elements();
    }

    long[] shape() {
      return extents.stream().mapToLong(Long::longValue).toArray();
    }
  }

  final List<TensorPlaces> tensors = new ArrayList<>();
  final List<Place> places = new ArrayList<>();
  private final SameBitsCase test;
  private int end = GAP;
  private int arrays;

  SameBitsLayout(SameBitsCase test) {
    this.test = test;
    switch (test.shape()) {
      case SINGLE, MOVING -> tensor(0, test.axes().of(test.size()));
      case SEVERAL -> {
        tensor(0, List.of(0L));
        tensor(0, test.axes().of(test.size()));
        tensor(0, List.of());
        for (long i = 1; i < 40; i += 3) {
          tensor(0, List.of(i));
        }
        tensor(0, List.of(3L, 5L, 7L));
      }
      case GROUPS, NO_GRADIENT, SKIPPED -> {
        tensor(0, test.axes().of(test.size()));
        tensor(1, test.axes().of(test.size() / 2 + 1));
        tensor(1, List.of(2L, 9L));
      }
    }
  }

  /** Bytes of the block that are used, the gap behind the last array included. */
  int bytes() {
    return end;
  }

  private void tensor(int group, List<Long> shape) {
    int n = Math.toIntExact(shape.stream().reduce(1L, Math::multiplyExact));
    tensors.add(
        new TensorPlaces(
            group,
            shape,
            place("parameter", test.parameter(), n),
            place("gradient", test.gradient(), n),
            test.shape() == SameBitsCase.Shape.MOVING
                ? place("other gradient", test.gradient(), n)
                : null,
            test.masking() == SameBitsCase.Masking.NONE ? null : place("mask", DType.BIT, n),
            test.copy() == null ? null : place("copy", test.copy(), n),
            test.average() == null ? null : place("average", test.average(), n)));
  }

  private Place place(String what, DType dtype, int elements) {
    int misalignment = (test.misalignment() + 11 * arrays++) % SameBitsCase.MISALIGNMENTS;
    int offset = (end + 63) / 64 * 64 + misalignment / dtype.alignment() * dtype.alignment();
    Place place = new Place(what, tensors.size(), dtype, elements, offset);
    places.add(place);
    end = offset + place.bytes() + GAP;
    return place;
  }

  /** Fills an image: canaries, parameters, averages, masks; copies start with canaries. */
  void fill(ByteBuffer image) {
    for (int i = 0; i < end; i++) {
      image.put(i, CANARY);
    }
    SplittableRandom random = new SplittableRandom(test.seed());
    for (TensorPlaces tensor : tensors) {
      values(test.parameters(), tensor.value(), random, image);
      if (tensor.average() != null) {
        values(test.parameters(), tensor.average(), random, image);
      }
      if (tensor.mask() != null) {
        mask(tensor.mask(), random, image);
      }
    }
    gradients(image, 0);
  }

  /**
   * Fills the gradients of a step. Where the plan stops at non-finite ones, only step 1 has one.
   */
  void gradients(ByteBuffer image, int step) {
    SplittableRandom random = new SplittableRandom(test.seed() ^ (step + 1) * 0x9E3779B9L);
    boolean stops = test.nonFinite() != org.fettle.NonFinite.PASS;
    Inputs.Kind kind =
        stops && !test.gradients().isFinite() ? Inputs.Kind.NORMAL : test.gradients();
    for (TensorPlaces tensor : tensors) {
      values(kind, tensor.gradient(), random, image);
      if (tensor.otherGradient() != null) {
        values(kind, tensor.otherGradient(), random, image);
      }
    }
    TensorPlaces last = tensors.get(tensors.size() - 1);
    if (stops && step == 1 && last.elements() > 0) {
      Place place =
          step % 2 == 0 || last.otherGradient() == null ? last.gradient() : last.otherGradient();
      int at = place.offset() + random.nextInt(last.elements()) * place.dtype().bits() / 8;
      boolean nan = random.nextBoolean();
      switch (place.dtype()) {
        case F32 -> image.putInt(at, nan ? 0x7FC00001 : 0xFF800000);
        case BF16 -> image.putShort(at, (short) (nan ? 0xFFC1 : 0x7F80));
        case F16 -> image.putShort(at, (short) (nan ? 0x7E01 : 0xFC00));
        default -> throw new AssertionError(place.dtype());
      }
    }
  }

  private static void values(
      Inputs.Kind kind, Place place, SplittableRandom random, ByteBuffer image) {
    Inputs.fill(kind, place.dtype(), random.nextLong(), image, place.offset(), place.elements());
  }

  private void mask(Place place, SplittableRandom random, ByteBuffer image) {
    // Bits behind the last element are set at random too: nothing may read them.
    for (int i = 0; i < place.bytes(); i++) {
      int bits = random.nextInt();
      if (test.masking() == SameBitsCase.Masking.TWO_OF_FOUR) {
        bits = (bits & 1) != 0 ? 0x5A : 0xC3;
      }
      image.put(place.offset() + i, (byte) bits);
    }
  }

  /** The first byte between arrays that was overwritten, described; null if there is none. */
  String damage(ByteBuffer image) {
    int at = 0;
    for (Place place : places) {
      for (; at < place.offset(); at++) {
        if (image.get(at) != CANARY) {
          return String.format(
              "byte %d before the %s of tensor %d was overwritten",
              place.offset() - at, place.what(), place.tensor());
        }
      }
      at = place.offset() + place.bytes();
    }
    for (; at < end; at++) {
      if (image.get(at) != CANARY) {
        return "a byte behind the last array was overwritten";
      }
    }
    return null;
  }
}
