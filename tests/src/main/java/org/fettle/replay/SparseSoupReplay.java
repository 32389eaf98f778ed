package org.fettle.replay;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import org.fettle.DType;
import org.fettle.Hyper;
import org.fettle.Tensor;
import org.fettle.merge.SparseSoup;
import org.fettle.sparsity.Masks;

/** Averages of sparse models. */
final class SparseSoupReplay implements MethodReplay {
  @Override
  public Set<String> methods() {
    return Set.of("soup-average");
  }

  @Override
  public void replay(GoldenCase golden, Workbench bench, Outputs outputs) {
    Hyper hyper = golden.hyper();
    Values particles = golden.array("particles");
    int count = (int) hyper.number("particles");
    if (particles.shape()[0] != count) {
      throw new IllegalArgumentException(
          "particles has " + particles.shape()[0] + " rows: expected " + count);
    }
    List<Tensor> models = new ArrayList<>();
    for (int k = 0; k < count; k++) {
      models.add(bench.tensor(particles.floats(k), particles.stepShape()));
    }
    Tensor mask = bench.mask(golden.array("mask").doubles(), particles.stepShape());
    Tensor out = bench.tensor(DType.F32, particles.stepShape());
    SparseSoup.average(
        bench.backend(),
        models,
        golden.array("coeff").doubles(),
        Collections.nCopies(count, mask),
        out);
    outputs.add("average", bench.floats(out));
    Tensor next = bench.tensor(DType.BIT, particles.stepShape());
    SparseSoup.prune(bench.backend(), hyper.number("prune_fraction"), out, mask, next);
    outputs.add("mask_next", bench.bits(next));
    Masks.on(bench.backend()).apply(next, out, out);
    outputs.add("average_masked", bench.floats(out));
  }
}
