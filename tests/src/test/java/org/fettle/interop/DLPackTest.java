package org.fettle.interop;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.ref.Reference;
import java.lang.ref.WeakReference;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.fettle.DLPackCapsule;
import org.fettle.DLPackTensor;
import org.fettle.DType;
import org.fettle.Device;
import org.fettle.Parameter;
import org.fettle.Plan;
import org.fettle.Tensor;
import org.fettle.internal.NativeLibrary;
import org.fettle.rules.Sgd;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Tensors that went through DLPack are the same memory, kept by its owner until given back. */
class DLPackTest {
  @BeforeEach
  void needsTheLibrary() {
    assumeTrue(NativeLibrary.isLoaded(), "NOT RUN: no native library");
  }

  @Test
  void everyFormatKeepsItsAddressTypeAndShape() {
    for (DType dtype : DType.values()) {
      if (dtype == DType.BIT) {
        continue;
      }
      for (long[] shape : new long[][] {{}, {7}, {2, 3}, {2, 1, 3, 1}, {0}, {3, 0, 2}}) {
        Tensor tensor = Tensor.allocate(dtype, shape);
        for (boolean versioned : new boolean[] {true, false}) {
          try (DLPackCapsule capsule =
                  versioned ? DLPackCapsule.of(tensor) : DLPackCapsule.unversionedOf(tensor);
              DLPackTensor taken =
                  versioned
                      ? DLPackTensor.take(capsule.handOver())
                      : DLPackTensor.takeUnversioned(capsule.handOver())) {
            assertEquals(versioned, capsule.isVersioned());
            assertEquals(tensor.toString(), taken.tensor().toString());
            assertArrayEquals(shape, taken.tensor().shape());
            if (tensor.elements() > 0) {
              assertEquals(tensor.address(), taken.tensor().address());
            }
          }
        }
      }
    }
  }

  @Test
  void aStepOnATakenTensorWritesTheProducersMemory() {
    ByteBuffer memory = ByteBuffer.allocateDirect(4000).order(ByteOrder.nativeOrder());
    Tensor gradient = Tensor.allocate(DType.F32, 10, 100);
    ByteBuffer gradients = gradient.buffer();
    for (int i = 0; i < 1000; i++) {
      memory.putFloat(4 * i, i);
      gradients.putFloat(4 * i, i % 7);
    }
    DLPackCapsule capsule = DLPackCapsule.of(Tensor.of(memory, DType.F32, 10, 100));
    try (DLPackTensor taken = DLPackTensor.take(capsule.handOver());
        Plan plan =
            Plan.builder()
                .group(new Sgd().withLr(0.5), Parameter.of(taken.tensor(), gradient))
                .build()) {
      plan.step();
    }
    for (int i = 0; i < 1000; i++) {
      assertEquals(i - 0.5f * (i % 7), memory.getFloat(4 * i));
    }
  }

  @Test
  void theOwnerLivesUntilTheTakerIsDone() throws Exception {
    Object[] owner = {new Object()};
    WeakReference<Object> watched = new WeakReference<>(owner[0]);
    DLPackTensor taken = offerAndTake(owner);
    try {
      collect();
      assertNotNull(watched.get(), "the owner of memory that is in use");
      // On a thread of its own, which then ends.
      Thread done = new Thread(taken::close);
      done.start();
      done.join();
    } finally {
      Reference.reachabilityFence(taken);
    }
    awaitGone(watched, "after the deleter ran");
  }

  @Test
  void whatIsForgottenIsDeletedByTheCollector() throws Exception {
    Object[] owner = {new Object()};
    WeakReference<Object> watched = new WeakReference<>(owner[0]);
    offerAndTake(owner);
    awaitGone(watched, "of a taken tensor that was forgotten");

    owner[0] = new Object();
    watched = new WeakReference<>(owner[0]);
    DLPackCapsule.of(tensorOf(owner));
    awaitGone(watched, "of a capsule that was forgotten");
  }

  /** Takes the owner out of its holder, so that only native code keeps it. */
  private static DLPackTensor offerAndTake(Object[] owner) {
    return DLPackTensor.take(DLPackCapsule.of(tensorOf(owner)).handOver());
  }

  private static Tensor tensorOf(Object[] owner) {
    ByteBuffer memory = ByteBuffer.allocateDirect(64);
    Object[] both = {memory, owner[0]};
    owner[0] = null;
    return Tensor.ofAddress(
        Tensor.of(memory, DType.F32, 1).address(), 64, both, Device.CPU, DType.F32, 16);
  }

  private static void collect() throws InterruptedException {
    for (int i = 0; i < 3; i++) {
      System.gc();
      Thread.sleep(10);
    }
  }

  private static void awaitGone(WeakReference<Object> watched, String when)
      throws InterruptedException {
    for (int i = 0; i < 200 && watched.get() != null; i++) {
      System.gc();
      Thread.sleep(10);
    }
    assertNull(watched.get(), "the owner is still held " + when);
  }
}
