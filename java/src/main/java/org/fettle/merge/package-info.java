/**
 * Merging of trained models, tensor by tensor: soups, Model Stock, Fisher and gradient matching,
 * robust means. Sums over models run in double in the order of the models and are rounded once;
 * every backend gives the same bits. An output may be one of the models (the same {@link
 * org.fettle.Tensor} object), and nothing is written before everything is checked.
 */
package org.fettle.merge;
