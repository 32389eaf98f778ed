/**
 * Averages of weights during training, for those that do not ride on a step ({@link
 * org.fettle.Parameter#withAverage}), and what moves, swaps or rebuilds them.
 */
package org.fettle.averages;
