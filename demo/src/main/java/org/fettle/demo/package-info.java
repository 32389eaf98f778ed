/**
 * {@code ./fettle demo}: trains a small network in several ways. {@link org.fettle.demo.Rows} is
 * where to add one.
 */
package org.fettle.demo;
