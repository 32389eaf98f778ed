/** Fettle on the arrays of ND4J, without a copy. */
package org.fettle.nd4j;
