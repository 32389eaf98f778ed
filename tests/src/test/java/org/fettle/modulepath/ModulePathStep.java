package org.fettle.modulepath;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.zip.CRC32C;
import org.fettle.DType;
import org.fettle.Parameter;
import org.fettle.Plan;
import org.fettle.Tensor;
import org.fettle.rules.AdamW;

/**
 * A program that takes a few steps on direct buffers, and prints backend and checksum. In a package
 * that no module of Fettle has, so that it can stay on the class path.
 */
public final class ModulePathStep {
  private ModulePathStep() {}

  /** Takes no arguments. */
  public static void main(String[] arguments) {
    ByteBuffer weight = ByteBuffer.allocateDirect(4 * 10_000).order(ByteOrder.nativeOrder());
    ByteBuffer gradient = ByteBuffer.allocateDirect(4 * 10_000).order(ByteOrder.nativeOrder());
    for (int i = 0; i < 10_000; i++) {
      gradient.putFloat(4 * i, (i % 77 - 38) * 0.01f);
    }
    CRC32C crc = new CRC32C();
    try (Plan plan =
        Plan.builder()
            .group(
                new AdamW(),
                Parameter.of(
                    Tensor.of(weight, DType.F32, 100, 100),
                    Tensor.of(gradient, DType.F32, 100, 100)))
            .build()) {
      plan.step();
      plan.step();
      crc.update(weight);
      System.out.printf(
          "module %s backend %s sum %08x%n",
          Plan.class.getModule().getName(), plan.backend().name(), crc.getValue());
    }
  }
}
