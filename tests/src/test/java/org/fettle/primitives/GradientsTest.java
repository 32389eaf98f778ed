package org.fettle.primitives;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.fettle.Backend;
import org.fettle.Gradients;
import org.fettle.NonFinite;
import org.fettle.NonFiniteGradientException;
import org.fettle.Tensor;
import org.fettle.replay.GoldenCase;
import org.fettle.testkit.Machine;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Standalone gradient transforms: golden vectors where a plan replays them too, properties. */
class GradientsTest {
  static Stream<Backend> backends() {
    return Machine.hostBackends().stream();
  }

  private static GoldenCase golden(String name) throws IOException, URISyntaxException {
    String file = "/golden/optimizers/" + name + ".safetensors";
    return GoldenCase.read(Path.of(GradientsTest.class.getResource(file).toURI()));
  }

  private static Tensor tensor(GoldenCase golden, String name) {
    return Floats.tensor(golden.array(name).floats(), golden.array(name).shape());
  }

  private static void check(GoldenCase golden, String name, double... actual) {
    double[] expected = golden.array(name).doubles();
    double most = 0;
    for (double value : expected) {
      most = Double.isFinite(value) ? Math.max(most, Math.abs(value)) : most;
    }
    for (int i = 0; i < expected.length; i++) {
      if (Double.isFinite(expected[i])) {
        assertEquals(expected[i], actual[i], 2.5e-7 * most, name + " " + i);
      } else {
        assertEquals(expected[i], actual[i], name + " " + i);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("backends")
  void meetsTheVectors(Backend backend) throws Exception {
    Gradients gradients = Gradients.on(backend);
    GoldenCase unscale = golden("unscale-01");
    Tensor g = tensor(unscale, "grad");
    boolean found = gradients.unscale(unscale.hyper().number("scale"), List.of(g));
    check(unscale, "out", Floats.doubles(g));
    check(unscale, "found_inf", found ? 1 : 0);

    GoldenCase value = golden("clip-value-01");
    g = tensor(value, "grad");
    gradients.clipByValue(value.hyper().number("clip_value"), List.of(g));
    check(value, "out", Floats.doubles(g));

    GoldenCase single = golden("clip-tensor-norm-01");
    g = tensor(single, "grad");
    double maxNorm = single.hyper().number("max_norm");
    check(single, "norm", gradients.clipByTensorNorm(maxNorm, Gradients.Norm.TWO, List.of(g)));
    check(single, "out", Floats.doubles(g));

    for (String name : List.of("clip-global-norm-01", "clip-global-norm-02")) {
      GoldenCase global = golden(name);
      List<Tensor> both = List.of(tensor(global, "grad1"), tensor(global, "grad2"));
      maxNorm = global.hyper().number("max_norm");
      check(global, "norm", gradients.clipByGlobalNorm(maxNorm, Gradients.Norm.TWO, both));
      check(global, "out1", Floats.doubles(both.get(0)));
      check(global, "out2", Floats.doubles(both.get(1)));
    }
  }

  @ParameterizedTest
  @MethodSource("backends")
  void otherNorms(Backend backend) {
    Gradients gradients = Gradients.on(backend);
    List<Tensor> both = List.of(Floats.tensor(1f, -2f, 3f), Floats.tensor(-10f));
    assertEquals(16, gradients.norm(Gradients.Norm.ONE, both));
    assertEquals(10, gradients.norm(Gradients.Norm.INFINITY, both));
    assertArrayEquals(new double[] {6, 10}, gradients.norms(Gradients.Norm.ONE, both));
    assertEquals(10, gradients.clipByGlobalNorm(5, Gradients.Norm.INFINITY, both));
    assertEquals(-5f, Floats.of(both.get(1))[0], 1e-6f);
    assertEquals(1.5f, Floats.of(both.get(0))[2], 1e-6f);
    Tensor huge = Floats.tensor(Float.MAX_VALUE, -Float.MAX_VALUE);
    assertTrue(Double.isFinite(gradients.norm(Gradients.Norm.TWO, List.of(huge))));
  }

  @ParameterizedTest
  @MethodSource("backends")
  void whatNeedsNoClippingKeepsItsBits(Backend backend) {
    float[] values = {0f, -0f, Float.MIN_VALUE, -1f, 0.5f};
    Tensor g = Floats.tensor(values);
    Gradients gradients = Gradients.on(backend);
    gradients.clipByGlobalNorm(100, Gradients.Norm.TWO, List.of(g));
    gradients.clipByTensorNorm(100, Gradients.Norm.ONE, List.of(g));
    gradients.clipByValue(1, List.of(g));
    assertArrayEquals(Floats.bits(values), Floats.bits(Floats.of(g)));
    assertFalse(gradients.unscale(1, List.of(g)));
    assertArrayEquals(Floats.bits(values), Floats.bits(Floats.of(g)));
  }

  @ParameterizedTest
  @MethodSource("backends")
  void nonFiniteNorms(Backend backend) {
    float[] values = {1f, Float.POSITIVE_INFINITY, -2f};
    for (Gradients.Norm norm : Gradients.Norm.values()) {
      Tensor g = Floats.tensor(values);
      List<Tensor> list = List.of(g);
      Gradients skip = Gradients.on(backend).nonFinite(NonFinite.SKIP);
      assertEquals(Double.POSITIVE_INFINITY, skip.clipByGlobalNorm(1, norm, list));
      assertEquals(Double.POSITIVE_INFINITY, skip.clipByTensorNorm(1, norm, list)[0]);
      Gradients raise = skip.nonFinite(NonFinite.RAISE);
      assertThrows(NonFiniteGradientException.class, () -> raise.clipByGlobalNorm(1, norm, list));
      assertArrayEquals(values, Floats.of(g));
      Gradients.on(backend).clipByGlobalNorm(1, norm, list);
      assertArrayEquals(new float[] {0f, Float.NaN, -0f}, Floats.of(g));
      assertTrue(Double.isNaN(Gradients.on(backend).norm(norm, list)));
      Gradients.on(backend).clipByValue(1, list);
      assertTrue(Float.isNaN(Floats.of(g)[1]));
    }
  }

  @ParameterizedTest
  @MethodSource("backends")
  void unscaleFindsWhatOverflows(Backend backend) {
    Gradients gradients = Gradients.on(backend);
    assertTrue(gradients.unscale(0.5, List.of(Floats.tensor(Float.MAX_VALUE))));
    assertTrue(gradients.unscale(2, List.of(Floats.tensor(1f), Floats.tensor(Float.NaN))));
    assertFalse(gradients.unscale(2, List.of(Floats.tensor(Float.MAX_VALUE), Floats.tensor())));
  }

  @ParameterizedTest
  @MethodSource("backends")
  void perpendicularIsOrthogonalAndKeepsTheNorm(Backend backend) {
    SplittableRandom random = new SplittableRandom(3);
    float[] p = new float[5000];
    float[] g = new float[5000];
    for (int i = 0; i < p.length; i++) {
      p[i] = (float) random.nextDouble(-1, 1);
      g[i] = (float) random.nextDouble(-1, 1) + p[i];
    }
    Tensor out = Floats.tensor(new float[5000]);
    Gradients gradients = Gradients.on(backend);
    gradients.perpendicular(List.of(Floats.tensor(p)), List.of(Floats.tensor(g)), List.of(out));
    float[] o = Floats.of(out);
    double along = 0;
    double square = 0;
    double before = 0;
    double parameter = 0;
    for (int i = 0; i < p.length; i++) {
      along += (double) p[i] * o[i];
      square += (double) o[i] * o[i];
      before += (double) g[i] * g[i];
      parameter += (double) p[i] * p[i];
    }
    assertTrue(Math.abs(along) <= 1e-6 * Math.sqrt(square * parameter), "along " + along);
    assertEquals(Math.sqrt(before), Math.sqrt(square), 1e-6 * Math.sqrt(before));
    // In place gives the same; a zero parameter and a single element change nothing.
    Tensor same = Floats.tensor(g);
    gradients.perpendicular(List.of(Floats.tensor(p)), List.of(same), List.of(same));
    assertArrayEquals(o, Floats.of(same));
    Tensor one = Floats.tensor(0.3f);
    gradients.perpendicular(List.of(Floats.tensor(2f)), List.of(one), List.of(one));
    assertArrayEquals(new float[] {0.3f}, Floats.of(one));
    Tensor free = Floats.tensor(0.3f, -7f, 1e-3f);
    gradients.perpendicular(List.of(Floats.tensor(0f, 0f, 0f)), List.of(free), List.of(free));
    assertArrayEquals(new float[] {0.3f, -7f, 1e-3f}, Floats.of(free));
  }
}
