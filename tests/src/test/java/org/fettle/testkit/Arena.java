package org.fettle.testkit;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Device;
import org.fettle.Tensor;
import org.fettle.TestAccess;
import org.fettle.internal.Addresses;
import org.fettle.internal.Engine;

/**
 * One block of memory where a backend wants its tensors, with its image in this process. Views of
 * it start at any byte.
 */
public final class Arena implements AutoCloseable {
  private static final int PAGE = 4096;

  private final Engine engine;
  private final Tensor block;
  private final ByteBuffer image;

  /** Makes a block for that backend. */
  public Arena(Backend backend, int bytes) {
    engine = TestAccess.engine(backend);
    if (engine.device().equals(Device.CPU)) {
      ByteBuffer memory = ByteBuffer.allocateDirect(bytes + 2 * PAGE);
      image = memory.alignedSlice(PAGE).slice(0, bytes).order(ByteOrder.nativeOrder());
      block = null;
    } else {
      image = ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder());
      block = engine.allocate(DType.BIT, new long[] {8L * bytes}, 0);
    }
  }

  /** The size in bytes. */
  public int bytes() {
    return image.capacity();
  }

  /**
   * A tensor that starts {@code offset} bytes into the block.
   *
   * @param asBuffer whether it is made from a buffer, where the backend can have those; otherwise
   *     from an address
   */
  public Tensor view(boolean asBuffer, int offset, DType dtype, long... shape) {
    long elements = 1;
    for (long extent : shape) {
      elements *= extent;
    }
    long bytes = dtype.bytes(elements);
    if (block != null) {
      return Tensor.ofAddress(block.address() + offset, bytes, this, block.device(), dtype, shape);
    }
    if (asBuffer || !Addresses.known()) {
      return Tensor.of(image.slice(offset, (int) bytes), dtype, shape);
    }
    return Tensor.ofAddress(Addresses.of(image) + offset, bytes, this, Device.CPU, dtype, shape);
  }

  /** The block's bytes as they were when last read; what a host backend writes shows at once. */
  public ByteBuffer image() {
    return image;
  }

  /** Makes the first bytes of the block equal to the image. */
  public void upload(int bytes) {
    if (block != null) {
      engine.write(block, 0, image.duplicate().position(0).limit(bytes));
    }
  }

  /** Makes the first bytes of the image equal to the block. */
  public void download(int bytes) {
    if (block != null) {
      engine.read(block, 0, image.duplicate().position(0).limit(bytes));
    }
  }

  @Override
  public void close() {
    if (block != null) {
      engine.release(block);
    }
  }
}
