package org.fettle.device;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** What of the device kit can be tried without a device and without building it. */
class DeviceKitTest {
  private static final Path KIT = Path.of("..", "device-kit");

  @Test
  void everyClassThatTheScriptRunsIsThere() throws Exception {
    Matcher names =
        Pattern.compile("org\\.fettle\\.[a-z.]+\\.[A-Z]\\w+")
            .matcher(Files.readString(KIT.resolve("run.sh")));
    Set<String> found = new TreeSet<>();
    while (names.find()) {
      found.add(names.group());
    }
    assertTrue(found.contains("org.fettle.device.DeviceSuite"));
    for (String name : found) {
      assertNotNull(Class.forName(name, false, getClass().getClassLoader()));
    }
  }

  @Test
  void aPartThatIsNotThereIsRefused() throws Exception {
    assertEquals(2, run("--parts", "no-such-part"));
    assertEquals(2, run("--host", "--parts", "sanitizer"));
    assertEquals(2, run("--help"));
  }

  private static int run(String... arguments) throws Exception {
    String[] command = new String[arguments.length + 2];
    command[0] = "sh";
    command[1] = KIT.resolve("run.sh").toString();
    System.arraycopy(arguments, 0, command, 2, arguments.length);
    Process process =
        new ProcessBuilder(command)
            .redirectErrorStream(true)
            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .start();
    assertTrue(process.waitFor(60, TimeUnit.SECONDS));
    return process.exitValue();
  }
}
