package org.fettle.samebits;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import org.fettle.Rules;
import org.fettle.testkit.CoveringArray;
import org.fettle.testkit.Machine;
import org.fettle.testkit.RuleVariants;
import org.junit.jupiter.api.Test;

/**
 * The promise: the same bits on every backend. A covering array (every two choices of every two
 * factors meet; several arrays) over rules, formats, roundings, epilogues, clipping, policies,
 * sizes, misalignments, threads, plan shapes and inputs.
 *
 * <p>Properties: {@code fettle.samebits.seed} chooses other arrays and other inputs, {@code
 * fettle.samebits.arrays} how many; {@code fettle.samebits.case} repeats one case; {@code
 * fettle.samebits=full} runs the whole product of rule, formats, size, misalignment and threads,
 * the other factors at random (days: {@code fettle.samebits.part=K/N} takes every N-th case);
 * {@code fettle.samebits.largest} leaves out larger tensors.
 */
class SameBitsTest {
  private static final long SEED = Long.getLong("fettle.samebits.seed", 20_240_229);
  private static final int LARGEST =
      Integer.getInteger("fettle.samebits.largest", Integer.MAX_VALUE);
  private static final int ARRAYS = Integer.getInteger("fettle.samebits.arrays", 1);
  private static final int SHOWN = 5;

  @Test
  void everyRegisteredRuleHasAVariant() {
    Set<String> ids = new HashSet<>();
    RuleVariants.all().forEach(rule -> ids.add(rule.id()));
    assertEquals(new HashSet<>(Rules.ids()), ids);
  }

  @Test
  void everyBackendGivesTheSameBits() {
    assertTrue(Machine.backends().size() > 1, "there is nothing to compare java with");
    if ("full".equals(System.getProperty("fettle.samebits"))) {
      product();
      return;
    }
    Integer only = Integer.getInteger("fettle.samebits.case");
    List<String> failures = new ArrayList<>();
    int failed = 0;
    int ran = 0;
    long start = System.nanoTime();
    try (SameBitsRun run = new SameBitsRun(Machine.backends())) {
      for (int array = 0; array < (only == null ? ARRAYS : 1); array++) {
        long seed = SEED + array;
        List<int[]> rows = CoveringArray.rows(SameBitsCase.levels(), seed);
        for (int i = 0; i < rows.size(); i++) {
          SameBitsCase test = SameBitsCase.of(rows.get(i), seed + i);
          if ((only != null && i != only) || test.size() > LARGEST) {
            continue;
          }
          ran++;
          String difference = run.difference(test);
          if (difference != null && failed++ < SHOWN) {
            failures.add(report(seed, i, test, difference));
          }
        }
      }
    }
    Machine.say(
        "same bits",
        String.format(
            "%d cases in %d arrays, %d variants of %d rules, %d backends, seed %d, %.1f s",
            ran,
            only == null ? ARRAYS : 1,
            RuleVariants.all().size(),
            Rules.ids().size(),
            Machine.backends().size(),
            SEED,
            (System.nanoTime() - start) * 1e-9));
    assertTrue(ran > 0, "no case was run");
    if (failed > 0) {
      fail(failed + " cases differ; the first of them:\n" + String.join("\n", failures));
    }
  }

  /** Rule, formats, size, misalignment and threads in every combination. */
  private static void product() {
    String[] part = System.getProperty("fettle.samebits.part", "0/1").split("/");
    int[] levels = SameBitsCase.levels();
    int[] inFull = {0, 1, 2, 3, 4, 17, 18, 19, 20};
    long total = 1;
    for (int factor : inFull) {
      total *= levels[factor];
    }
    long cases = 0;
    try (SameBitsRun run = new SameBitsRun(Machine.backends())) {
      for (long i = Long.parseLong(part[0]); i < total; i += Long.parseLong(part[1])) {
        SplittableRandom random = new SplittableRandom(SEED + i);
        int[] row = new int[levels.length];
        for (int factor = 0; factor < row.length; factor++) {
          row[factor] = random.nextInt(levels[factor]);
        }
        long rest = i;
        for (int factor : inFull) {
          row[factor] = (int) (rest % levels[factor]);
          rest /= levels[factor];
        }
        SameBitsCase test = SameBitsCase.of(row, SEED + i);
        String difference = run.difference(test);
        if (difference != null) {
          fail("case " + i + " of " + total + ": " + test + "\n" + difference);
        }
        if (++cases % 100_000 == 0) {
          Machine.say("same bits", cases + " cases of the full product, at " + i + " of " + total);
        }
      }
    }
    Machine.say("same bits", cases + " cases of the full product");
  }

  private static String report(long seed, int number, SameBitsCase test, String difference) {
    return String.format(
        "%s%n  %s%n  again: -Dtest=SameBitsTest -Dfettle.samebits.seed=%d -Dfettle.samebits.case=%d",
        difference, test, seed, number);
  }
}
