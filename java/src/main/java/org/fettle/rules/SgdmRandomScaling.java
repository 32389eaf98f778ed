package org.fettle.rules;

import static org.fettle.Arithmetic.fma;

import java.util.List;
import java.util.Locale;
import java.util.Objects;
import org.fettle.Hyper;
import org.fettle.Method;
import org.fettle.Range;
import org.fettle.Rule;
import org.fettle.Transcendental;
import org.fettle.internal.Philox;

/**
 * Momentum SGD whose step is scaled by one exponential random number, shared by all tensors and
 * elements.
 *
 * <pre>
 * O2NC: Delta = (Delta - lr * g) * beta / (1 + lr * mu) ;  p = p + s * Delta
 * WRAP: b = momentum * b + (1 - dampening) * g ;           p = p - (lr * s) * b
 * </pre>
 *
 * <p>The number s is the input {@code scale} of every step; {@link #draw} makes it. The stored
 * state is never scaled, and the dampening acts on the first gradient too. State: {@code delta} or
 * {@code momentum}. Source: arXiv:2405.09742; ZQZCalin/trainit.
 *
 * @param form which of the two forms
 * @param lr learning rate, finite and at least 0; default 1e-2
 * @param beta of O2NC, in [0, 1]; default 0.99
 * @param mu of O2NC, finite and at least 0; default 100
 * @param momentum of WRAP, in [0, 1); default 0.9
 * @param dampening of WRAP, in [0, 1]; default 0
 */
@Method(
    names = {"sgdm-random-scaling"},
    formula =
        "s ~ Exp(1); o2nc: D = (D - lr g) beta/(1 + lr mu); p += s D; wrap: b = momentum b + (1-dampening) g; p -= lr s b",
    source = "arXiv:2405.09742; ZQZCalin/trainit")
public record SgdmRandomScaling(
    Form form, double lr, double beta, double mu, double momentum, double dampening)
    implements Rule {
  /** The two forms. */
  public enum Form {
    /** The paper's algorithm as its first author wrote it. */
    O2NC,
    /** The same repository's wrapper, around momentum SGD. */
    WRAP
  }

  /** Checks the hyperparameters. */
  public SgdmRandomScaling {
    Objects.requireNonNull(form, "form");
    Range.nonNegative("lr", lr);
    Range.check("beta", beta, beta >= 0 && beta <= 1, "in [0, 1]");
    Range.nonNegative("mu", mu);
    Range.fraction("momentum", momentum);
    Range.check("dampening", dampening, dampening >= 0 && dampening <= 1, "in [0, 1]");
  }

  /** The defaults: O2NC. */
  public SgdmRandomScaling() {
    this(Form.O2NC, 1e-2, 0.99, 100, 0.9, 0);
  }

  /** Makes the rule from named options. */
  public static SgdmRandomScaling fromHyper(String method, Hyper hyper) {
    String word = hyper.word("form");
    if (!word.equals("o2nc") && !word.equals("wrap")) {
      throw new IllegalArgumentException("form is " + word + ": expected o2nc or wrap");
    }
    return new SgdmRandomScaling(
        Form.valueOf(word.toUpperCase(Locale.ROOT)),
        hyper.number("lr", 1e-2),
        hyper.number("beta", 0.99),
        hyper.number("mu", 100),
        hyper.number("momentum", 0.9),
        hyper.number("dampening", 0));
  }

  /**
   * The random number of a step: -ln(1 - u) with u uniform in [0, 1), from word 0 of the Philox
   * stream of the highest number.
   *
   * @param seed of the generator
   * @param step counted from 1
   */
  public static double draw(long seed, long step) {
    int[] words = new int[4];
    Philox.words(seed, 0, (int) step, -1, words, 0);
    return (float) -Transcendental.log(1.0 - (words[0] >>> 8) * 0x1p-24);
  }

  /** This, with another lr. */
  public SgdmRandomScaling withLr(double newLr) {
    return new SgdmRandomScaling(form, newLr, beta, mu, momentum, dampening);
  }

  /** This, in another form. */
  public SgdmRandomScaling withForm(Form newForm) {
    return new SgdmRandomScaling(newForm, lr, beta, mu, momentum, dampening);
  }

  /** This, with another beta. */
  public SgdmRandomScaling withBeta(double newBeta) {
    return new SgdmRandomScaling(form, lr, newBeta, mu, momentum, dampening);
  }

  /** This, with another mu. */
  public SgdmRandomScaling withMu(double newMu) {
    return new SgdmRandomScaling(form, lr, beta, newMu, momentum, dampening);
  }

  /** This, with another momentum. */
  public SgdmRandomScaling withMomentum(double newMomentum) {
    return new SgdmRandomScaling(form, lr, beta, mu, newMomentum, dampening);
  }

  /** This, with another dampening. */
  public SgdmRandomScaling withDampening(double newDampening) {
    return new SgdmRandomScaling(form, lr, beta, mu, momentum, newDampening);
  }

  @Override
  public String id() {
    return form == Form.O2NC ? "random_scaling_o2nc" : "random_scaling_wrap";
  }

  @Override
  public List<String> states() {
    return List.of(form == Form.O2NC ? "delta" : "momentum");
  }

  @Override
  public List<String> inputs() {
    return List.of("scale");
  }

  @Override
  public double[] hyper() {
    return form == Form.O2NC
        ? new double[] {lr, beta, mu, 0}
        : new double[] {lr, momentum, dampening, 0};
  }

  @Override
  public void coefficients(StepContext step, float[] c) {
    if (form == Form.O2NC) {
      c[0] = (float) -step.lr();
      c[1] = (float) (beta / (1.0 + step.lr() * mu));
      c[2] = (float) step.input(0);
    } else {
      c[0] = (float) momentum;
      c[1] = (float) (1.0 - dampening);
      c[2] = (float) -(step.lr() * step.input(0));
    }
  }

  @Override
  public void update(float[] c, int n, float[] p, float[] g, float[][] state) {
    final float[] kept = state[0];
    if (form == Form.O2NC) {
      for (int i = 0; i < n; i++) {
        kept[i] = fma(c[0], g[i], kept[i]) * c[1];
      }
    } else {
      Moments.average(kept, g, c[0], c[1], n);
    }
    for (int i = 0; i < n; i++) {
      p[i] = fma(c[2], kept[i], p[i]);
    }
  }
}
