package org.fettle.demo;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.zip.CRC32C;
import org.fettle.Parameter;
import org.fettle.Plan;
import org.fettle.Tensor;

/** The training of one row: same initial weights, same order of images for all. */
final class Run implements AutoCloseable {
  private static final int TEST_BATCH = 500;
  private static final int POINTS_PER_EPOCH = 10;

  private final Row row;
  private final Recipe recipe;
  private final Settings settings;
  private final Batches train;
  private final Network network;
  private final Tester tester;
  private final List<Cycle> cycles;
  private final Clock clock;
  private final Context context;
  private final List<Slot> slots = new ArrayList<>();
  private final long[] stepNanos;
  private Updater updater;
  private double cycleRate;
  private int updates;
  private double loss;

  Run(Row row, Dataset data, Settings settings) {
    this.row = row;
    this.settings = settings;
    recipe = row.recipe().get();
    int batch = Math.min(settings.batch(), data.train().count());
    train = new Batches(data.train(), data.train(), batch, true);
    Batches test =
        new Batches(data.test(), data.train(), Math.min(TEST_BATCH, data.test().count()), false);
    network =
        new Network(
            row.products().apply(settings.backend()),
            Math.max(train.size(), test.size()),
            widths(data, settings.hidden()));
    network.initialise(settings.seed());
    tester = new Tester(test, network);
    cycles = recipe.cycles(settings.epochs());
    clock = new Clock((long) epochs() * train.perEpoch());
    context = new Context(settings.backend(), settings.threads(), settings.seed(), clock);
    stepNanos = new long[Math.toIntExact(clock.steps())];
    for (Place place : network.places()) {
      Format.Stored stored = row.format().store(place, context);
      boolean moved = row.mover() != null && row.mover().takes().test(place);
      slots.add(new Slot(place, stored, recipe.attach(stored.parameter(), place), moved));
    }
    clock.startCycle((long) cycles.get(0).epochs() * train.perEpoch());
    open();
    show();
  }

  private static int[] widths(Dataset data, List<Integer> hidden) {
    List<Integer> widths = new ArrayList<>(hidden);
    widths.add(0, data.train().size());
    widths.add(data.classes().size());
    return widths.stream().mapToInt(Integer::intValue).toArray();
  }

  private int epochs() {
    return cycles.stream().mapToInt(Cycle::epochs).sum();
  }

  private void open() {
    updater = new Updater(row, recipe, context, slots);
  }

  private void show() {
    for (Slot slot : slots) {
      if (!slot.moved()) {
        slot.stored().show();
      }
    }
  }

  /** Trains from the first step to the last. */
  Result train(Progress progress) {
    Curve losses = new Curve();
    List<Result.Point> accuracies = new ArrayList<>();
    long trainNanos = 0;
    double testLoss = Double.NaN;
    progress.start(row.name(), clock.steps());
    int epoch = 0;
    for (int cycle = 0; cycle < cycles.size(); cycle++) {
      int length = cycles.get(cycle).epochs();
      long start = System.nanoTime();
      clock.startCycle((long) length * train.perEpoch());
      cycleRate = cycles.get(cycle).rate();
      recipe.beginCycle(this, cycle);
      for (int i = 0; i < length; i++) {
        train.shuffle(new SplitMix(settings.seed() * 31 + epoch + 1));
        recipe.beginEpoch(this, epoch);
        epoch(losses, progress);
        if (i == length - 1) {
          recipe.endCycle(this, cycle);
        }
        trainNanos += System.nanoTime() - start;
        recipe.evaluating(this, true);
        testLoss = tester.test(recipe, slots);
        recipe.evaluating(this, false);
        accuracies.add(new Result.Point(++epoch, tester.accuracy()));
        start = System.nanoTime();
      }
    }
    long[] sorted = Arrays.copyOf(stepNanos, updates);
    Arrays.sort(sorted);
    Result result =
        new Result(
            row,
            method(),
            losses.points(),
            accuracies,
            testLoss,
            network.parameters(),
            updates,
            Arrays.stream(sorted).sum(),
            sorted[updates / 2],
            trainNanos,
            Footprint.of(row, recipe, updater, slots),
            checksum(),
            tester.predictions(),
            Tester.values(slots.get(0).view()));
    progress.end(result);
    return result;
  }

  /** What steps, with its hyperparameters. */
  private String method() {
    String rule = row.weightRule().toString();
    if (row.mover() == null) {
      return rule;
    }
    String mover = row.mover().method();
    return slots.stream().allMatch(Slot::moved) ? mover : mover + "; the rest " + rule;
  }

  /** The mean losses of tenths of an epoch. */
  private final class Curve {
    private final List<Result.Point> points = new ArrayList<>();
    private double sum;
    private int summed;

    void add(int batch, Progress progress) {
      sum += loss;
      summed++;
      if ((batch + 1) * POINTS_PER_EPOCH / train.perEpoch()
          > batch * POINTS_PER_EPOCH / train.perEpoch()) {
        points.add(
            new Result.Point((clock.step() - 0.5 * summed) / train.perEpoch(), sum / summed));
        progress.advance(clock.step(), sum / summed);
        sum = 0;
        summed = 0;
      }
    }

    List<Result.Point> points() {
      return points;
    }
  }

  private void epoch(Curve losses, Progress progress) {
    for (int i = 0; i < train.perEpoch(); i++) {
      train.load(i);
      clock.tick();
      loss = Double.NaN;
      recipe.batch(this);
      losses.add(i, progress);
    }
  }

  /** Forward and backward over the current mini-batch. */
  void gradient() {
    network.forward(train.inputs(), train.loaded());
    double mean = network.loss(train.labels(), train.loaded());
    // A second gradient of the same mini-batch is taken elsewhere than at the weights.
    loss = Double.isNaN(loss) ? mean : loss;
    network.backward(train.loaded());
  }

  /** One step, by the gradients that are there. */
  void update() {
    for (Slot slot : slots) {
      if (!slot.moved()) {
        slot.stored().differentiate();
      }
    }
    double rate = cycleRate * recipe.rate(clock);
    long start = System.nanoTime();
    updater.step(rate);
    recipe.stepped(this);
    stepNanos[updates++] = System.nanoTime() - start;
    show();
  }

  /** Forgets the optimizer's states and step counts. */
  void forget() {
    updater.close();
    open();
  }

  Context context() {
    return context;
  }

  Clock clock() {
    return clock;
  }

  Plan plan() {
    return updater.plan();
  }

  /** All parameters as they are updated, layer by layer. */
  List<Parameter> parameters() {
    return slots.stream().map(Slot::parameter).toList();
  }

  /** The values of {@link #parameters}. */
  List<Tensor> values() {
    return slots.stream().map(slot -> slot.parameter().value()).toList();
  }

  @Override
  public void close() {
    updater.close();
    slots.forEach(slot -> slot.stored().close());
    recipe.close();
  }

  private int checksum() {
    CRC32C checksum = new CRC32C();
    for (Slot slot : slots) {
      Tensor value = slot.moved() ? slot.view() : slot.parameter().value();
      checksum.update(value.buffer());
    }
    return (int) checksum.getValue();
  }
}
