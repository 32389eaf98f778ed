package org.fettle.demo;

import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.zip.CRC32C;
import org.fettle.GradientClip;
import org.fettle.Parameter;
import org.fettle.Plan;
import org.fettle.PlanBuilder;
import org.fettle.Step;
import org.fettle.Tensor;

/** The training of one row: same initial weights, same order of images for all. */
final class Run implements AutoCloseable {
  private static final int TEST_BATCH = 500;
  private static final int POINTS_PER_EPOCH = 10;

  private final Row row;
  private final Recipe recipe;
  private final Settings settings;
  private final Batches train;
  private final Batches test;
  private final Network network;
  private final List<Slot> slots = new ArrayList<>();
  private final Plan plan;
  private final double lr;
  private final Step step = new Step();
  private final long steps;
  private final long[] stepNanos;
  private int updates;
  private long stepsDone;
  private double loss;

  /**
   * A parameter.
   *
   * @param stored how it is stored
   * @param view what the network reads of it
   * @param parameter what the plan updates, with what the recipe hung onto it
   */
  private record Slot(Format.Stored stored, Tensor view, Parameter parameter) {}

  Run(Row row, Dataset data, Settings settings) {
    this.row = row;
    this.settings = settings;
    recipe = row.recipe().get();
    int batch = Math.min(settings.batch(), data.train().count());
    train = new Batches(data.train(), data.train(), batch, true);
    test = new Batches(data.test(), data.train(), Math.min(TEST_BATCH, data.test().count()), false);
    network = new Network(Math.max(train.size(), test.size()), widths(data, settings.hidden()));
    network.initialise(settings.seed());
    steps = (long) settings.epochs() * train.perEpoch();
    stepNanos = new long[Math.toIntExact(steps)];
    lr = row.weightRule().lr();

    List<Parameter> weights = new ArrayList<>();
    List<Parameter> biases = new ArrayList<>();
    for (Dense layer : network.layers()) {
      weights.add(store(layer.weight(), layer.weightGradient()));
      biases.add(store(layer.bias(), layer.biasGradient()));
    }
    slots.forEach(slot -> slot.stored().show());
    PlanBuilder builder =
        Plan.builder()
            .group(row.weightRule(), weights)
            .group(row.biasRule(), biases)
            .clip(GradientClip.byGlobalNorm(Settings.MAX_NORM))
            .backend(settings.backend())
            .threads(settings.threads())
            .seed(settings.seed());
    row.format().configure(builder);
    recipe.configure(builder);
    plan = builder.build();
  }

  private Parameter store(Tensor view, Tensor gradient) {
    Format.Stored stored = row.format().store(view, gradient);
    Parameter parameter = recipe.attach(stored.parameter(), view);
    slots.add(new Slot(stored, view, parameter));
    return parameter;
  }

  private static int[] widths(Dataset data, List<Integer> hidden) {
    List<Integer> widths = new ArrayList<>(hidden);
    widths.add(0, data.train().size());
    widths.add(data.classes().size());
    return widths.stream().mapToInt(Integer::intValue).toArray();
  }

  /** Trains from the first step to the last. */
  Result train(Progress progress) {
    List<Result.Point> losses = new ArrayList<>();
    List<Result.Point> accuracies = new ArrayList<>();
    int[] predictions = new int[test.images().count()];
    double testLoss = Double.NaN;
    long trainNanos = 0;
    double sum = 0;
    int summed = 0;
    progress.start(row.name(), steps);
    for (int epoch = 0; epoch < settings.epochs(); epoch++) {
      long start = System.nanoTime();
      train.shuffle(new SplitMix(settings.seed() * 31 + epoch + 1));
      for (int i = 0; i < train.perEpoch(); i++) {
        train.load(i);
        recipe.batch(this);
        stepsDone++;
        sum += loss;
        summed++;
        if ((i + 1) * POINTS_PER_EPOCH / train.perEpoch()
            > i * POINTS_PER_EPOCH / train.perEpoch()) {
          losses.add(new Result.Point((stepsDone - 0.5 * summed) / train.perEpoch(), sum / summed));
          progress.advance(stepsDone, losses.get(losses.size() - 1).value());
          sum = 0;
          summed = 0;
        }
      }
      trainNanos += System.nanoTime() - start;
      testLoss = test(predictions);
      accuracies.add(new Result.Point(epoch + 1, accuracy(predictions)));
    }
    long[] sorted = Arrays.copyOf(stepNanos, updates);
    Arrays.sort(sorted);
    Result result =
        new Result(
            row,
            row.weightRule().toString(),
            losses,
            accuracies,
            testLoss,
            network.parameters(),
            updates,
            Arrays.stream(sorted).sum(),
            sorted[updates / 2],
            trainNanos,
            plan.stateBytes(),
            storedBytes(),
            checksum(),
            predictions,
            values(slots.get(0).view()));
    progress.end(result);
    return result;
  }

