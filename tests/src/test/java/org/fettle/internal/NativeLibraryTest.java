package org.fettle.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The CPU library as the class path offers it. */
class NativeLibraryTest {
  @Test
  void isLoadedFromTheClassPath() {
    assertNull(NativeLibrary.reason());
    assertTrue(NativeLibrary.isLoaded());
    assertTrue(Files.isRegularFile(Path.of(NativeLibrary.origin())), NativeLibrary.origin());
  }

  @Test
  void belongsToTheseClasses() {
    assertEquals(NativeLibrary.ABI_VERSION, Native.abiVersion());
    assertEquals(BuildInfo.nativeBuildId(), Native.buildId());
    assertEquals(BuildInfo.javacppVersion(), NativeLibrary.javacppRuntimeVersion());
  }

  @Test
  void tiersAreThoseOfTheCpu() throws IOException {
    List<String> tiers = NativeLibrary.tierNames();
    String flags = Files.readString(Path.of("/proc/cpuinfo"));
    assertTrue(tiers.contains("v2"));
    assertEquals(has(flags, "avx2", "fma", "f16c", "bmi1", "bmi2", "movbe"), tiers.contains("v3"));
    assertEquals(
        has(flags, "avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"),
        tiers.contains("v4"));
    assertEquals(has(flags, "avx512_vnni"), tiers.contains("avx512-vnni"));
  }

  @Test
  void everyStatusHasAText() {
    assertEquals("ok", Native.statusText(0));
    assertEquals("unknown status", Native.statusText(-1));
  }

  @Test
  void cudaIsOpenOrSaysWhyNot() {
    if (CudaLibrary.isOpen()) {
      assertNull(CudaLibrary.reason());
      assertFalse(CudaLibrary.devices().isEmpty());
      assertTrue(CudaLibrary.handle() != 0);
    } else {
      assertNotNull(CudaLibrary.reason());
      assertFalse(CudaLibrary.reason().isBlank());
    }
  }

  private static boolean has(String cpuinfo, String... flags) {
    for (String flag : flags) {
      if (!cpuinfo.contains(" " + flag)) {
        return false;
      }
    }
    return true;
  }
}
