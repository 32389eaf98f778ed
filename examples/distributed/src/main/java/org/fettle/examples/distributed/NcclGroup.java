package org.fettle.examples.distributed;

import static org.bytedeco.cuda.global.cudart.cudaErrorNotReady;
import static org.bytedeco.cuda.global.cudart.cudaFree;
import static org.bytedeco.cuda.global.cudart.cudaGetDeviceCount;
import static org.bytedeco.cuda.global.cudart.cudaGetErrorName;
import static org.bytedeco.cuda.global.cudart.cudaMalloc;
import static org.bytedeco.cuda.global.cudart.cudaMemcpy;
import static org.bytedeco.cuda.global.cudart.cudaMemcpyDefault;
import static org.bytedeco.cuda.global.cudart.cudaMemset;
import static org.bytedeco.cuda.global.cudart.cudaSetDevice;
import static org.bytedeco.cuda.global.cudart.cudaStreamQuery;
import static org.bytedeco.cuda.global.cudart.cudaSuccess;
import static org.bytedeco.cuda.global.nccl.ncclAllGather;
import static org.bytedeco.cuda.global.nccl.ncclCommAbort;
import static org.bytedeco.cuda.global.nccl.ncclCommDestroy;
import static org.bytedeco.cuda.global.nccl.ncclCommFinalize;
import static org.bytedeco.cuda.global.nccl.ncclCommGetAsyncError;
import static org.bytedeco.cuda.global.nccl.ncclCommInitRankConfig;
import static org.bytedeco.cuda.global.nccl.ncclGetLastError;
import static org.bytedeco.cuda.global.nccl.ncclGetUniqueId;
import static org.bytedeco.cuda.global.nccl.ncclGetVersion;
import static org.bytedeco.cuda.global.nccl.ncclGroupEnd;
import static org.bytedeco.cuda.global.nccl.ncclGroupStart;
import static org.bytedeco.cuda.global.nccl.ncclInt8;
import static org.bytedeco.cuda.global.nccl.ncclRecv;
import static org.bytedeco.cuda.global.nccl.ncclSend;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.bytedeco.cuda.cudart.CUstream_st;
import org.bytedeco.cuda.global.nccl;
import org.bytedeco.cuda.nccl.ncclComm;
import org.bytedeco.cuda.nccl.ncclConfig_t;
import org.bytedeco.cuda.nccl.ncclUniqueId;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Device;
import org.fettle.Tensor;

/**
 * A group over NCCL, a GPU per process. Tensors are sent from the device's memory and arrive in it,
 * on the default stream, on which Fettle's kernels run too. A communicator that does not block lets
 * a lost process be noticed: nothing here waits without asking for errors and the time.
 */
final class NcclGroup implements Group {
  /** The first that knows communicators that do not block. */
  private static final int OLDEST_VERSION = 21400;

  private static final int CONFIG_MAGIC = 0xcafebeef;
  private static final int UNDEFINED = Integer.MIN_VALUE;
  private static final long POLL_NANOS = 20_000;

  private final int rank;
  private final int size;
  private final int index;
  private final CUstream_st stream = new CUstream_st();
  private final ncclComm communicator = new ncclComm();
  private final List<Pointer> memory = new ArrayList<>();
  private final Tensor token;
  private final Tensor tokens;
  private boolean quiet;
  private boolean left;
  private long bytesSent;

  /**
   * Joins the others.
   *
   * @param device {@code cuda:N}, or {@code cuda} for the rank's turn among the machine's devices
   * @throws IllegalStateException with NCCL's or CUDA's name of the error
   */
  NcclGroup(Meeting meeting, int rank, int size, String device) throws Lost {
    this.rank = rank;
    this.size = size;
    int[] numbers = new int[1];
    check(ncclGetVersion(numbers), "ncclGetVersion");
    if (numbers[0] < OLDEST_VERSION) {
      throw new IllegalStateException(
          "NCCL " + numbers[0] + ": expected " + OLDEST_VERSION + " or newer");
    }
    int version = Math.min(numbers[0], nccl.NCCL_VERSION_CODE);
    checkCuda(cudaGetDeviceCount(numbers), "cudaGetDeviceCount");
    index = index(device, rank, numbers[0]);
    checkCuda(cudaSetDevice(index), "cudaSetDevice");
    ncclUniqueId id = new ncclUniqueId();
    if (rank == 0) {
      check(ncclGetUniqueId(id), "ncclGetUniqueId");
    }
    BytePointer bytes = new BytePointer(id).capacity(id.sizeof());
    byte[] shared = new byte[Math.toIntExact(id.sizeof())];
    bytes.get(shared);
    bytes.put(meeting.share("nccl", rank == 0, shared));
    boolean joined = false;
    try {
      int status = ncclCommInitRankConfig(communicator, size, id, rank, configuration(version));
      settle(status, "ncclCommInitRankConfig");
      token = tensor(DType.U8, 1);
      tokens = tensor(DType.U8, size);
      joined = true;
    } finally {
      if (!joined) {
        close();
      }
    }
  }

