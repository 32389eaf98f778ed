package org.fettle.benchmarks;

import java.util.ArrayList;
import java.util.List;
import org.fettle.DType;
import org.fettle.Plan;
import org.fettle.Rule;
import org.fettle.Tensor;

/**
 * The memory traffic that a workload cannot do without: passes over arrays, in order.
 *
 * @param passes the passes
 */
record Shape(List<Pass> passes) {
  /** How a pass uses an array. */
  enum Use {
    /** Read and written in place: counted twice. */
    IN_PLACE('i'),
    /** Read. */
    READ('r'),
    /** Written without being read. */
    WRITTEN('w');

    private final char letter;

    Use(char letter) {
      this.letter = letter;
    }
  }

  /**
   * One array of a pass.
   *
   * @param bytes of an element
   */
  record Stream(String array, double bytes, Use use) {
    Stream(String array, DType dtype, Use use) {
      this(array, dtype.bytes(8) / 8.0, use);
    }

    static Stream inPlace(String array, DType dtype) {
      return new Stream(array, dtype, Use.IN_PLACE);
    }

    static Stream read(String array, DType dtype) {
      return new Stream(array, dtype, Use.READ);
    }

    static Stream written(String array, DType dtype) {
      return new Stream(array, dtype, Use.WRITTEN);
    }

    double bytesPerElement() {
      return bytes * (use == Use.IN_PLACE ? 2 : 1);
    }

    /** Whole bytes; 0 for a mask or codes of 4 bits, which the ceiling leaves out. */
    int width() {
      return (int) bytes;
    }
  }

  /** Arrays that are walked together. */
  record Pass(List<Stream> streams) {
    static Pass of(Stream... streams) {
      return new Pass(List.of(streams));
    }

    double bytesPerElement() {
      return streams.stream().mapToDouble(Stream::bytesPerElement).sum();
    }

    /** The streams in the order that {@code passes.h} wants, but for what is below a byte. */
    List<Stream> ordered() {
      List<Stream> ordered = new ArrayList<>();
      for (int width : new int[] {4, 2, 1}) {
        for (Use use : Use.values()) {
          streams.stream().filter(s -> s.width() == width && s.use == use).forEach(ordered::add);
        }
      }
      return ordered;
    }

    /** The name in {@code shapes.def}. */
    String name() {
      List<String> parts = new ArrayList<>();
      for (int width : new int[] {4, 2, 1}) {
        StringBuilder part = new StringBuilder();
        for (Use use : Use.values()) {
          long count = streams.stream().filter(s -> s.width() == width && s.use == use).count();
          part.append(use.letter).append(count);
        }
        parts.add(part.toString());
      }
      return String.join(".", parts);
    }
  }

  /** What the workload's step has to move. */
  static Shape of(Workload workload) {
    Rule rule = workload.rule();
    Workload.Storage storage = workload.storage();
    List<Pass> passes = new ArrayList<>();
    if (workload.extra() == Workload.Extra.CLIP || rule.needsGradientNorm()) {
      passes.add(new Pass(List.of(new Stream("gradient", storage.gradient, Use.READ))));
    }
    for (int k = 0; k < rule.gathers(); k++) {
      passes.add(new Pass(gathered(rule, storage, k)));
    }
    List<Stream> update = rule(rule, storage, Use.IN_PLACE);
    switch (workload.extra()) {
      case EMA -> update.add(new Stream("average", DType.F32, Use.IN_PLACE));
      case COPY -> update.add(new Stream("copy", DType.BF16, Use.WRITTEN));
      case MASK -> update.add(new Stream("mask", DType.BIT, Use.READ));
      case NONE, CLIP, STOCHASTIC -> {}
    }
    passes.add(new Pass(update));
    return new Shape(passes);
  }

  /** A gather reads what its terms depend on. */
  private static List<Stream> gathered(Rule rule, Workload.Storage storage, int gather) {
    List<Stream> all = rule(rule, storage, Use.READ);
    List<Boolean> read = Gathered.by(rule, gather);
    List<Stream> streams = new ArrayList<>();
    for (int k = 0; k < all.size(); k++) {
      if (read.get(k)) {
        streams.add(all.get(k));
      }
    }
    return streams;
  }

  private static List<Stream> rule(Rule rule, Workload.Storage storage, Use use) {
    List<Stream> streams = new ArrayList<>();
    streams.add(new Stream("parameter", storage.parameter, use));
    streams.add(new Stream("gradient", storage.gradient, Use.READ));
    rule.states().forEach(state -> streams.add(new Stream(state, storage.stateBytes, use)));
    return streams;
  }

  /** Counted bytes per element: what is updated in place counts twice. */
  double bytesPerElement() {
    return passes.stream().mapToDouble(Pass::bytesPerElement).sum();
  }

  /** Where a stream's array of one tensor is. */
  static long address(Stream stream, Arrays arrays, Plan plan, int tensor) {
    Tensor array =
        switch (stream.array) {
          case "parameter" -> arrays.parameter(tensor).value();
          case "gradient" -> arrays.parameter(tensor).gradient();
          case "average" -> arrays.parameter(tensor).average();
          case "copy" -> arrays.parameter(tensor).copy();
          default -> plan.state(tensor, stream.array);
        };
    return array.address();
  }
}
