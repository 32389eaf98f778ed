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
 * shards only.
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
  private final Tensor own;
  private final Exchange exchange;
  private final List<Tensor> means = new ArrayList<>();
  private final List<Plan> plans = new ArrayList<>();

  Training(Group group, Settings settings, Model model, Compression compression) {
    this.group = group;
    this.settings = settings;
    this.model = model;
    checkpoints = new Checkpoints(settings.folder().resolve(compression.name()));
    layout = ShardLayout.of(settings.workers(), model.sizes());
    flat = Group.tensor(DType.F32, layout.elements());
    gradient = Group.tensor(DType.F32, layout.elements());
    own = Group.tensor(DType.F32, layout.shardElements() * settings.workersHere());
    model.initialise(flat.buffer().asFloatBuffer(), SEED);
    own.buffer().put(layout.shards(flat, settings.firstWorker(), settings.workersHere()).buffer());
    exchange = new Exchange(group, settings, layout, compression);
    // A vote has no size: its step is the learning rate.
    Rule rule =
        compression == Compression.MAJORITY
            ? new Sgd().withLr(5e-4)
            : new AdamW().withLr(2e-3).withWeightDecay(0.01);
    ShardLayout here = ShardLayout.of(settings.workersHere());
    for (int i = 0; i < settings.workersHere(); i++) {
      Tensor values = here.shard(own, i);
      Tensor mean = Group.tensor(DType.F32, layout.shardElements());
      means.add(mean);
      List<Parameter> parameters = new ArrayList<>();
      for (ShardLayout.Piece piece : layout.pieces(settings.firstWorker() + i)) {
        parameters.add(
            Parameter.of(layout.piece(values, piece), layout.piece(mean, piece))
                .named("tensor " + piece.tensor() + " from " + piece.first()));
      }
      plans.add(Plan.builder().group(rule, parameters).threads(1).build());
    }
  }

  /** Trains; the checksum of the parameters. */
  long run() throws Group.Lost, IOException {
    int first = settings.resume() ? resume() : 0;
    for (int step = first; step < settings.steps(); step++) {
      if (settings.rank() == settings.waitRank() && step == settings.waitAt()) {
        waitToBeKilled(step);
      }
      double loss = step(step);
      if (group.rank() == 0) {
        System.out.println("step " + step + " loss " + loss);
      }
      if (settings.saveEvery() > 0 && (step + 1) % settings.saveEvery() == 0) {
        save(step + 1);
      }
    }
    CRC32C crc = new CRC32C();
    crc.update(flat.buffer());
    return crc.getValue();
  }

  private double step(int step) throws Group.Lost {
    int images = settings.batch() / settings.workers();
    double loss = 0;
    FloatPointer parameters = new FloatPointer(flat.buffer().asFloatBuffer());
    FloatPointer gradients = new FloatPointer(gradient.buffer().asFloatBuffer());
    for (int i = 0; i < settings.workersHere(); i++) {
      int worker = settings.firstWorker() + i;
      int from = (step * settings.workers() + worker) * images;
      loss += model.gradient(parameters, gradients, from, images) / settings.workersHere();
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
      Checkpoints.write(folder.resolve("values-" + shard), here.shard(own, i));
      Checkpoints.write(folder.resolve("error-" + shard), exchange.error(i));
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
      Checkpoints.read(folder.resolve("values-" + shard), here.shard(own, i));
      Checkpoints.read(folder.resolve("error-" + shard), exchange.error(i));
    }
    group.gather(own, flat);
    if (group.rank() == 0) {
      System.out.println("resumed at step " + step);
    }
    return step;
  }

  private void waitToBeKilled(int step) {
    System.out.println("rank " + group.rank() + " waits in step " + step);
    try {
      // Longer than anyone waits.
      Thread.sleep(600_000);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public void close() {
    plans.forEach(Plan::close);
  }
}
