/** Fettle on DJL's arrays in host memory, without a copy. */
package org.fettle.djl;
