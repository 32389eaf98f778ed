package org.fettle.misuse;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.fettle.DLPackCapsule;
import org.fettle.DLPackTensor;
import org.fettle.DType;
import org.fettle.Parameter;
import org.fettle.Plan;
import org.fettle.Tensor;
import org.fettle.internal.Addresses;
import org.fettle.internal.NativeLibrary;
import org.fettle.rules.AdamW;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What is no tensor that Fettle can view, or that nobody may take twice, is refused. */
class DLPackMisuseTest {
  @BeforeEach
  void needsTheLibrary() {
    assumeTrue(NativeLibrary.isLoaded(), "NOT RUN: no native library");
  }

  /** A managed tensor written field by field, as another library would lay it out. */
  static final class Managed {
    static final int VERSIONED_TENSOR = 32;
    final ByteBuffer struct = direct(80);
    final ByteBuffer shape = direct(16);
    final ByteBuffer strides = direct(16);
    final ByteBuffer memory = direct(64);

    Managed() {
      struct.putInt(0, 1).putInt(4, 2);
      tensorField(0, Addresses.of(memory));
      struct.putInt(VERSIONED_TENSOR + 8, 1); // CPU
      struct.putInt(VERSIONED_TENSOR + 16, 2); // axes
      type(2, 32, 1);
      shape.putLong(0, 3).putLong(8, 4);
      strides.putLong(0, 4).putLong(8, 1);
      tensorField(24, Addresses.of(shape));
      tensorField(32, Addresses.of(strides));
    }

    private static ByteBuffer direct(int bytes) {
      return ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder());
    }

    Managed tensorField(int offset, long value) {
      struct.putLong(VERSIONED_TENSOR + offset, value);
      return this;
    }

    Managed type(int code, int bits, int lanes) {
      struct.put(VERSIONED_TENSOR + 20, (byte) code).put(VERSIONED_TENSOR + 21, (byte) bits);
      struct.putShort(VERSIONED_TENSOR + 22, (short) lanes);
      return this;
    }

    long address() {
      return Addresses.of(struct);
    }
  }

  @Test
  @Misuses("DLPackTensor.take(long)")
  void whatCannotBeViewed() {
    Managed managed = new Managed();
    Refusal.ofArgument(() -> DLPackTensor.take(0), "null", "managed tensor");
    managed.struct.putInt(0, 2);
    Refusal.ofArgument(() -> DLPackTensor.take(managed.address()), "version 2.2", "1.x");
    managed.struct.putInt(0, 1).putLong(24, 1);
    Refusal.ofArgument(() -> DLPackTensor.take(managed.address()), "read-only", "writable");
    managed.struct.putLong(24, 0);
    managed.strides.putLong(0, 5);
    Refusal.ofArgument(
        () -> DLPackTensor.take(managed.address()), "stride 5", "axis 0", "expected 4");
    managed.strides.putLong(0, 4);
    managed.type(6, 8, 1);
    Refusal.ofArgument(() -> DLPackTensor.take(managed.address()), "type code 6", "8 bits");
    managed.type(2, 32, 2);
    Refusal.ofArgument(() -> DLPackTensor.take(managed.address()), "2 lanes", "one lane");
    managed.type(2, 32, 1).tensorField(40, 3);
    Refusal.ofArgument(() -> DLPackTensor.take(managed.address()), "byte offset 3", "4");
    managed.tensorField(40, 0).tensorField(0, 0);
    Refusal.ofArgument(() -> DLPackTensor.take(managed.address()), "null data");

    managed.tensorField(40, 16).tensorField(0, Addresses.of(managed.memory));
    managed.struct.putLong(24, 2);
    DLPackTensor taken = DLPackTensor.take(managed.address());
    assertEquals(Addresses.of(managed.memory) + 16, taken.tensor().address());
    assertEquals("F32[3, 4] on cpu", taken.tensor().toString());
    assertTrue(taken.isCopy());
    taken.close();
    taken.close();
    Refusal.ofState(taken::tensor, "given back");
  }

  @Test
  @Misuses("DLPackTensor.takeUnversioned(long)")
  void whatCannotBeViewedWithoutAVersion() {
    Refusal.ofArgument(() -> DLPackTensor.takeUnversioned(0), "null", "managed tensor");
    Managed managed = new Managed();
    managed.strides.putLong(8, 2);
    long plain = managed.address() + Managed.VERSIONED_TENSOR;
    Refusal.ofArgument(() -> DLPackTensor.takeUnversioned(plain), "stride 2", "axis 1");
  }

  @Test
  @Misuses({"DLPackCapsule.of(Tensor)", "DLPackCapsule.unversionedOf(Tensor)"})
  void whatCannotBeOffered() {
    Refusal.ofNull(() -> DLPackCapsule.of(null));
    Refusal.ofNull(() -> DLPackCapsule.unversionedOf(null));
    Tensor bits = Tensor.allocate(DType.BIT, 9);
    Refusal.ofArgument(() -> DLPackCapsule.of(bits), "BIT[9]", "u8");
    Refusal.ofArgument(() -> DLPackCapsule.unversionedOf(bits), "BIT[9]", "u8");
    Tensor value = Tensor.allocate(DType.F32, 8);
    Tensor gradient = Tensor.allocate(DType.F32, 8);
    try (Plan plan = Plan.builder().group(new AdamW(), Parameter.of(value, gradient)).build()) {
      Tensor state = plan.state(0, plan.rule(0).states().get(0));
      if (state.buffer() == null) {
        Refusal.ofArgument(() -> DLPackCapsule.of(state), "plan's");
      }
    }
  }

  @Test
  void aCapsuleIsConsumedOnce() {
    DLPackCapsule capsule = DLPackCapsule.of(Tensor.allocate(DType.F32, 4));
    assertFalse(capsule.isConsumed());
    DLPackTensor taken = DLPackTensor.take(capsule.handOver());
    assertTrue(capsule.isConsumed());
    Refusal.ofState(capsule::handOver, "consumed");
    capsule.close();
    assertEquals(4, taken.tensor().elements());
    taken.close();

    DLPackCapsule unwanted = DLPackCapsule.of(Tensor.allocate(DType.F32, 4));
    unwanted.close();
    unwanted.close();
    Refusal.ofState(unwanted::handOver, "consumed");
  }
}
