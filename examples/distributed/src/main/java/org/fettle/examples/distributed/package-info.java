/**
 * Training in several processes: optimizer states in shards (ZeRO-1), gradients compressed on the
 * wire, over Gloo.
 */
package org.fettle.examples.distributed;
