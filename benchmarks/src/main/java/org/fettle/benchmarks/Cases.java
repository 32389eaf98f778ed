package org.fettle.benchmarks;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.fettle.Backend;
import org.fettle.Rule;
import org.fettle.benchmarks.Workload.Extra;
import org.fettle.benchmarks.Workload.Storage;
import org.fettle.rules.AdamW;

/** Everything that is measured. */
final class Cases {
  private static final long LARGE = 10_000_000;
  private static final List<String> BEST = List.of("cpu");

  /** A list of cases. */
  enum Selection {
    /** {@link #ofTable}. */
    TABLE,
    /** {@link #ofRatios}. */
    RATIOS,
    /** {@link #ofRules}. */
    RULES;

    List<Case> cases() {
      return switch (this) {
        case TABLE -> ofTable();
        case RATIOS -> ofRatios();
        case RULES -> ofRules();
      };
    }
  }

  private Cases() {}

  /** Every rule, and AdamW with states of few bits: {@code ./fettle bench --rules}. */
  static List<Case> ofRules() {
    List<Case> cases = new ArrayList<>();
    for (Rule rule : RuleCatalogue.all().values()) {
      cases.add(new Case(new Workload(rule, Storage.F32, Extra.NONE, LARGE, 1), 1, BEST, false));
    }
    for (int threads = 1; threads <= 2; threads++) {
      if (threads > 1) {
        cases.add(new Case(adamW(LARGE), threads, BEST, false));
      }
      for (Storage storage :
          new Storage[] {Storage.LINEAR8, Storage.DYNAMIC8, Storage.TORCHAO4, Storage.FP8}) {
        cases.add(new Case(adamW(storage, Extra.NONE), threads, BEST, false));
      }
    }
    return cases;
  }

  /** What the goals are about: {@code ./fettle bench --ratios}. */
  static List<Case> ofRatios() {
    List<Case> cases = new ArrayList<>();
    for (long elements : new long[] {1_000, 10_000, 1_000_000, LARGE, 100_000_000}) {
      cases.add(new Case(adamW(elements), 1, BEST, true));
    }
    cases.add(new Case(manySmall(), 1, BEST, true));
    for (long elements : new long[] {1_000_000, LARGE, 100_000_000}) {
      cases.add(new Case(adamW(elements), 2, BEST, true));
    }
    cases.add(new Case(adamW(Storage.BF16, Extra.NONE), 1, BEST, false));
    cases.add(new Case(adamW(Storage.BF16, Extra.NONE), 2, BEST, false));
    for (Extra extra : new Extra[] {Extra.MASK, Extra.EMA, Extra.COPY, Extra.CLIP}) {
      cases.add(new Case(adamW(Storage.F32, extra), 1, BEST, false));
    }
    for (Rule rule : RuleCatalogue.all().values()) {
      if (!rule.equals(new AdamW())) {
        cases.add(new Case(new Workload(rule, Storage.F32, Extra.NONE, LARGE, 1), 1, BEST, false));
      }
    }
    return cases;
  }

  /** The same and more, on every backend: {@code ./fettle bench}. */
  static List<Case> ofTable() {
    Map<String, Case> cases = new LinkedHashMap<>();
    for (Case one : ofRatios()) {
      boolean everyBackend = one.isAboutAdamW() && one.workload().total() <= LARGE;
      List<String> backends = everyBackend ? allBackends() : one.backends();
      cases.put(one.name(), new Case(one.workload(), one.threads(), backends, one.withPeers()));
    }
    List<Case> more =
        List.of(
            new Case(adamW(100_000), 1, allBackends(), true),
            new Case(adamW(100_000), 2, BEST, true),
            new Case(adamW(10_000), 2, BEST, true),
            new Case(manySmall(), 2, BEST, true),
            new Case(adamW(Storage.MIXED, Extra.NONE), 1, BEST, false),
            new Case(adamW(Storage.MIXED, Extra.COPY), 1, BEST, false),
            new Case(adamW(Storage.BF16, Extra.STOCHASTIC), 1, BEST, false),
            new Case(adamW(Storage.ALLBF16, Extra.STOCHASTIC), 1, BEST, false),
            new Case(adamW(Storage.F32, Extra.CLIP), 2, BEST, false));
    more.forEach(one -> cases.put(one.name(), one));
    return List.copyOf(cases.values());
  }

  /** The best native backend first, then the others that this machine has. */
  private static List<String> allBackends() {
    List<String> names = new ArrayList<>();
    names.add(Backend.named("cpu").name());
    for (String name : new String[] {"cpu-v4", "cpu-v3", "java"}) {
      boolean available =
          Backend.all().stream().anyMatch(b -> b.name().equals(name) && b.isAvailable());
      if (available && !names.contains(name)) {
        names.add(name);
      }
    }
    return names;
  }

  private static Workload adamW(long elements) {
    return new Workload(new AdamW(), Storage.F32, Extra.NONE, elements, 1);
  }

  private static Workload adamW(Storage storage, Extra extra) {
    return new Workload(new AdamW(), storage, extra, LARGE, 1);
  }

  private static Workload manySmall() {
    return new Workload(new AdamW(), Storage.F32, Extra.NONE, 1_000, 1_000);
  }
}
