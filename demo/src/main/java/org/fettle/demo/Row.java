package org.fettle.demo;

import java.util.function.DoubleFunction;
import java.util.function.Supplier;
import org.fettle.Rule;

/**
 * One way to train the network: a line of the table, a curve of the page.
 *
 * @param name what {@code --rows} calls it; up to the first hyphen it names the family, which has
 *     one colour
 * @param about what is worth knowing, one sentence
 * @param rule makes the rule for a weight decay: the weights get {@code decay}, the biases 0
 * @param decay weight decay
 * @param format how the parameters are stored
 * @param recipe makes what else is done; one for each run
 */
record Row(
    String name,
    String about,
    DoubleFunction<Rule> rule,
    double decay,
    Format format,
    Supplier<Recipe> recipe) {

  /** Plain training in f32. */
  static Row of(String name, String about, double decay, DoubleFunction<Rule> rule) {
    return new Row(name, about, rule, decay, Format.f32(), () -> Recipe.PLAIN);
  }

  /** This, as a variant in another format. */
  Row in(Format newFormat, String suffix, String newAbout) {
    return new Row(name + suffix, newAbout, rule, decay, newFormat, recipe);
  }

  /** This, as a variant with a recipe. */
  Row with(Supplier<Recipe> newRecipe, String suffix, String newAbout) {
    return new Row(name + suffix, newAbout, rule, decay, format, newRecipe);
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
  String family() {
    return name.split("-", 2)[0];
  }
}
