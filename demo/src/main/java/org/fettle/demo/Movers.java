package org.fettle.demo;

import java.util.ArrayList;
import java.util.List;
import org.fettle.DType;
import org.fettle.Tensor;
import org.fettle.page.Markup;
import org.fettle.pruning.SrSte;
import org.fettle.recipes.EcoWeights;
import org.fettle.steps.Adafactor;
import org.fettle.steps.AdafactorOptions;
import org.fettle.steps.Dhspg;
import org.fettle.steps.DhspgOptions;
import org.fettle.steps.Frugal;
import org.fettle.steps.FrugalOptions;
import org.fettle.steps.Muon;
import org.fettle.steps.MuonOptions;
import org.fettle.steps.Prodigy;
import org.fettle.steps.ProdigyOptions;
import org.fettle.steps.Soap;
import org.fettle.steps.SoapOptions;

/** Steps of the library that are no plans. */
final class Movers {
  private Movers() {}

  /** Muon on the hidden layers. */
  static Mover.Kind muon(MuonOptions options) {
    return new Mover.Kind(
        options.toString(),
        Place::isHiddenWeight,
        (context, places) -> {
          Muon muon = new Muon(context.backend(), options, Mover.parameters(places));
          return Mover.of(muon, muon::stateBytes, factor -> muon.step(options.lr() * factor));
        });
  }

  /** SOAP on all weights. */
  static Mover.Kind soap(SoapOptions options) {
    return new Mover.Kind(
        options.toString(),
        Place::isWeight,
        (context, places) -> {
          Soap soap = new Soap(context.backend(), options, Mover.parameters(places));
          return Mover.of(soap, soap::stateBytes, factor -> soap.step(options.lr() * factor));
        });
  }

  /** Adafactor on everything. */
  static Mover.Kind adafactor(AdafactorOptions options) {
    return new Mover.Kind(
        options.toString(),
        place -> true,
        (context, places) -> {
          Adafactor adafactor = new Adafactor(context.backend(), options, Mover.parameters(places));
          double lr = options.lr().orElseThrow();
          return Mover.of(adafactor, adafactor::stateBytes, factor -> adafactor.step(lr * factor));
        });
  }

  /** Prodigy on everything: it finds one step size for the network. */
  static Mover.Kind prodigy(ProdigyOptions options) {
    return new Mover.Kind(
        options.toString(),
        place -> true,
        (context, places) -> {
          Prodigy prodigy = new Prodigy(context.backend(), options, Mover.parameters(places));
          return Mover.of(prodigy, prodigy::stateBytes, prodigy::step);
        });
  }

  /** FRUGAL on the weights, by columns. */
  static Mover.Kind frugal(FrugalOptions options) {
    return new Mover.Kind(
        options.toString(),
        Place::isWeight,
        (context, places) -> {
          List<Frugal> steps = new ArrayList<>();
          for (Place place : places) {
            steps.add(
                new Frugal(
                    context.backend(),
                    options,
                    Frugal.Choice.COLUMNS,
                    context.seed() + place.number(),
                    Mover.parameters(List.of(place)).get(0)));
          }
          return Mover.of(
              () -> steps.forEach(Frugal::close),
              () -> steps.stream().mapToLong(Frugal::stateBytes).sum(),
              factor -> steps.forEach(step -> step.step(options.lr() * factor)));
        });
  }

  /**
   * DHSPG on the units of the hidden layers.
   *
   * @param lr learning rate
   * @param decay weight decay
   * @param start where units are chosen, as a share of the training
   * @param sparsity the share of units that goes
   * @param lambda the penalty of a unit that is to go
   */
  static Mover.Kind dhspg(double lr, double decay, double start, double sparsity, double lambda) {
    return new Mover.Kind(
        Markup.format(
            "Dhspg[AdamW, lr=%s, weightDecay=%s, start=%s, sparsity=%s, lambda=%s]",
            lr, decay, start, sparsity, lambda),
        Place::isHiddenWeight,
        (context, places) -> {
          DhspgOptions options =
              DhspgOptions.of(
                      DhspgOptions.Variant.ADAMW,
                      lr,
                      (int) (start * context.clock().steps()),
                      sparsity)
                  .withWeightDecay(decay)
                  .withPenalty(lambda, 2, 10);
          Dhspg dhspg = new Dhspg(context.backend(), options, Mover.parameters(places));
          return Mover.of(dhspg, dhspg::stateBytes, factor -> dhspg.step(lr * factor));
        });
  }

