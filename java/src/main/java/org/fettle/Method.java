package org.fettle;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/**
 * What the method table says of a rule. The record that carries it has a static factory {@code
 * fromHyper(String method, Hyper hyper)}.
 */
@Retention(RetentionPolicy.RUNTIME)
@Target(ElementType.TYPE)
public @interface Method {
  /** The names under which golden vectors and {@link Rules#of} know the rule. */
  String[] names();

  /** The formula, in the notation of the rule's Javadoc. */
  String formula();

  /** The paper or repository that the rule follows. */
  String source();

  /** What differs from other libraries, or an empty string. */
  String differs() default "";
}
