package org.fettle.examples.distributed;

import java.io.IOException;
import org.fettle.demo.Dataset;
import org.fettle.distributed.Compression;

/** One process of a run. Started by {@link Launcher}, by hand, or by a scheduler. */
public final class Worker {
  /** The exit status of a process that lost another one. */
  static final int LOST = 3;

  /** Only loads libtorch. */
  static final String UNPACK = "--unpack";

  private Worker() {}

  /** Trains, or measures. */
  public static void main(String[] arguments) throws IOException {
    if (arguments.length == 1 && arguments[0].equals(UNPACK)) {
      Group.load();
      return;
    }
    Settings settings = Settings.parse(arguments);
    Group group = new Group(settings.store().toString(), settings.rank(), settings.processes());
    try {
      Model model = settings.measure() > 0 ? null : new Model(Dataset.read(settings.data()));
      for (Compression compression : settings.compressions()) {
        if (model == null) {
          new Measurement(group, settings).run(compression);
          continue;
        }
        try (Training training = new Training(group, settings, model, compression)) {
          long sum = training.run();
          System.out.printf("%s rank %d result %08x%n", compression, settings.rank(), sum);
        }
      }
      group.barrier();
    } catch (Group.Lost e) {
      System.out.println("rank " + settings.rank() + " lost another process: " + e.getMessage());
      System.out.flush();
      // Gloo's threads still wait for it.
      Runtime.getRuntime().halt(LOST);
    }
    group.close();
  }
}
