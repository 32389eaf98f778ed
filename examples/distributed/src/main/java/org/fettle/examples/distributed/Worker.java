package org.fettle.examples.distributed;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.fettle.demo.Dataset;
import org.fettle.distributed.Compression;

/** One process of a run. Started by {@link Launcher}, by hand, or by a scheduler. */
public final class Worker {
  /** The exit status of a process that lost another one. */
  static final int LOST = 3;

  private Worker() {}

  /** Trains, or measures, and prints. */
  public static void main(String[] arguments) throws IOException {
    List<String> given = List.of(arguments);
    Settings settings = Settings.parse(given);
    try (Meeting meeting = Meeting.open(settings.store(), settings.rank(), settings.processes())) {
      run(meeting, given).forEach(System.out::println);
    } catch (Group.Lost e) {
      System.out.println("rank " + settings.rank() + " lost another process: " + e.getMessage());
      System.out.flush();
      // The collective's threads may still wait for it.
      Runtime.getRuntime().halt(LOST);
    }
  }

  /**
   * Trains, or measures.
   *
   * @param arguments {@code --name value} pairs
   * @return a line for each training run: what was sent, the rank, where it began, a checksum of
   *     the parameters
   * @throws Group.Lost if another process is gone; the rest of this one's work is not done
   */
  public static List<String> run(Meeting meeting, List<String> arguments)
      throws IOException, Group.Lost {
    Settings settings = Settings.parse(arguments);
    List<String> results = new ArrayList<>();
    try (Group group = join(meeting, settings)) {
      Model model = settings.measure() > 0 ? null : new Model(Dataset.read(settings.data()));
      for (Compression compression : settings.compressions()) {
        if (model == null) {
          new Measurement(group, settings).run(compression);
          continue;
        }
        try (Training training = new Training(group, settings, model, compression)) {
          long sum = training.run();
          results.add(
              String.format(
                  "%s rank %d from step %d result %08x",
                  compression, settings.rank(), training.firstStep(), sum));
        }
      }
      group.barrier();
    }
    return results;
  }

  private static Group join(Meeting meeting, Settings settings) throws Group.Lost {
    return settings.device().equals("cpu")
        ? new GlooGroup(meeting, settings.rank(), settings.processes(), settings.listen())
        : new NcclGroup(meeting, settings.rank(), settings.processes(), settings.device());
  }
}
