/** Fettle on TensorFlow Java's CPU tensors, without a copy. */
package org.fettle.tensorflow;
