package org.fettle.benchmarks;

import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.fettle.DType;
import org.fettle.Tensor;
import org.fettle.internal.NativeLibrary;

/** Passes that move a kernel's bytes over arrays of their own and compute next to nothing. */
final class KernelCeiling implements Contestant {
  private static final int V4 = 4;
  private static final Map<Integer, DType> BY_WIDTH =
      Map.of(4, DType.F32, 2, DType.BF16, 1, DType.U8);

  /** One pass: its number, and the addresses of its arrays. */
  private record Table(int pass, Tensor addresses) {}

  private final String name;
  private final int elements;
  private final int past;
  private final int tier = (NativeLibrary.tiers() & V4) != 0 ? 4 : 3;
  private final Map<String, Tensor> arrays = new HashMap<>();
  private final List<Table> tables = new ArrayList<>();
  private double seen;

  /**
   * Makes a ceiling.
   *
   * @param past whether what is only written goes past the caches
   */
  KernelCeiling(String name, List<Shape.Pass> passes, int elements, boolean past) {
    Passes.load();
    this.name = name;
    this.elements = elements;
    this.past = past ? 1 : 0;
    passes.forEach(pass -> tables.add(table(pass)));
  }

  private Table table(Shape.Pass pass) {
    List<Shape.Stream> streams = pass.ordered();
    Tensor addresses = Tensor.allocate(DType.I64, streams.size());
    var buffer = addresses.buffer().order(ByteOrder.nativeOrder()).asLongBuffer();
    for (Shape.Stream stream : streams) {
      buffer.put(
          arrays
              .computeIfAbsent(
                  stream.array(), x -> Tensor.allocate(BY_WIDTH.get(stream.width()), elements))
              .address());
    }
    return new Table(Passes.number(pass), addresses);
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public void step() {
    for (Table table : tables) {
      seen += Passes.run(table.pass, tier, table.addresses.address(), 0, 1, 0, elements, 0, past);
    }
  }

  @Override
  public void close() {
    if (seen == 0.5) {
      System.err.println("so that nobody thinks the reads were not needed");
    }
  }
}
