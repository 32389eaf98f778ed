package org.fettle.faults;

import java.util.ArrayList;
import java.util.List;
import org.fettle.samebits.SameBitsProbe;

/** A JVM of its own, whose class path starts with the classes that hold a fault. */
final class FaultRun {
  /** The exit status where the same-bits suite saw a difference. */
  static final int CAUGHT = 3;

  /** The exit status where it saw none. */
  static final int MISSED = 0;

  private FaultRun() {}

  /** Runs cases of the same-bits suite until one differs. */
  public static void main(String[] arguments) {
    String difference = SameBitsProbe.firstDifference(Integer.parseInt(arguments[0]));
    System.out.println(difference == null ? "no difference" : difference);
    System.exit(difference == null ? MISSED : CAUGHT);
  }

  /** The command of such a JVM. */
  static List<String> command(String classPath, int arrays) {
    List<String> command = new ArrayList<>();
    command.add(System.getProperty("java.home") + "/bin/java");
    String cache = System.getProperty("org.bytedeco.javacpp.cachedir");
    if (cache != null) {
      command.add("-Dorg.bytedeco.javacpp.cachedir=" + cache);
    }
    if (Runtime.version().feature() >= 22) {
      command.add("--enable-native-access=ALL-UNNAMED");
    }
    command.addAll(
        List.of("-Xmx1g", "-cp", classPath, FaultRun.class.getName(), String.valueOf(arrays)));
    return command;
  }
}
