package org.fettle.demo;

import java.io.Console;
import java.io.PrintWriter;
import java.lang.reflect.InvocationTargetException;
import java.util.Locale;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

/** Tells how far a row is. */
interface Progress {
  /** Nothing is told. */
  Progress QUIET = new Progress() {};

  /** A row starts. */
  default void start(String row, long steps) {}

  /** That many steps are done. */
  default void advance(long step, double loss) {}

  /** A row ends. */
  default void end(Result result) {}

  /** A bar on a terminal, else a line for each row. */
  static Progress on(PrintWriter out, int nameWidth, int rows) {
    return isTerminal() ? new Bar(out, nameWidth, rows) : new Lines(out, nameWidth, rows);
  }

  @SuppressWarnings("SystemConsoleNull") // both kinds of JDK are asked
  private static boolean isTerminal() {
    Console console = System.console();
    if (console == null) {
      return false;
    }
    try {
      // Since Java 22 there is always a console, and it can be asked.
      return (boolean) Console.class.getMethod("isTerminal").invoke(console);
    } catch (NoSuchMethodException e) {
      return true;
    } catch (IllegalAccessException | InvocationTargetException e) {
      return false;
    }
  }

  /** One line for each row when it is done. */
  class Lines implements Progress {
    private final PrintWriter out;
    private final int nameWidth;
    private final int rows;
    private int done;

    Lines(PrintWriter out, int nameWidth, int rows) {
      this.out = out;
      this.nameWidth = nameWidth;
      this.rows = rows;
    }

    @Override
    public void end(Result result) {
      out.printf(
          Locale.ROOT,
          "%2d/%d  %-" + nameWidth + "s  %.2f %%  %d steps in %.1f s, %.1f %% of it in the step%n",
          ++done,
          rows,
          result.row().name(),
          100 * result.finalAccuracy(),
          result.steps(),
          result.trainNanos() * 1e-9,
          100 * result.stepShare());
    }
  }

  /** A bar that gives way to the line when the row is done. */
  final class Bar extends Lines {
    private final int nameWidth;
    private ProgressBar bar;

    Bar(PrintWriter out, int nameWidth, int rows) {
      super(out, nameWidth, rows);
      this.nameWidth = nameWidth;
    }

    @Override
    public void start(String row, long steps) {
      bar =
          new ProgressBarBuilder()
              .setTaskName(String.format("%-" + nameWidth + "s", row))
              .setInitialMax(steps)
              .setStyle(ProgressBarStyle.COLORFUL_UNICODE_BLOCK)
              .setUpdateIntervalMillis(200)
              .clearDisplayOnFinish()
              .build();
    }

    @Override
    public void advance(long step, double loss) {
      bar.stepTo(step);
      bar.setExtraMessage(String.format(Locale.ROOT, " loss %.3f", loss));
    }

    @Override
    public void end(Result result) {
      bar.close();
      super.end(result);
    }
  }
}
