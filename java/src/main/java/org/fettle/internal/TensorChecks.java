package org.fettle.internal;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Tensor;

/**
 * Collects the tensors of a call of kernels, of any formats, and refuses what does not fit before
 * anything is written. Every message names the tensor, the expected and the actual.
 */
public final class TensorChecks {
  private record Span(String name, long start, long end, boolean written) {}

  private final Engine engine;
  private final List<Span> spans = new ArrayList<>();

  /** Checks of a call on a backend. */
  public TensorChecks(Backend backend) {
    engine = Engines.named(Objects.requireNonNull(backend, "backend").name());
  }

  /** The backend's engine. */
  public Engine engine() {
    return engine;
  }

  /** A tensor that is read, in one of some formats. */
  public TensorChecks reads(String name, Tensor tensor, DType... formats) {
    return add(name, tensor, false, formats);
  }

  /** A tensor that is written, and may be read as well. */
  public TensorChecks writes(String name, Tensor tensor, DType... formats) {
    return add(name, tensor, true, formats);
  }

  /** Input and output, which may be one memory. */
  public TensorChecks maps(
      String inputName, Tensor input, String outputName, Tensor output, DType... formats) {
    one(inputName, input, formats);
    one(outputName, output, formats);
    boolean same = input == output || (Addresses.known() && input.address() == output.address());
    if (!same) {
      span(inputName, input, false);
    }
    span(outputName, output, true);
    return this;
  }

  /** Refuses another shape than that of {@code expected}. */
  public TensorChecks like(String name, Tensor tensor, Tensor expected) {
    Objects.requireNonNull(tensor, name);
    if (!tensor.hasShapeOf(expected)) {
      throw new IllegalArgumentException(
          name + " is " + tensor + ": expected the shape of " + expected);
    }
    return this;
  }

  /** Refuses another shape. */
  public TensorChecks shape(String name, Tensor tensor, long... expected) {
    Objects.requireNonNull(tensor, name);
    if (!Arrays.equals(tensor.shape(), expected)) {
      throw new IllegalArgumentException(
          name + " is " + tensor + ": expected the shape " + Arrays.toString(expected));
    }
    return this;
  }

  /** Refuses another number of axes. */
  public TensorChecks rank(String name, Tensor tensor, int expected) {
    Objects.requireNonNull(tensor, name);
    if (tensor.rank() != expected) {
      throw new IllegalArgumentException(
          name + " is " + tensor + ": expected " + expected + " axes");
    }
    return this;
  }

  /** Refuses memory that is written and stands in two places. */
  public Engine done() {
    spans.sort(Comparator.comparingLong(Span::start));
    Span farthest = null;
    Span farthestWritten = null;
    for (Span span : spans) {
      Span other = span.written() ? farthest : farthestWritten;
      if (other != null && other.end() > span.start()) {
        throw new IllegalArgumentException(
            String.format(
                "%s overlaps %s: bytes 0x%x to 0x%x and 0x%x to 0x%x, expected separate memory",
                span.name(), other.name(), span.start(), span.end(), other.start(), other.end()));
      }
      if (farthest == null || span.end() > farthest.end()) {
        farthest = span;
      }
      if (span.written() && (farthestWritten == null || span.end() > farthestWritten.end())) {
        farthestWritten = span;
      }
    }
    return engine;
  }

  private TensorChecks add(String name, Tensor tensor, boolean written, DType... formats) {
    one(name, tensor, formats);
    span(name, tensor, written);
    return this;
  }

  private void one(String name, Tensor tensor, DType... formats) {
    Objects.requireNonNull(tensor, name);
    if (!Arrays.asList(formats).contains(tensor.dtype())) {
      throw new IllegalArgumentException(name + " is " + tensor + ": expected " + words(formats));
    }
    if (!tensor.device().equals(engine.device())) {
      throw new IllegalArgumentException(
          name
              + " is on "
              + tensor.device()
              + ": expected "
              + engine.device()
              + " for backend "
              + engine.name());
    }
    if (engine.isFreed(tensor)) {
      throw new IllegalArgumentException(name + " is freed: expected memory that is there");
    }
  }

  private static String words(DType... formats) {
    StringBuilder words = new StringBuilder();
    for (int i = 0; i < formats.length; i++) {
      words.append(i == 0 ? "" : i == formats.length - 1 ? " or " : ", ").append(formats[i]);
    }
    return words.toString();
  }

  private void span(String name, Tensor tensor, boolean written) {
    boolean known = tensor.buffer() == null || Addresses.known();
    if (known && tensor.elements() > 0) {
      long start = tensor.address();
      spans.add(new Span(name, start, start + tensor.bytes(), written));
    }
  }
}
