package org.fettle.examples.distributed;

import org.fettle.Device;
import org.fettle.Tensor;

/** How a tensor is cut into equal parts, one per process: bytes, so that any dtype can be sent. */
final class Parts {
  private Parts() {}

  /**
   * The bytes of a part of an exchange.
   *
   * @throws IllegalArgumentException if the tensors cannot be exchanged between so many processes
   */
  static long ofExchange(Tensor from, Tensor to, int processes, Device device) {
    check(from.bytes() % processes == 0, "from", from, "equal parts for " + processes);
    check(to.bytes() == from.bytes(), "to", to, from.bytes() + " bytes");
    return onDevice(from, to, device, from.bytes() / processes);
  }

  /**
   * The bytes of a part of a gather.
   *
   * @throws IllegalArgumentException if the whole does not hold so many parts
   */
  static long ofGather(Tensor part, Tensor whole, int processes, Device device) {
    long bytes = Math.multiplyExact(part.bytes(), processes);
    check(whole.bytes() == bytes, "whole", whole, bytes + " bytes");
    return onDevice(part, whole, device, part.bytes());
  }

  private static long onDevice(Tensor from, Tensor to, Device device, long part) {
    check(from.device().equals(device), "sent tensor", from, "memory of " + device);
    check(to.device().equals(device), "received tensor", to, "memory of " + device);
    return part;
  }

  private static void check(boolean holds, String name, Tensor tensor, String expected) {
    if (!holds) {
      throw new IllegalArgumentException(
          name + " " + tensor + " of " + tensor.bytes() + " bytes: expected " + expected);
    }
  }
}