  /** Forward and backward over the current mini-batch. */
  void gradient() {
    network.forward(train.inputs(), train.loaded());
    loss = network.loss(train.labels(), train.loaded());
    network.backward(train.loaded());
  }

  /** One step of the plan, by the gradients that are there. */
  void update() {
    slots.forEach(slot -> slot.stored().differentiate());
    step.lr(lr * Settings.schedule(stepsDone, steps));
    long start = System.nanoTime();
    plan.step(step);
    stepNanos[updates++] = System.nanoTime() - start;
    slots.forEach(slot -> slot.stored().show());
  }

  /** How many mini-batches are done. */
  long step() {
    return stepsDone;
  }

  /** How many mini-batches there are in all. */
  long steps() {
    return steps;
  }

  Network network() {
    return network;
  }

  Plan plan() {
    return plan;
  }

  @Override
  public void close() {
    plan.close();
  }

  /** Fills in the predictions for the test images. Returns their mean loss. */
  private double test(int[] predictions) {
    IdentityHashMap<Tensor, float[]> kept = new IdentityHashMap<>();
    for (Slot slot : slots) {
      Tensor tested = recipe.tested(slot.parameter());
      if (tested != null) {
        kept.put(slot.view(), values(slot.view()));
        slot.view().buffer().put(tested.buffer());
      }
    }
    double sum = 0;
    for (int i = 0; i < test.perEpoch(); i++) {
      test.load(i);
      float[] scores = network.forward(test.inputs(), test.loaded());
      sum += network.loss(test.labels(), test.loaded()) * test.loaded();
      for (int j = 0; j < test.loaded(); j++) {
        predictions[i * test.size() + j] =
            highest(scores, j * network.classes(), network.classes());
      }
    }
    kept.forEach((view, values) -> view.buffer().asFloatBuffer().put(values));
    return sum / predictions.length;
  }

  private double accuracy(int[] predictions) {
    int right = 0;
    for (int i = 0; i < predictions.length; i++) {
      right += predictions[i] == test.images().label(i) ? 1 : 0;
    }
    return (double) right / predictions.length;
  }

  private static int highest(float[] scores, int from, int n) {
    int highest = 0;
    for (int i = 1; i < n; i++) {
      if (scores[from + i] > scores[from + highest]) {
        highest = i;
      }
    }
    return highest;
  }

  private long storedBytes() {
    long bytes = 0;
    for (Slot slot : slots) {
      Parameter p = slot.parameter();
      for (Tensor tensor : new Tensor[] {p.value(), p.copy(), p.mask(), p.average()}) {
        bytes += tensor == null ? 0 : tensor.bytes();
      }
    }
    return bytes;
  }

  private int checksum() {
    CRC32C checksum = new CRC32C();
    slots.forEach(slot -> checksum.update(slot.parameter().value().buffer()));
    return (int) checksum.getValue();
  }

  private static float[] values(Tensor tensor) {
    FloatBuffer buffer = tensor.buffer().asFloatBuffer();
    float[] values = new float[buffer.remaining()];
    buffer.get(values);
    return values;
  }
}
