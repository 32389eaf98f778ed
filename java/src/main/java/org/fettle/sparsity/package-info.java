/**
 * Sparse pruning: selection, masks, formats and products. Masks, indices, counts and formats are
 * exact and the same on every backend; of equal keys the lowest index goes first.
 */
package org.fettle.sparsity;
