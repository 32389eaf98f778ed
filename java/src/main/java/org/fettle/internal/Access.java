package org.fettle.internal;

import java.util.Objects;
import org.fettle.Backend;
import org.fettle.StateFormat;

/** What the other packages of this library may know of a backend and its users may not. */
public final class Access {
  private static volatile Secrets secrets;

  private Access() {}

  /** Implemented by the backend's class, which hands it over when it is loaded. */
  public interface Secrets {
    /** What carries out the work. */
    Engine engine(Backend backend);

    /** Checks of a call on that backend. */
    CallChecks checks(Backend backend);

    /** The codes of a state of so many elements; null where it stays as floats. */
    BlockFormat blocks(StateFormat format, boolean nonNegative, long elements);
  }

  /** Called once, by the backend's class. */
  public static void set(Secrets newSecrets) {
    secrets = newSecrets;
  }

  /** What carries out the work. */
  public static Engine engine(Backend backend) {
    return secrets.engine(Objects.requireNonNull(backend, "backend"));
  }

  /** The codes of a state of so many elements; null where it stays as floats. */
  public static BlockFormat blocks(StateFormat format, boolean nonNegative, long elements) {
    return format == null ? null : secrets.blocks(format, nonNegative, elements);
  }

  /** Checks of a call on that backend. */
  public static CallChecks checks(Backend backend) {
    return secrets.checks(Objects.requireNonNull(backend, "backend"));
  }
}
