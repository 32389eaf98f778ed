package org.fettle;

import java.util.List;
import java.util.Objects;
import org.fettle.internal.Access;
import org.fettle.internal.BlockFormat;
import org.fettle.internal.CallChecks;
import org.fettle.internal.Engine;
import org.fettle.internal.Engines;

/**
 * What carries out the steps: {@code java} (pure Java), {@code cpu} (native kernels) or {@code
 * cuda}. All give the same bits.
 *
 * <p>The property {@code fettle.backend} forces one by name ({@code java}, {@code cpu}, {@code
 * cpu-v3}, {@code cpu-v4}, {@code cuda}, {@code cuda:N}); a forced one that is missing makes {@link
 * #best} throw with the reason.
 */
public final class Backend {
  static {
    Access.set(
        new Access.Secrets() {
          @Override
          public Engine engine(Backend backend) {
            return backend.engine();
          }

          @Override
          public CallChecks checks(Backend backend) {
            return new BatchChecks(backend);
          }

          @Override
          public BlockFormat blocks(StateFormat format, boolean nonNegative, long elements) {
            return format.fits(elements) ? format.of(nonNegative) : null;
          }
        });
  }

  private final Engine engine;

  private Backend(Engine engine) {
    this.engine = engine;
  }

  /**
   * A backend and whether this machine has it.
   *
   * @param name the backend's name
   * @param reason why it is not available, or null if it is
   */
  public record Availability(String name, String reason) {
    /** Whether this machine has it. */
    public boolean isAvailable() {
      return reason == null;
    }
  }

  /**
   * The forced backend, or the best one for tensors on the CPU. Logs once, at level INFO, what was
   * chosen and why not a better one.
   *
   * @throws IllegalStateException if the property {@code fettle.backend} names one that is missing
   */
  public static Backend best() {
    return new Backend(Engines.best());
  }

  /**
   * The backend of that name.
   *
   * @throws IllegalArgumentException for a name that no backend has
   * @throws IllegalStateException if this machine does not have it; the message says why
   */
  public static Backend named(String name) {
    return new Backend(Engines.named(Objects.requireNonNull(name, "name")));
  }

  /** Every backend, with the reason where it is missing. */
  public static List<Availability> all() {
    return Engines.all();
  }

  /** The name, such as {@code cpu-v4}. */
  public String name() {
    return engine.name();
  }

  /** Where this backend's tensors are. */
  public Device device() {
    return engine.device();
  }

  @Override
  public String toString() {
    return name();
  }

  Engine engine() {
    return engine;
  }
}
