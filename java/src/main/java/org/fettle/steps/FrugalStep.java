package org.fettle.steps;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import org.fettle.Backend;
import org.fettle.StateStorage;

/** What the forms of FRUGAL share: when a choice is due, and the steps of the present one. */
abstract class FrugalStep extends SavedStep {
  final FrugalOptions options;
  private long counter;
  private boolean chosen;

  FrugalStep(Backend backend, String kind, StateStorage storage, FrugalOptions options) {
    super(backend, kind, storage);
    this.options = Objects.requireNonNull(options, "options");
  }

  /** Whether the next step makes a choice. */
  public final boolean isChoiceDue() {
    return steps() % options.updateGap() == 0;
  }

  /** Refuses a choice of the caller's that would come too early. */
  final void expectDue() {
    if (!isChoiceDue()) {
      throw new IllegalStateException("no choice is due: expected one every updateGap steps");
    }
  }

  /** Whether the step itself has to choose. */
  final boolean mustChoose() {
    return isChoiceDue() && !chosen;
  }

  /** Of the next choice, from 0. */
  final long choiceNumber() {
    return steps() / options.updateGap();
  }

  /** A choice was made; `anew` where its statistics start again. */
  final void chose(boolean anew) {
    chosen = true;
    if (anew) {
      counter = 0;
    }
  }

  /** Begins a step: answers its number, from 1, since statistics started. */
  final long begin() {
    chosen = false;
    counter++;
    return counter;
  }

  @Override
  Map<String, Double> scalars() {
    Map<String, Double> scalars = new LinkedHashMap<>();
    scalars.put("counter", (double) counter);
    scalars.put("chosen", chosen ? 1.0 : 0.0);
    return scalars;
  }

  @Override
  void restore(Map<String, Double> scalars) {
    counter = scalars.get("counter").longValue();
    chosen = scalars.get("chosen") != 0;
  }
}