  /** The device of {@code cuda:N}, or of a rank where {@code cuda} leaves it open. */
  static int index(String device, int rank, int devices) {
    String number = device.startsWith("cuda:") ? device.substring("cuda:".length()) : null;
    if ((number == null && !device.equals("cuda"))
        || (number != null && !number.matches("\\d{1,4}"))
        || devices < 1) {
      throw new IllegalArgumentException(
          "device " + device + ", of " + devices + ": expected cuda:N, or cuda");
    }
    int index = number == null ? rank % devices : Integer.parseInt(number);
    if (index >= devices) {
      throw new IllegalArgumentException("device " + device + ": there are " + devices);
    }
    return index;
  }

  /** NCCL's defaults, but that calls do not block. */
  private static ncclConfig_t configuration(int version) {
    ncclConfig_t configuration = new ncclConfig_t();
    Pointer.memset(configuration, 0, configuration.sizeof());
    return configuration
        .size(configuration.sizeof())
        .magic(CONFIG_MAGIC)
        .version(version)
        .blocking(0)
        .cgaClusterSize(UNDEFINED)
        .minCTAs(UNDEFINED)
        .maxCTAs(UNDEFINED)
        .splitShare(UNDEFINED)
        .trafficClass(UNDEFINED)
        .collnetEnable(UNDEFINED)
        .CTAPolicy(UNDEFINED)
        .shrinkShare(UNDEFINED)
        .nvlsCTAs(UNDEFINED)
        .nChannelsPerNetPeer(UNDEFINED)
        .nvlinkCentricSched(UNDEFINED)
        .graphUsageMode(UNDEFINED)
        .numRmaCtx(UNDEFINED);
  }

  @Override
  public int rank() {
    return rank;
  }

  @Override
  public int size() {
    return size;
  }

  @Override
  public Backend backend() {
    return Backend.named(index == 0 ? "cuda" : "cuda:" + index);
  }

  @Override
  public Tensor tensor(DType dtype, long elements) {
    checkCuda(cudaSetDevice(index), "cudaSetDevice");
    Pointer address = new Pointer();
    long bytes = Math.max(1, dtype.bytes(elements));
    checkCuda(cudaMalloc(address, bytes), "cudaMalloc of " + bytes + " bytes");
    memory.add(address);
    checkCuda(cudaMemset(address, 0, bytes), "cudaMemset");
    return Tensor.ofAddress(address.address(), bytes, address, Device.cuda(index), dtype, elements);
  }

  @Override
  public Tensor toHost(Tensor tensor) {
    Tensor host = Tensor.allocate(tensor.dtype(), tensor.elements());
    copy(host, tensor);
    return host;
  }

  @Override
  public void fromHost(Tensor host, Tensor tensor) {
    copy(tensor, host);
  }

  private void copy(Tensor to, Tensor from) {
    checkCuda(cudaSetDevice(index), "cudaSetDevice");
    int status =
        cudaMemcpy(new Address(to, 0), new Address(from, 0), from.bytes(), cudaMemcpyDefault);
    checkCuda(status, "cudaMemcpy of " + from.bytes() + " bytes");
  }

  @Override
  public long bytesSent() {
    return bytesSent;
  }

  @Override
  public void exchange(Tensor from, Tensor to) throws Lost {
    long part = Parts.ofExchange(from, to, size, Device.cuda(index));
    if (part == 0) {
      return;
    }
    quiet = false;
    checkCuda(cudaSetDevice(index), "cudaSetDevice");
    check(ncclGroupStart(), "ncclGroupStart");
    for (int peer = 0; peer < size; peer++) {
      Address own = new Address(from, peer * part);
      Address theirs = new Address(to, peer * part);
      checkQueued(ncclSend(own, part, ncclInt8, peer, communicator, stream), "ncclSend");
      checkQueued(ncclRecv(theirs, part, ncclInt8, peer, communicator, stream), "ncclRecv");
    }
    settle(ncclGroupEnd(), "exchange");
    await("exchange");
    bytesSent += part * (size - 1);
  }

