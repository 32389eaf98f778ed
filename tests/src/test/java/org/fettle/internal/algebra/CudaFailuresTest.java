package org.fettle.internal.algebra;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * A missing preset, missing libraries and failing calls are told by name, each in a JVM of its own.
 * What needs a device runs where the C++ tests' emulation of one has been built.
 */
class CudaFailuresTest {
  private static final Path EMULATION = Path.of("../target/cmake/test/emulated").toAbsolutePath();

  // Of its own, for the loader leaves links to the emulation there.
  private static final Path CACHE = Path.of("target/emulated-cache").toAbsolutePath();

  private String run(boolean preset, Map<String, String> environment, String... arguments)
      throws IOException, InterruptedException {
    String path =
        Arrays.stream(System.getProperty("java.class.path").split(File.pathSeparator))
            .filter(element -> preset || !element.contains("bytedeco" + File.separator + "cuda"))
            .collect(Collectors.joining(File.pathSeparator));
    ProcessBuilder builder =
        new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-XX:+IgnoreUnrecognizedVMOptions",
            "--enable-native-access=ALL-UNNAMED",
            "-Dorg.bytedeco.javacpp.cachedir=" + CACHE,
            // Before a toolkit's folder, which the preset looks into.
            "-Dorg.bytedeco.javacpp.platform.linkpath=" + EMULATION,
            "-Dfettle.cuda.library.path=" + EMULATION.resolve("libfettle_cuda.so"),
            "-Ddevice=" + environment.getOrDefault("DEVICE", "cuda"),
            "-cp",
            path,
            "org.fettle.internal.algebra.CudaFailures");
    builder.command().addAll(List.of(arguments));
    builder.environment().putAll(environment);
    Process process = builder.redirectErrorStream(true).start();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, process.waitFor(), said);
    return said;
  }

  private String emulated(boolean preset, String device, String failure) throws Exception {
    assumeTrue(
        Files.exists(EMULATION.resolve("libfettle_cuda.so"))
            && Files.exists(EMULATION.resolve("libcusolver.so.12")),
        "NOT RUN: no emulation in " + EMULATION);
    return run(
        preset,
        Map.of(
            "LD_LIBRARY_PATH",
            EMULATION.toString(),
            "DEVICE",
            device,
            "FETTLE_EMULATED_STATUS",
            failure));
  }

  @Test
  void withoutThePresetItIsSaidWhatToAdd() throws Exception {
    String said = run(false, Map.of(), "preset");
    assertTrue(said.contains("add org.bytedeco:cuda and its jar for this platform"), said);
    assertTrue(said.contains("NoClassDefFoundError"), said);
  }

  @Test
  void withoutThePresetStepsAreRefused() throws Exception {
    String said = emulated(false, "cuda", "");
    for (String call : List.of("open", "product", "eigen", "cholesky")) {
      String expected =
          call
              + ": IllegalStateException steps with matrix products on backend cuda need cuBLAS and"
              + " cuSOLVER: add org.bytedeco:cuda";
      assertTrue(said.contains(expected), said);
    }
  }

  @ParameterizedTest
  @CsvSource({"cuda", "cuda:1"})
  void withoutFailuresAllOfThemAnswer(String device) throws Exception {
    String said = emulated(true, device, "");
    for (String expected :
        List.of(
            "open: opened",
            "product: 16.0",
            "eigen: 4.0",
            "singular: 4.0",
            "orthogonal: 3",
            "solve: 1.0",
            "cholesky: 2.0")) {
      assertTrue(said.contains(expected), said);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "cudaGetDevice=100, open: IllegalStateException cudaGetDevice: CUDA error 100",
    "cublasCreate_v2=1, open: IllegalStateException cublasCreate: CUBLAS_STATUS_NOT_INITIALIZED",
    "cublasCreate_v2=3, open: OutOfMemoryError cublasCreate: CUBLAS_STATUS_ALLOC_FAILED",
    "cublasSetMathMode=7, open: IllegalStateException cublasSetMathMode: CUBLAS_STATUS_INVALID",
    "cusolverDnCreate=2, open: OutOfMemoryError cusolverDnCreate: CUSOLVER_STATUS_ALLOC_FAILED"
  })
  void whatCannotBeOpenedIsToldByName(String failure, String expected) throws Exception {
    String said = emulated(true, "cuda", failure);
    assertTrue(said.contains(expected), said);
  }

  /** Each of them by its name, and what is small needs no device. */
  @Test
  void failingCallsAreToldByName() throws Exception {
    String said =
        emulated(
            true,
            "cuda",
            "cublasDgemm_v2=13,cusolverDnDsyevd=7,cusolverDnDgesvd=6,cusolverDnDorgqr=3,"
                + "cusolverDnDpotrs=2,cusolverDnDpotrf_bufferSize=99");
    for (String expected :
        List.of(
            "small: 48.0",
            "open: opened",
            "product: IllegalStateException cublasDgemm: CUBLAS_STATUS_EXECUTION_FAILED",
            "eigen: IllegalStateException cusolverDnDsyevd: CUSOLVER_STATUS_INTERNAL_ERROR",
            "singular: IllegalStateException cusolverDnDgesvd: CUSOLVER_STATUS_EXECUTION_FAILED",
            "orthogonal: IllegalStateException cusolverDnDorgqr: CUSOLVER_STATUS_INVALID_VALUE",
            "solve: IllegalStateException cusolverDnDpotrf_bufferSize: status 99",
            "cholesky: IllegalStateException cusolverDnDpotrf_bufferSize: status 99")) {
      assertTrue(said.contains(expected), said);
    }
    said =
        emulated(
            true,
            "cuda",
            "cusolverDnDsyevd_bufferSize=7,cusolverDnDgesvd_bufferSize=6,cusolverDnDgeqrf=6,"
                + "cusolverDnDpotrs=2");
    for (String expected :
        List.of(
            "product: 16.0",
            "eigen: IllegalStateException cusolverDnDsyevd_bufferSize: CUSOLVER_STATUS_INTERNAL",
            "singular: IllegalStateException cusolverDnDgesvd_bufferSize: CUSOLVER_STATUS_EXECUT",
            "orthogonal: IllegalStateException cusolverDnDgeqrf: CUSOLVER_STATUS_EXECUTION_FAILED",
            "solve: OutOfMemoryError cusolverDnDpotrs: CUSOLVER_STATUS_ALLOC_FAILED",
            "cholesky: 2.0")) {
      assertTrue(said.contains(expected), said);
    }
  }
}
