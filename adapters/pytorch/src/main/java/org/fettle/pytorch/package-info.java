/** Fettle on the tensors of the JavaCPP PyTorch preset, without a copy. */
package org.fettle.pytorch;
