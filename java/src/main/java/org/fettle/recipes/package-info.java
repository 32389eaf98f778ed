/**
 * Methods that are schedules over kernels: quantization-aware training, training without master
 * weights, compressed communication, allocation of bits.
 */
package org.fettle.recipes;
