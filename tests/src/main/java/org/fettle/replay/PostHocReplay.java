package org.fettle.replay;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.fettle.DType;
import org.fettle.Hyper;
import org.fettle.Tensor;
import org.fettle.averages.PostHoc;
import org.fettle.averages.PowerProfile;
import org.fettle.merge.LinearCombination;

/** Averages that are rebuilt after training. */
final class PostHocReplay implements MethodReplay {
  @Override
  public Set<String> methods() {
    return Set.of("posthoc_ema");
  }

  @Override
  public void replay(GoldenCase golden, Workbench bench, Outputs outputs) {
    Hyper hyper = golden.hyper();
    List<PostHoc.Snapshot> stored = snapshots(hyper, "in");
    List<PostHoc.Snapshot> targets = snapshots(hyper, "out");
    Values values = golden.array("snapshots");
    List<Tensor> averages = new ArrayList<>();
    for (int k = 0; k < stored.size(); k++) {
      averages.add(bench.tensor(values.floats(k), values.stepShape()));
    }
    Tensor out = bench.tensor(DType.F32, values.stepShape());
    double[] table = new double[stored.size() * targets.size()];
    for (int m = 0; m < targets.size(); m++) {
      double[] coefficients = PostHoc.coefficients(stored, targets.get(m));
      for (int k = 0; k < coefficients.length; k++) {
        table[k * targets.size() + m] = coefficients[k];
      }
      LinearCombination.combine(bench.backend(), averages, coefficients, out);
      outputs.add("merged", bench.floats(out));
    }
    outputs.add("coef", table);
  }

  private static List<PostHoc.Snapshot> snapshots(Hyper hyper, String which) {
    double[] times = hyper.numbers(which + "_ofs");
    double[] deviations = hyper.numbers(which + "_std");
    List<PostHoc.Snapshot> snapshots = new ArrayList<>();
    for (int k = 0; k < times.length; k++) {
      snapshots.add(new PostHoc.Snapshot(times[k], new PowerProfile(deviations[k])));
    }
    return snapshots;
  }
}
