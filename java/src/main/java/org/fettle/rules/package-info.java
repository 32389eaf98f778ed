/**
 * The optimizer rules: one record each, with its Java reference; the same rule stands in {@code
 * native/src/rules}.
 */
package org.fettle.rules;
