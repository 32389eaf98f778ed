package org.fettle.internal;

/** A batch that is laid out: may be run any number of times, by one thread at a time. */
public interface BatchRunner extends AutoCloseable {
  /** Sets one of the factors of an item's primitive. They start at 0. */
  void factor(int item, int index, double value);

  /** Does all of it. */
  void run();

  /** A sum of an item, formed by the last run. */
  double sum(int item, int index);

  /** Frees the tables. */
  @Override
  void close();
}
