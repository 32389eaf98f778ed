/**
 * Measurements of Fettle's steps: against the memory ceiling, and against other libraries.
 *
 * <p>{@link org.fettle.benchmarks.Bench} is the command. Ratios are taken between contestants that
 * run interleaved, round by round, in one process and on the same memory; see {@link
 * org.fettle.benchmarks.Rounds}. The JMH benchmarks beside it measure one kernel at a time.
 */
package org.fettle.benchmarks;
