package org.fettle.replay;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.fettle.Hyper;
import org.fettle.pruning.CubicSchedule;
import org.fettle.pruning.ErdosRenyi;

/** How much is pruned, and where: schedules and densities. */
final class SparsityScheduleReplay implements MethodReplay {
  @Override
  public Set<String> methods() {
    return Set.of("cubic-schedule", "erk");
  }

  @Override
  public void replay(GoldenCase golden, Workbench bench, Outputs outputs) {
    Hyper hyper = golden.hyper();
    if (golden.method().equals("erk")) {
      ErdosRenyi densities = new ErdosRenyi(hyper.number("power"), hyper.flag("include_kernel"));
      outputs.add(
          "density", densities.densities(shapes(golden.array("shapes")), hyper.number("sparsity")));
      return;
    }
    CubicSchedule schedule =
        new CubicSchedule(
            hyper.number("s_initial"),
            hyper.number("s_final"),
            (long) hyper.number("t0"),
            (long) hyper.number("n"),
            (long) hyper.number("delta_t"));
    for (double step : golden.array("step").doubles()) {
      outputs.add("sparsity", schedule.sparsityAt((long) step));
      outputs.add("is_update_step", schedule.isUpdate((long) step) ? 1 : 0);
    }
  }

  /** Rows of extents, padded with zeros. */
  private static List<long[]> shapes(Values rows) {
    int axes = (int) rows.shape()[1];
    List<long[]> shapes = new ArrayList<>();
    for (int at = 0; at < rows.length(); at += axes) {
      shapes.add(
          Arrays.stream(rows.doubles(), at, at + axes)
              .mapToLong(extent -> (long) extent)
              .filter(extent -> extent > 0)
              .toArray());
    }
    return shapes;
  }
}
