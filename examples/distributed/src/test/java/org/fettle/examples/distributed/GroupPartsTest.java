package org.fettle.examples.distributed;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import org.bytedeco.cuda.global.nccl;
import org.fettle.DType;
import org.fettle.Device;
import org.fettle.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a group is made of, without other processes: the meeting, parts, devices, errors. */
class GroupPartsTest {
  @TempDir Path scratch;

  private static void refused(String words, org.junit.jupiter.api.function.Executable call) {
    Throwable thrown = assertThrows(IllegalArgumentException.class, call);
    assertTrue(thrown.getMessage().contains(words), thrown.getMessage());
  }

  @Test
  void rankZeroServesAPortThatIsFree() throws Exception {
    byte[] bytes = new byte[128];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = (byte) (i * 37 - 5);
    }
    try (Meeting served = Meeting.open("tcp://127.0.0.1:0", 0, 2)) {
      assertTrue(served.address().matches("tcp://127\\.0\\.0\\.1:[1-9]\\d*"), served.address());
      try (Meeting joined = Meeting.open(served.address(), 1, 2)) {
        assertArrayEquals(bytes, served.share("nccl", true, bytes));
        assertArrayEquals(bytes, joined.share("nccl", false, new byte[0]));
      }
    }
  }

  @Test
  void aFileIsAMeetingToo() throws Exception {
    String file = scratch.resolve("store").toString();
    byte[] bytes = {0, -1, 127, -128};
    try (Meeting first = Meeting.open(file, 0, 2);
        Meeting second = Meeting.open(file, 1, 2)) {
      first.share("key", true, bytes);
      assertArrayEquals(bytes, second.share("key", false, new byte[0]));
    }
  }

  @Test
  void addressesThatAreNoneAreRefused() {
    for (String address :
        new String[] {"tcp://", "tcp://host", "tcp://:5", "tcp://host:x", "tcp://host:65536"}) {
      refused("expected tcp://HOST:PORT", () -> Meeting.open(address, 0, 2));
    }
    refused("rank 1", () -> Meeting.open("tcp://host:0", 1, 2));
  }

  @Test
  void partsFit() {
    Tensor from = Tensor.allocate(DType.F32, 12);
    assertEquals(16, Parts.ofExchange(from, Tensor.allocate(DType.F32, 12), 3, Device.CPU));
    assertEquals(48, Parts.ofGather(from, Tensor.allocate(DType.I8, 144), 3, Device.CPU));
    refused("from F32[12] on cpu", () -> Parts.ofExchange(from, from, 5, Device.CPU));
    Tensor shorter = Tensor.allocate(DType.F32, 11);
    refused("expected 48 bytes", () -> Parts.ofExchange(from, shorter, 3, Device.CPU));
    refused("expected 96 bytes", () -> Parts.ofGather(from, shorter, 2, Device.CPU));
    refused("memory of cuda:1", () -> Parts.ofExchange(from, from, 3, Device.cuda(1)));
  }

  @Test
  void ranksTakeTurnsOfTheDevices() {
    assertEquals(1, NcclGroup.index("cuda", 5, 4));
    assertEquals(3, NcclGroup.index("cuda:3", 0, 4));
    refused("there are 4", () -> NcclGroup.index("cuda:4", 0, 4));
    refused("of 0", () -> NcclGroup.index("cuda", 0, 0));
    for (String device : new String[] {"gpu", "cuda:", "cuda:-1", "cuda:x", "cuda1"}) {
      refused("expected cuda:N", () -> NcclGroup.index(device, 0, 4));
    }
  }

  @Test
  void resultsHaveNcclsNamesAndNumbers() {
    assertEquals(NcclResult.ncclSuccess, NcclResult.of(nccl.ncclSuccess));
    assertEquals(NcclResult.ncclUnhandledCudaError, NcclResult.of(nccl.ncclUnhandledCudaError));
    assertEquals(NcclResult.ncclSystemError, NcclResult.of(nccl.ncclSystemError));
    assertEquals(NcclResult.ncclInternalError, NcclResult.of(nccl.ncclInternalError));
    assertEquals(NcclResult.ncclInvalidArgument, NcclResult.of(nccl.ncclInvalidArgument));
    assertEquals(NcclResult.ncclInvalidUsage, NcclResult.of(nccl.ncclInvalidUsage));
    assertEquals(NcclResult.ncclRemoteError, NcclResult.of(nccl.ncclRemoteError));
    assertEquals(NcclResult.ncclInProgress, NcclResult.of(nccl.ncclInProgress));
    assertTrue(NcclResult.ncclRemoteError.isPeers());
    assertFalse(NcclResult.ncclInvalidUsage.isPeers());
    assertThrows(IllegalStateException.class, () -> NcclResult.of(8));
  }
}
