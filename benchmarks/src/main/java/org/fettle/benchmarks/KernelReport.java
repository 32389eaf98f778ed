package org.fettle.benchmarks;

import java.util.List;

/**
 * A run over kernels besides steps, as JSON.
 *
 * @param machine where it was measured
 * @param command what was run
 * @param measured when, such as {@code 2026-11-27 06:00 UTC}
 * @param ceilings what the machine allowed then
 * @param results one per case
 */
record KernelReport(
    Machine machine,
    String command,
    String measured,
    Ceilings ceilings,
    List<KernelResult> results) {

  /** The table of a page of {@code docs/}. */
  String markdown() {
    String head = "Measured by `" + command + "` on " + machine + ".\n\n";
    return head + KernelResult.markdown(results);
  }
}
