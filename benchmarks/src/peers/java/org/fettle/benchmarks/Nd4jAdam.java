package org.fettle.benchmarks;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.javacpp.FloatPointer;
import org.fettle.Plan;
import org.fettle.rules.AdamW;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.api.ops.impl.updaters.AdamUpdater;
import org.nd4j.linalg.factory.Nd4j;

/**
 * ND4J's Adam in f32, the nearest that it has to AdamW: its updater and a subtraction, on the
 * arrays and states of Fettle's plan. It does less than AdamW, as there is no weight decay.
 * Its natives are loaded by the first case that needs them, so that they disturb no other.
 */
public final class Nd4jAdam implements Peer {
  @Override
  public List<Contestant> contestants(Workload workload, Arrays arrays, Plan plan, int threads) {
    if (!workload.isPlainAdamW()) {
      return List.of();
    }
    Nd4j.getEnvironment().setMaxThreads(threads);
    Nd4j.getEnvironment().setMaxMasterThreads(threads);
    return List.of(new Updater(workload, arrays, plan, threads));
  }

  private static final class Updater implements Contestant {
    private final int threads;
    private final List<INDArray> values = new ArrayList<>();
    private final List<INDArray> updates = new ArrayList<>();
    private final List<AdamUpdater> operations = new ArrayList<>();

    Updater(Workload workload, Arrays arrays, Plan plan, int threads) {
      this.threads = threads;
      AdamW rule = (AdamW) workload.rule();
      for (int i = 0; i < workload.tensors(); i++) {
        long elements = workload.elements();
        INDArray gradient = view(arrays.parameter(i).gradient().address(), elements);
        INDArray first = view(plan.state(i, "m").address(), elements);
        INDArray second = view(plan.state(i, "v").address(), elements);
        INDArray update = Nd4j.createUninitialized(DataType.FLOAT, elements);
        values.add(view(arrays.parameter(i).value().address(), elements));
        updates.add(update);
        operations.add(
            new AdamUpdater(
                gradient,
                second,
                first,
                update,
                second,
                first,
                rule.lr(),
                rule.beta1(),
                rule.beta2(),
                rule.eps(),
                1));
      }
    }

    private static INDArray view(long address, long elements) {
      FloatPointer pointer = new FloatPointer(new Arrays.At(address));
      pointer.capacity(elements).limit(elements);
      return Nd4j.create(Nd4j.createBuffer(pointer, elements, DataType.FLOAT), elements);
    }

    @Override
    public String name() {
      return "nd4j";
    }

    @Override
    public void step() {
      for (int i = 0; i < values.size(); i++) {
        Nd4j.exec(operations.get(i));
        values.get(i).subi(updates.get(i));
      }
    }

    @Override
    public boolean spinsAfterwards() {
      return threads > 1;
    }
  }
}
