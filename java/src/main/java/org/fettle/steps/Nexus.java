package org.fettle.steps;

import java.util.ArrayList;
import java.util.List;
import org.fettle.Backend;
import org.fettle.Parameter;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.Batch;
import org.fettle.internal.BatchRunner;
import org.fettle.internal.Primitive;

/**
 * The inner loop of Nexus: walks along normalised gradients, one batch per source, and hands the
 * way that it went to any outer optimizer as its gradient.
 *
 * <pre>
 * inner step: f = 1 / (|g| + 1e-12) ;  x = x - gamma * f * g ;  q = q + f * g     (norm over all tensors)
 * finish:     x = where it began ;  q = (start - end) / gamma
 * </pre>
 *
 * <p>q is added up as the walk goes and not taken from x, which would lose digits. Source:
 * arXiv:2604.09258, abstract only; the rule and its scale are ours.
 */
public final class Nexus extends StepObject {
  private static final double EPS = 1e-12;

  private final double innerLr;
  private final int count;
  private final List<Tensor> ways = new ArrayList<>();
  private final BatchRunner saves;
  private final BatchRunner norms;
  private final BatchRunner moves;
  private final BatchRunner restores;
  private final BatchRunner clears;
  private boolean walking;

  /**
   * A walk of these parameters.
   *
   * @param innerLr gamma, the length of an inner step, finite and at least 0
   */
  public Nexus(Backend backend, double innerLr, List<Parameter> parameters) {
    super(backend);
    Range.nonNegative("innerLr", innerLr);
    this.innerLr = innerLr;
    count = parameters.size();
    check(parameters).done();
    List<Batch.Item> save = new ArrayList<>();
    List<Batch.Item> norm = new ArrayList<>();
    List<Batch.Item> move = new ArrayList<>();
    List<Batch.Item> restore = new ArrayList<>();
    List<Batch.Item> clear = new ArrayList<>();
    for (Parameter parameter : parameters) {
      Tensor p = parameter.value();
      Tensor g = parameter.gradient();
      Tensor start = allocate(p.shape());
      Tensor way = allocate(p.shape());
      ways.add(way);
      save.add(Batch.Item.of(Primitive.SCALE, p, start));
      norm.add(Batch.Item.of(Primitive.SQUARE_SUM, g));
      move.add(Batch.Item.of(Primitive.ADD_SCALED, p, g, p));
      move.add(Batch.Item.of(Primitive.ADD_SCALED, way, g, way));
      restore.add(Batch.Item.of(Primitive.SCALE, start, p));
      clear.add(Batch.Item.of(Primitive.SCALE, way, way));
    }
    saves = open(save);
    norms = open(norm);
    moves = open(move);
    restores = open(restore);
    clears = open(clear);
  }

  /** One inner step along the gradients as they are; the first one notes where the walk begins. */
  public void innerStep() {
    enter();
    try {
      if (!walking) {
        factors(saves, count, 1);
        saves.run();
        factors(clears, count, 0);
        clears.run();
        walking = true;
      }
      norms.run();
      double factor = 1.0 / (Math.sqrt(total(norms, count, 0)) + EPS);
      for (int i = 0; i < count; i++) {
        moves.factor(2 * i, 0, -innerLr * factor);
        moves.factor(2 * i + 1, 0, factor);
      }
      moves.run();
    } finally {
      leave();
    }
  }

  /**
   * Brings the parameters back to where the walk began. {@link #pseudoGradient} is then what the
   * outer optimizer takes.
   *
   * @throws IllegalStateException if no inner step was made
   */
  public void finish() {
    enter();
    try {
      if (!walking) {
        throw new IllegalStateException("no walk: expected innerStep() first");
      }
      factors(restores, count, 1);
      restores.run();
      walking = false;
    } finally {
      leave();
    }
  }

  /** The way q of a tensor: a view that lives as long as this. */
  public Tensor pseudoGradient(int tensor) {
    return open(ways.get(tensor));
  }
}
