package org.fettle.misuse;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/**
 * The public methods that a test calls wrongly, as {@code Class.method(Parameter, Parameter)} with
 * simple names; {@code Class.new(...)} is a constructor. {@link EveryPublicMethodTest} compares
 * them with the methods that there are.
 */
@Retention(RetentionPolicy.RUNTIME)
@Target(ElementType.METHOD)
@interface Misuses {
  /** The methods. */
  String[] value();
}
