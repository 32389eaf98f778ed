/**
 * Fettle: fused optimizer steps for other frameworks' tensors.
 *
 * <p>A {@link org.fettle.Plan} is built once for a list of parameters, each a {@link
 * org.fettle.Tensor} view of the caller's memory, and a {@link org.fettle.Rule}; every {@link
 * org.fettle.Plan#step()} then updates all of them in one crossing of memory, with the same bits on
 * every {@link org.fettle.Backend}.
 */
package org.fettle;
