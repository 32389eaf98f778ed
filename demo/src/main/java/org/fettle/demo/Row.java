package org.fettle.demo;

import java.util.function.Consumer;
import java.util.function.DoubleFunction;
import java.util.function.Function;
import java.util.function.Supplier;
import org.fettle.Backend;
import org.fettle.PlanBuilder;
import org.fettle.Rule;

/**
 * One way to train the network: a line of the table, a curve of the page.
 *
 * @param name what {@code --rows} calls it
 * @param family what it is shown with
 * @param about what is worth knowing, one sentence
 * @param rule makes the plan's rule for a weight decay: the weights get {@code decay}, the biases 0
 * @param decay weight decay
 * @param format how the parameters are stored
 * @param recipe makes what else is done; one for each run
 * @param mover what updates parameters that are not the plan's, or null
 * @param products makes the network's products
 * @param sameBits whether every backend gives the same bits
 */
record Row(
    String name,
    Family family,
    String about,
    DoubleFunction<Rule> rule,
    double decay,
    Format format,
    Supplier<Recipe> recipe,
    Mover.Kind mover,
    Function<Backend, Products> products,
    boolean sameBits) {

  /** Plain training in f32. */
  static Row of(String name, String about, double decay, DoubleFunction<Rule> rule) {
    return new Row(
        name,
        Family.OPTIMIZERS,
        about,
        rule,
        decay,
        Format.f32(),
        () -> Recipe.PLAIN,
        null,
        backend -> Products.openBlas(),
        true);
  }

  /** This, under another name. */
  Row as(String newName, Family newFamily, String newAbout) {
    return new Row(
        newName, newFamily, newAbout, rule, decay, format, recipe, mover, products, sameBits);
  }

  /** This, in another family. */
  Row among(Family newFamily) {
    return as(name, newFamily, about);
  }

  /** This, in another format. */
  Row in(Format newFormat) {
    return new Row(name, family, about, rule, decay, newFormat, recipe, mover, products, sameBits);
  }

  /** This, with a recipe. */
  Row with(Supplier<Recipe> newRecipe) {
    return new Row(name, family, about, rule, decay, format, newRecipe, mover, products, sameBits);
  }

  /** This, with something that the plan has to know. */
  Row planned(Consumer<PlanBuilder> settings) {
    return with(
        () ->
            new Recipe() {
              @Override
              public void configure(PlanBuilder plan, Context context) {
                settings.accept(plan);
              }
            });
  }

  /** This, with some parameters updated by something else than the plan. */
  Row moved(Mover.Kind newMover) {
    return new Row(name, family, about, rule, decay, format, recipe, newMover, products, sameBits);
  }

  /** This, with other products in the network. */
  Row multiplied(Function<Backend, Products> newProducts) {
    return new Row(name, family, about, rule, decay, format, recipe, mover, newProducts, sameBits);
  }

  /** This, if its steps have matrix products, which each backend sums in an order of its own. */
  Row withinTolerance() {
    return new Row(name, family, about, rule, decay, format, recipe, mover, products, false);
  }

  /** How the weights are stored, in words. */
  String label() {
    return mover == null || mover.label() == null ? format.label() : mover.label();
  }

  /** The rule of the weights. */
  Rule weightRule() {
    return rule.apply(decay);
  }

  /** The rule of the biases, which do not decay. */
  Rule biasRule() {
    return rule.apply(0);
  }

  /** The part of the name that says which optimizer it is. */
  String stem() {
    return name.split("-", 2)[0];
  }
}
