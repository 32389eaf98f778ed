package org.fettle.examples.distributed;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.CRC32C;
import org.bytedeco.javacpp.FloatPointer;
import org.fettle.DType;
import org.fettle.Parameter;
import org.fettle.Plan;
import org.fettle.Rule;
import org.fettle.Tensor;
import org.fettle.distributed.Compression;
import org.fettle.distributed.ShardLayout;
import org.fettle.rules.AdamW;
import org.fettle.rules.Sgd;

/**
 * One run of one process: ZeRO-1. Every process has all parameters, and the states of its own
 * shards only. The model computes on the host; from the gradient on everything stays where the
 * group sends from.
 */
final class Training implements AutoCloseable {
  private static final long SEED = 7;

  private final Group group;
  private final Settings settings;
  private final Model model;
  private final Checkpoints checkpoints;
  private final ShardLayout layout;
  private final Tensor flat;
  private final Tensor gradient;
  private final Tensor hostGradient;
  private final Tensor own;
  private final Exchange exchange;
  private final List<Tensor> means = new ArrayList<>();
  private final List<Plan> plans = new ArrayList<>();
  private int firstStep;

  Training(Group group, Settings settings, Model model, Compression compression) {
    this.group = group;
    this.settings = settings;
    this.model = model;
    checkpoints = new Checkpoints(settings.folder().resolve(compression.name()));
    layout = ShardLayout.of(settings.workers(), model.sizes());
    flat = group.tensor(DType.F32, layout.elements());
    gradient = group.tensor(DType.F32, layout.elements());
    hostGradient = group.toHost(gradient);
    own = group.tensor(DType.F32, layout.shardElements() * settings.workersHere());
    Tensor start = group.toHost(flat);
    model.initialise(start.buffer().asFloatBuffer(), SEED);
    group.fromHost(start, flat);
    Tensor ownStart = group.toHost(own);
    Tensor part = layout.shards(start, settings.firstWorker(), settings.workersHere());
    ownStart.buffer().put(part.buffer());
    group.fromHost(ownStart, own);
    exchange = new Exchange(group, settings, layout, compression);
    // A vote has no size: its step is the learning rate.
    Rule rule =
        compression == Compression.MAJORITY
            ? new Sgd().withLr(5e-4)
            : new AdamW().withLr(2e-3).withWeightDecay(0.01);
    ShardLayout here = ShardLayout.of(settings.workersHere());
    for (int i = 0; i < settings.workersHere(); i++) {
      Tensor values = here.shard(own, i);
      Tensor mean = group.tensor(DType.F32, layout.shardElements());
      means.add(mean);
      List<Parameter> parameters = new ArrayList<>();
      for (ShardLayout.Piece piece : layout.pieces(settings.firstWorker() + i)) {
        parameters.add(
            Parameter.of(layout.piece(values, piece), layout.piece(mean, piece))
                .named("tensor " + piece.tensor() + " from " + piece.first()));
      }
      plans.add(Plan.builder().backend(group.backend()).group(rule, parameters).threads(1).build());
    }
  }

  /** Trains; the checksum of the parameters. */
  long run() throws Group.Lost, IOException {
    firstStep = settings.resume() ? resume() : 0;
    for (int step = firstStep; step < settings.steps(); step++) {
      goWrong(step);
      double loss = step(step);
      if (group.rank() == 0) {
        System.out.println("step " + step + " loss " + loss);
      }
      if (settings.saveEvery() > 0 && (step + 1) % settings.saveEvery() == 0) {
        save(step + 1);
      }
    }
    CRC32C crc = new CRC32C();
    crc.update(group.toHost(flat).buffer());
    return crc.getValue();
  }

  /** Where the run began: 0, or the step that its checkpoint was complete before. */
  int firstStep() {
    return firstStep;
  }

  private double step(int step) throws Group.Lost {
    int images = settings.batch() / settings.workers();
    double loss = 0;
    FloatPointer parameters = new FloatPointer(group.toHost(flat).buffer().asFloatBuffer());
    FloatPointer gradients = new FloatPointer(hostGradient.buffer().asFloatBuffer());
    for (int i = 0; i < settings.workersHere(); i++) {
      int worker = settings.firstWorker() + i;
      int from = (step * settings.workers() + worker) * images;
      loss += model.gradient(parameters, gradients, from, images) / settings.workersHere();
      group.fromHost(hostGradient, gradient);
      exchange.send(i, gradient);
    }
    for (int i = 0; i < plans.size(); i++) {
      exchange.mean(i, means.get(i));
      plans.get(i).step();
    }
    group.gather(own, flat);
    return loss;
  }

  private void save(int step) throws Group.Lost, IOException {
    Path folder = checkpoints.step(step);
    ShardLayout here = ShardLayout.of(settings.workersHere());
    for (int i = 0; i < plans.size(); i++) {
      int shard = settings.firstWorker() + i;
      plans.get(i).save(folder.resolve("states-" + shard + ".safetensors"));
      Checkpoints.write(folder.resolve("values-" + shard), group.toHost(here.shard(own, i)));
      Checkpoints.write(folder.resolve("error-" + shard), group.toHost(exchange.error(i)));
    }
    group.barrier();
    if (group.rank() == 0) {
      checkpoints.complete(step);
    }
  }

  /** Files are by shard and worker, so the number of processes may be another one. */
  private int resume() throws Group.Lost, IOException {
    int step = checkpoints.latest();
    if (step == 0) {
      return 0;
    }
    Path folder = checkpoints.step(step);
    ShardLayout here = ShardLayout.of(settings.workersHere());
    for (int i = 0; i < plans.size(); i++) {
      int shard = settings.firstWorker() + i;
      plans.get(i).load(folder.resolve("states-" + shard + ".safetensors"));
      read(folder.resolve("values-" + shard), here.shard(own, i));
      read(folder.resolve("error-" + shard), exchange.error(i));
    }
    group.gather(own, flat);
    return step;
  }

  private void read(Path file, Tensor tensor) throws IOException {
    Tensor host = group.toHost(tensor);
    Checkpoints.read(file, host);
    group.fromHost(host, tensor);
  }

  private void goWrong(int step) {
    Settings.Fault fault = settings.fault();
    if (fault == null || fault.rank() != group.rank() || fault.step() != step) {
      return;
    }
    System.out.println("rank " + group.rank() + ": " + fault.kind() + " in step " + step);
    switch (fault.kind()) {
      case WAIT -> {
        try {
          Thread.sleep(10 * Meeting.TIMEOUT);
        } catch (InterruptedException e) {
          Thread.currentThread().interrupt();
        }
      }
      case THROW -> throw new IllegalStateException("a fault in step " + step);
      case HALT -> Runtime.getRuntime().halt(9);
    }
  }

  @Override
  public void close() {
    plans.forEach(Plan::close);
    exchange.close();
  }
}
