package org.fettle;

/**
 * A gradient held an infinity or a NaN, and the plan was built with {@link NonFinite#RAISE}.
 * Nothing was changed.
 */
public final class NonFiniteGradientException extends ArithmeticException {
  private static final long serialVersionUID = 1L;

  /** Makes one with its message. */
  public NonFiniteGradientException(String message) {
    super(message);
  }
}
