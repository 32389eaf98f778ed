/**
 * The arithmetic of training on more than one machine: shards of the optimizer's states (ZeRO-1),
 * and gradients encoded for the wire and added in a fixed order. Sending is the caller's: any
 * library that can gather and exchange bytes.
 */
package org.fettle.distributed;
