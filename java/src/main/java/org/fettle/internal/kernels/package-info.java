/** The Java twins of the native kernels, one class per family. Not part of the API. */
package org.fettle.internal.kernels;