  /** ECO: weights of 8 or 4 bits and nothing else. */
  static Mover.Kind eco(EcoWeights.Format format, double lr, double decay) {
    return new Mover.Kind(
        Markup.format("EcoWeights[%s, Adam, lr=%s, weightDecay=%s, stochastic]", format, lr, decay),
        format + " alone",
        Place::isWeight,
        (context, places) -> new Eco(context, places, format, lr, decay));
  }

  /** The weights of all layers. */
  private static final class Eco implements Mover {
    private final List<Place> places;
    private final List<EcoWeights> weights = new ArrayList<>();
    private final double lr;

    Eco(Context context, List<Place> places, EcoWeights.Format format, double lr, double decay) {
      this.places = places;
      this.lr = lr;
      for (Place place : places) {
        EcoWeights.Options options =
            new EcoWeights.Options(
                EcoWeights.Optimizer.ADAM,
                0.9,
                0.999,
                1e-8,
                decay,
                true,
                true,
                context.seed(),
                place.number());
        EcoWeights weight = new EcoWeights(context.backend(), place.view(), format, options);
        weight.decode(place.view());
        weights.add(weight);
      }
    }

    @Override
    public void step(double factor) {
      for (int i = 0; i < weights.size(); i++) {
        weights.get(i).step(places.get(i).gradient(), lr * factor, null);
        weights.get(i).decode(places.get(i).view());
      }
    }

    @Override
    public long stateBytes() {
      return weights.stream()
          .mapToLong(weight -> weight.momentum().bytes() + weight.secondMoment().bytes())
          .sum();
    }

    @Override
    public double trainingBits() {
      double bits = 0;
      double elements = 0;
      for (int i = 0; i < weights.size(); i++) {
        bits += 8.0 * (weights.get(i).codes().bytes() + weights.get(i).scales().bytes());
        elements += places.get(i).view().elements();
      }
      return bits / elements;
    }

    @Override
    public void close() {
      weights.forEach(EcoWeights::close);
    }
  }

  /** SR-STE: dense weights, of which the network sees N of M. */
  static Mover.Kind srSte(SrSte method) {
    return new Mover.Kind(
        method.toString(),
        "f32, " + method.pattern().n() + ":" + method.pattern().m(),
        place -> place.isWeight() && place.view().shape()[1] % method.pattern().m() == 0,
        (context, places) -> new Sparse(context, places, method));
  }

  /** The weights of all layers. */
  private static final class Sparse implements Mover {
    private final Context context;
    private final SrSte method;
    private final List<One> weights = new ArrayList<>();

    private record One(Place place, Tensor dense, Tensor momentum, Tensor mask) {}

    Sparse(Context context, List<Place> places, SrSte method) {
      this.context = context;
      this.method = method;
      for (Place place : places) {
        long[] shape = place.view().shape();
        One one =
            new One(
                place,
                QuantizedCopy.copy(place.view()),
                Tensor.allocate(DType.F32, shape),
                Tensor.allocate(DType.BIT, shape));
        weights.add(one);
        method.forward(context.backend(), one.dense(), one.mask(), place.view());
      }
    }

    @Override
    public void step(double factor) {
      for (One one : weights) {
        method.step(
            context.backend(),
            one.dense(),
            one.place().gradient(),
            one.momentum(),
            one.mask(),
            method.lr() * factor);
        method.forward(context.backend(), one.dense(), one.mask(), one.place().view());
      }
    }

    @Override
    public long stateBytes() {
      return weights.stream().mapToLong(one -> one.momentum().bytes()).sum();
    }

    @Override
    public double trainingBits() {
      return Float.SIZE + 1;
    }

    @Override
    public double modelBits() {
      return Float.SIZE;
    }

    @Override
    public void close() {}
  }
}
