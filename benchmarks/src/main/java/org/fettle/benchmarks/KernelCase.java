package org.fettle.benchmarks;

import java.util.Map;
import org.fettle.Backend;
import org.fettle.Tensor;

/**
 * A kernel that is no step.
 *
 * @param name such as {@code quantize.int8}; a peer knows it by this
 * @param size what tables call its size, such as {@code 1e7} or {@code 1024^3}
 * @param elements what times are divided by: elements, or multiply-adds of a product
 * @param bytes counted bytes per element: what the memory's roof is made of; of a product per
 *     multiply-add of the dense one, every operand and the result once
 * @param operations of a product, per multiply-add of the dense one: 2, or less where zeros are
 *     left out; 0 for everything else, whose operations nobody counts
 * @param make makes the kernel on its arrays
 */
record KernelCase(
    String name, String size, double elements, double bytes, double operations, Make make) {
  boolean isProduct() {
    return operations > 0;
  }

  /** Makes a kernel. */
  interface Make {
    /**
     * Allocates.
     *
     * @param arrays receives the arrays that a peer works on, by name
     * @return what runs the kernel once
     */
    Runnable on(Backend backend, Map<String, Tensor> arrays);
  }
}
