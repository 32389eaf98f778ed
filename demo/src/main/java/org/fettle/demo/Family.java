package org.fettle.demo;

import java.util.Locale;

/** What the rows of a group have in common; each has its own charts. */
enum Family {
  OPTIMIZERS(
      "Optimizers",
      "Different rules, and the weights in f32 or in nothing but bf16. Where there are more rows"
          + " than colours, a variant has its rule's colour and is dashed."),
  STATES(
      "States in few bits",
      "AdamW remembers two numbers for each weight, 8 bytes. Here they are stored in blocks of 8 or 4"
          + " bits, or not at all."),
  QUANTIZED(
      "Quantized training",
      "The network computes with weights of 8, 4, 2 bits or 1 bit. With ECO there is no"
          + " f32 copy of them anywhere; each of its rows has a twin that keeps one."),
  SPARSE(
      "Sparse training",
      "Most weights are 0 at the end: chosen while training, in repeated runs, in groups of four or"
          + " eight, or as whole units."),
  STEPS(
      "Other ways to step",
      "Steps that need products of matrices, second derivatives, sums over everything, or no schedule"
          + " of the learning rate."),
  AVERAGES(
      "Averages and soups",
      "AdamW again; what is tested is a mean of weights along the way, or of several runs.");

  private final String title;
  private final String about;

  Family(String title, String about) {
    this.title = title;
    this.about = about;
  }

  /** A word for elements of the page. */
  String id() {
    return name().toLowerCase(Locale.ROOT);
  }

  String title() {
    return title;
  }

  String about() {
    return about;
  }
}
