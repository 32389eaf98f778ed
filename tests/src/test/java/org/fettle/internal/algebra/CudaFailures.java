package org.fettle.internal.algebra;

import java.util.function.Supplier;
import org.fettle.Backend;
import org.fettle.internal.Access;

/** Says what products and factorisations on CUDA answer: a program for a JVM of its own. */
final class CudaFailures {
  private CudaFailures() {}

  public static void main(String[] arguments) {
    if (arguments.length > 0) {
      say("preset", () -> CudaHandles.Preset.MISSING);
      return;
    }
    Matrix a = Matrix.diagonal(3, 4);
    say("small", () -> "" + products().multiply(a, a).trace());
    System.setProperty(CudaHandles.LEAST_PROPERTY, "1");
    say("open", () -> CudaFailures.products() == null ? "none" : "opened");
    say("product", () -> "" + products().multiply(a, a).get(0, 0));
    say("eigen", () -> "" + products().algebra().eigen(a).values()[0]);
    say("singular", () -> "" + products().algebra().singular(a).values()[0]);
    say("orthogonal", () -> "" + products().algebra().orthogonal(a).rows);
    say("solve", () -> "" + products().algebra().solve(a, a).get(0, 0));
    say("cholesky", () -> "" + products().algebra().cholesky(a).get(0, 0));
  }

  private static Products products() {
    return Products.of(Access.engine(Backend.named(System.getProperty("device", "cuda"))));
  }

  private static void say(String name, Supplier<String> call) {
    String said;
    try {
      said = call.get();
    } catch (IllegalStateException | OutOfMemoryError e) {
      said = e.getClass().getSimpleName() + " " + e.getMessage();
    }
    System.out.println(name + ": " + said);
  }
}
