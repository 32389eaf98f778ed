package org.fettle.demo;

import org.fettle.Backend;

/**
 * What the parts of a row are told.
 *
 * @param backend of everything that is Fettle's
 * @param threads of a step
 * @param seed of everything random
 * @param clock where the training is
 */
record Context(Backend backend, int threads, long seed, Clock clock) {}