  @Override
  public void gather(Tensor part, Tensor whole) throws Lost {
    long bytes = Parts.ofGather(part, whole, size, Device.cuda(index));
    if (bytes == 0) {
      return;
    }
    quiet = false;
    checkCuda(cudaSetDevice(index), "cudaSetDevice");
    Address from = new Address(part, 0);
    Address to = new Address(whole, 0);
    settle(ncclAllGather(from, to, bytes, ncclInt8, communicator, stream), "gather");
    await("gather");
    bytesSent += bytes * (size - 1);
  }

  @Override
  public void barrier() throws Lost {
    gather(token, tokens);
    quiet = true;
  }

  /** Waits until NCCL has taken a call. */
  private void settle(int status, String what) throws Lost {
    NcclResult result = NcclResult.of(status);
    long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(Meeting.TIMEOUT);
    while (result == NcclResult.ncclInProgress) {
      result = pause(end, what);
    }
    stopUnless(result == NcclResult.ncclSuccess, result, what);
  }

  /** Waits until what was taken is done. */
  private void await(String what) throws Lost {
    long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(Meeting.TIMEOUT);
    for (int status = cudaStreamQuery(stream);
        status != cudaSuccess;
        status = cudaStreamQuery(stream)) {
      if (status != cudaErrorNotReady) {
        abort();
        checkCuda(status, what);
      }
      NcclResult result = pause(end, what);
      boolean fine = result == NcclResult.ncclSuccess || result == NcclResult.ncclInProgress;
      stopUnless(fine, result, what);
    }
  }

  private NcclResult pause(long end, String what) throws Lost {
    LockSupport.parkNanos(POLL_NANOS);
    int[] error = new int[1];
    check(ncclCommGetAsyncError(communicator, error), "ncclCommGetAsyncError");
    if (System.nanoTime() - end > 0) {
      abort();
      throw new Lost(what + ": not done within " + Meeting.TIMEOUT / 1000 + " s", null);
    }
    return NcclResult.of(error[0]);
  }

  /** What is on the stream would wait for ever: only an abort ends it. */
  private void stopUnless(boolean fine, NcclResult result, String what) throws Lost {
    if (fine) {
      return;
    }
    String text = what + ": " + result + lastError();
    abort();
    if (result.isPeers()) {
      throw new Lost(text, null);
    }
    throw new IllegalStateException(text);
  }

  private void checkQueued(int status, String what) {
    if (NcclResult.of(status) != NcclResult.ncclInProgress) {
      check(status, what);
    }
  }

  private void check(int status, String what) {
    NcclResult result = NcclResult.of(status);
    if (result != NcclResult.ncclSuccess) {
      throw new IllegalStateException(what + ": " + result + lastError());
    }
  }

  /** What NCCL says of an error beyond its name. */
  private String lastError() {
    BytePointer text = communicator.isNull() ? null : ncclGetLastError(communicator);
    return text == null || text.isNull() ? "" : " (" + text.getString() + ")";
  }

  private static void checkCuda(int status, String what) {
    if (status != cudaSuccess) {
      throw new IllegalStateException(what + ": " + cudaGetErrorName(status).getString());
    }
  }

  private void abort() {
    if (!left && !communicator.isNull()) {
      left = true;
      ncclCommAbort(communicator);
    }
  }

  private static final class Address extends Pointer {
    Address(Tensor tensor, long offset) {
      super((Pointer) null);
      address = tensor.address() + offset;
    }
  }

  /** After a barrier nothing is on its way; otherwise only an abort tells the others. */
  @Override
  public void close() {
    try {
      if (quiet && !left) {
        settle(ncclCommFinalize(communicator), "ncclCommFinalize");
        left = true;
        check(ncclCommDestroy(communicator), "ncclCommDestroy");
      }
    } catch (Lost e) {
      System.out.println("rank " + rank + " left alone: " + e.getMessage());
    } finally {
      abort();
      memory.forEach(address -> cudaFree(address));
      memory.clear();
    }
  }
}
