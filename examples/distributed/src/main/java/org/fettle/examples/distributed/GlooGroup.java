package org.fettle.examples.distributed;

import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.chrono.Milliseconds;
import org.bytedeco.pytorch.GlooDeviceVector;
import org.bytedeco.pytorch.LongVector;
import org.bytedeco.pytorch.ProcessGroupGloo;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.Work;
import org.bytedeco.pytorch.global.torch;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Device;
import org.fettle.Tensor;

/** A group over libtorch's Gloo. Tensors of the host are sent from where they are. */
final class GlooGroup implements Group {
  private final int rank;
  private final int size;
  private final ProcessGroupGloo gloo;
  private long bytesSent;

  /**
   * Joins the others.
   *
   * @param listen the address of this machine at which the others reach this process
   */
  GlooGroup(Meeting meeting, int rank, int size, String listen) {
    this.rank = rank;
    this.size = size;
    ProcessGroupGloo.Options options = ProcessGroupGloo.Options.create();
    options.devices(new GlooDeviceVector(ProcessGroupGloo.createDeviceForHostname(listen)));
    options.timeout(new Milliseconds(Meeting.TIMEOUT));
    options.threads(1);
    gloo = new ProcessGroupGloo(meeting.store(), rank, size, options);
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
    return Backend.best();
  }

  @Override
  public Tensor tensor(DType dtype, long elements) {
    return Tensor.allocate(dtype, elements);
  }

  @Override
  public Tensor toHost(Tensor tensor) {
    return tensor;
  }

  @Override
  public void fromHost(Tensor host, Tensor tensor) {
    if (host != tensor) {
      throw new IllegalArgumentException("host " + host + ": expected the tensor itself");
    }
  }

  @Override
  public long bytesSent() {
    return bytesSent;
  }

  @Override
  public void exchange(Tensor from, Tensor to) throws Lost {
    long part = Parts.ofExchange(from, to, size, Device.CPU);
    bytesSent += part * (size - 1);
    await(gloo.alltoall_base(wrap(to), wrap(from), new LongVector(), new LongVector()), "exchange");
  }

  @Override
  public void gather(Tensor part, Tensor whole) throws Lost {
    bytesSent += Parts.ofGather(part, whole, size, Device.CPU) * (size - 1);
    await(gloo._allgather_base(wrap(whole), wrap(part)), "gather");
  }

  @Override
  public void barrier() throws Lost {
    await(gloo.barrier(), "barrier");
  }

  private static void await(Work work, String what) throws Lost {
    // A work that nobody needs any more would keep the connections open after close().
    try (work) {
      work._wait();
    } catch (RuntimeException e) {
      throw new Lost(
          what + ": " + String.valueOf(e.getMessage()).lines().findFirst().orElse(""), e);
    }
  }

  /** The same memory as bytes; whoever waits for the work keeps the tensor. */
  private static org.bytedeco.pytorch.Tensor wrap(Tensor tensor) {
    return torch.from_blob(
        new Address(tensor), new long[] {tensor.bytes()}, new TensorOptions(torch.ScalarType.Byte));
  }

  private static final class Address extends Pointer {
    Address(Tensor tensor) {
      super((Pointer) null);
      address = tensor.address();
    }
  }

  @Override
  public void close() {
    gloo.close();
  }
}
