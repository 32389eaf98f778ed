package org.fettle.misuse;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.function.Executable;

/** Expects a call to be refused with a message that says what was wrong. */
final class Refusal {
  private Refusal() {}

  /** An {@link IllegalArgumentException} whose message holds all of these words. */
  static void ofArgument(Executable call, String... words) {
    of(IllegalArgumentException.class, call, words);
  }

  /** An {@link IllegalStateException} whose message holds all of these words. */
  static void ofState(Executable call, String... words) {
    of(IllegalStateException.class, call, words);
  }

  /** A {@link NullPointerException}. */
  static void ofNull(Executable call) {
    assertThrows(NullPointerException.class, call);
  }

  /** An exception of exactly that class whose message holds all of these words. */
  static void of(Class<? extends Throwable> type, Executable call, String... words) {
    Throwable thrown = assertThrows(type, call);
    assertEquals(type, thrown.getClass(), thrown.toString());
    for (String word : words) {
      assertTrue(
          String.valueOf(thrown.getMessage()).contains(word),
          () -> "expected a message with '" + word + "', is: " + thrown.getMessage());
    }
  }
}
