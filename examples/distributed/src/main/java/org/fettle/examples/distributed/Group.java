package org.fettle.examples.distributed;

import java.util.concurrent.TimeUnit;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.chrono.Milliseconds;
import org.bytedeco.pytorch.FileStore;
import org.bytedeco.pytorch.GlooDeviceVector;
import org.bytedeco.pytorch.LongVector;
import org.bytedeco.pytorch.ProcessGroupGloo;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.Work;
import org.bytedeco.pytorch.global.torch;
import org.fettle.DType;
import org.fettle.Tensor;

/**
 * The processes of a run, on the collectives of libtorch's Gloo. Fettle's tensors are sent from
 * where they are. Counts what leaves this process.
 */
final class Group implements AutoCloseable {
  private static final long TIMEOUT = TimeUnit.SECONDS.toMillis(60);

  private final int rank;
  private final int size;
  private final ProcessGroupGloo gloo;
  private final FileStore store;
  private long bytesSent;

  /** Thrown where another process is gone. */
  static final class Lost extends Exception {
    private static final long serialVersionUID = 1;

    Lost(String what, Throwable cause) {
      super(what, cause);
    }
  }

  /**
   * Joins the others.
   *
   * @param file where the processes find each other; new for every run
   */
  Group(String file, int rank, int size) {
    this.rank = rank;
    this.size = size;
    load();
    torch.set_num_threads(1);
    store = new FileStore(file, size);
    ProcessGroupGloo.Options options = ProcessGroupGloo.Options.create();
    options.devices(new GlooDeviceVector(ProcessGroupGloo.createDeviceForHostname("127.0.0.1")));
    options.timeout(new Milliseconds(TIMEOUT));
    options.threads(1);
    gloo = new ProcessGroupGloo(store, rank, size, options);
  }

  /** Before any other class of the preset is touched: its libraries depend on this one. */
  static void load() {
    Loader.load(torch.class);
  }

  int rank() {
    return rank;
  }

  int size() {
    return size;
  }

  /** Bytes that this process has sent to others. */
  long bytesSent() {
    return bytesSent;
  }

  /** Cuts {@code from} into equal parts, one per process, and gets the own part of everyone's. */
  void exchange(Tensor from, Tensor to) throws Lost {
    bytesSent += from.bytes() / size * (size - 1);
    await(gloo.alltoall_base(wrap(to), wrap(from), new LongVector(), new LongVector()), "exchange");
  }

  /** Everyone's {@code part}, one behind the other. */
  void gather(Tensor part, Tensor whole) throws Lost {
    bytesSent += part.bytes() * (size - 1);
    await(gloo._allgather_base(wrap(whole), wrap(part)), "gather");
  }

  /** Waits for all. */
  void barrier() throws Lost {
    await(gloo.barrier(), "barrier");
  }

  private void await(Work work, String what) throws Lost {
    try {
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

  /** A tensor of the host. */
  static Tensor tensor(DType dtype, long elements) {
    return Tensor.allocate(dtype, elements);
  }

  @Override
  public void close() {
    gloo.close();
    store.close();
  }
}
