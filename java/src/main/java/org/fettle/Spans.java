package org.fettle;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.fettle.internal.Addresses;
import org.fettle.internal.PlanSpec;

/**
 * The memory of a plan's tensors, to refuse memory that is written and stands in two places. Two
 * gradients or masks may share theirs.
 */
final class Spans {
  private record Span(String name, long start, long end, boolean written) {}

  private final List<Span> spans = new ArrayList<>();

  /** Everything that a plan's steps write, in order of address. */
  static Spans writtenBy(PlanSpec plan) {
    Spans written = new Spans();
    for (int i = 0; i < plan.tensors().size(); i++) {
      PlanSpec.Entry entry = plan.tensors().get(i);
      String name = PlanChecks.name(entry, i);
      written.addWritten(name, entry.parameter());
      for (Tensor state : entry.states()) {
        written.add(name + ".state", state, true);
      }
      for (Tensor scales : entry.scales()) {
        written.add(name + ".state", scales, true);
      }
    }
    written.sort();
    return written;
  }

  void addWritten(String name, Parameter parameter) {
    add(name, parameter.value(), true);
    add(name + ".copy", parameter.copy(), true);
    for (int k = 0; k < parameter.averages().size(); k++) {
      add(PlanChecks.average(name, parameter, k), parameter.averages().get(k), true);
    }
  }

  /** Adds a tensor; leaves out one that is null or empty, and one whose address nobody can tell. */
  void add(String name, Tensor tensor, boolean written) {
    Span span = spanOf(name, tensor, written);
    if (span != null) {
      spans.add(span);
    }
  }

  /** Refuses overlaps among all that was added. */
  void check() {
    sort();
    Span farthest = null;
    Span farthestWritten = null;
    for (Span span : spans) {
      Span other = span.written() ? farthest : farthestWritten;
      if (other != null && other.end() > span.start()) {
        throw overlap(span, other);
      }
      if (farthest == null || span.end() > farthest.end()) {
        farthest = span;
      }
      if (span.written() && (farthestWritten == null || span.end() > farthestWritten.end())) {
        farthestWritten = span;
      }
    }
  }

  /**
   * Refuses a tensor that overlaps one of these, which are sorted and do not overlap each other.
   */
  void check(String name, Tensor tensor) {
    Span span = spanOf(name, tensor, false);
    if (span == null) {
      return;
    }
    int low = 0;
    int high = spans.size();
    while (low < high) {
      int middle = (low + high) >>> 1;
      if (spans.get(middle).end() <= span.start()) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    if (low < spans.size() && spans.get(low).start() < span.end()) {
      throw overlap(span, spans.get(low));
    }
  }

  private void sort() {
    spans.sort(Comparator.comparingLong(Span::start));
  }

  private static Span spanOf(String name, Tensor tensor, boolean written) {
    boolean known = tensor != null && (tensor.buffer() == null || Addresses.known());
    if (!known || tensor.elements() == 0) {
      return null;
    }
    long start = tensor.address();
    return new Span(name, start, start + tensor.bytes(), written);
  }

  private static IllegalArgumentException overlap(Span span, Span other) {
    return new IllegalArgumentException(
        String.format(
            "%s overlaps %s: bytes 0x%x to 0x%x and 0x%x to 0x%x, expected separate memory",
            span.name(), other.name(), span.start(), span.end(), other.start(), other.end()));
  }
}
