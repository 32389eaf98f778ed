package org.fettle.benchmarks;

import java.util.List;
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
 * @param passes the memory traffic it cannot do without, whose bytes are {@code bytes}; empty for a
 *     product
 * @param make makes the kernel on its arrays
 */
record KernelCase(
    String name,
    String size,
    double elements,
    double bytes,
    double operations,
    List<Shape.Pass> passes,
    Make make) {
  /** A kernel that memory bounds. */
  static KernelCase moving(
      String name, String size, double elements, List<Shape.Pass> passes, Make make) {
    double bytes = new Shape(passes).bytesPerElement();
    return new KernelCase(name, size, elements, bytes, 0, passes, make);
  }

  /** A product of matrices. */
  static KernelCase product(
      String name, String size, double elements, double bytes, double operations, Make make) {
    return new KernelCase(name, size, elements, bytes, operations, List.of(), make);
  }

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
