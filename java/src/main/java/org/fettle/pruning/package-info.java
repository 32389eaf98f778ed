/**
 * Pruning: schedules, methods that train under a mask, and solvers that prune one layer at a time.
 */
package org.fettle.pruning;
