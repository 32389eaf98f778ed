package org.fettle;

import java.util.Objects;
import org.fettle.internal.BlockFormat;

/**
 * A block-wise format for the states of a plan: codes of 8 or 4 bits with one float per block. A
 * step decodes a block, updates the parameter from the unrounded new states, and encodes them with
 * the new largest magnitude of the block.
 *
 * <p>States that cannot be negative (second moments) have maps of their own. Tensors below the
 * threshold keep F32 states, as the sources have it.
 *
 * @param kind the maps and how blocks are scaled
 * @param blockSize elements of a block, a power of two of 1 to 4,096; every row of a rule that
 *     reduces by rows starts its blocks anew
 * @param threshold elements below which a tensor keeps F32 states, at least 0
 */
public record StateFormat(Kind kind, int blockSize, long threshold) {
  private static final long THRESHOLD = 4096;

  /** Maps and scaling. */
  public enum Kind {
    /** Equal steps: code * largest / 127; second moments (code + 1) * largest / 256. */
    LINEAR8(BlockFormat.LINEAR8, BlockFormat.LINEAR8_POSITIVE, false),
    /**
     * bitsandbytes' dynamic maps. As there, a rule with a single state keeps it in the signed map.
     */
    DYNAMIC8(BlockFormat.DYNAMIC8, BlockFormat.DYNAMIC8_POSITIVE, false),
    /** The same maps with pytorch/ao's scaling; needs whole blocks. */
    TORCHAO8(BlockFormat.TORCHAO8, BlockFormat.TORCHAO8_POSITIVE, true),
    /** pytorch/ao's 4-bit maps; needs whole blocks. */
    TORCHAO4(BlockFormat.TORCHAO4, BlockFormat.TORCHAO4_POSITIVE, true),
    /** E4M3 with a float scale per block, as pytorch/ao has it; needs whole blocks. */
    FP8(BlockFormat.BLOCK_E4M3, BlockFormat.BLOCK_E4M3, true);

    private final BlockFormat signed;
    private final BlockFormat positive;
    private final boolean wholeBlocks;

    Kind(BlockFormat signed, BlockFormat positive, boolean wholeBlocks) {
      this.signed = signed;
      this.positive = positive;
      this.wholeBlocks = wholeBlocks;
    }
  }

  /** Checks the block size and the threshold. */
  public StateFormat {
    Objects.requireNonNull(kind, "kind");
    boolean power = blockSize >= 1 && blockSize <= 4096 && Integer.bitCount(blockSize) == 1;
    Range.check("blockSize", blockSize, power, "a power of two of 1 to 4096");
    Range.check("threshold", threshold, threshold >= 0, ">= 0");
    if (kind == Kind.TORCHAO4) {
      Range.check("blockSize", blockSize, blockSize >= 2, "at least 2 for codes of 4 bits");
    }
  }

  /** 8-bit, equal steps, blocks of 256. */
  public static StateFormat linear8() {
    return new StateFormat(Kind.LINEAR8, 256, THRESHOLD);
  }

  /** 8-bit, the dynamic maps of bitsandbytes, blocks of 256. */
  public static StateFormat dynamic8() {
    return new StateFormat(Kind.DYNAMIC8, 256, THRESHOLD);
  }

  /** 8-bit as in pytorch/ao, blocks of 256. */
  public static StateFormat torchao8() {
    return new StateFormat(Kind.TORCHAO8, 256, THRESHOLD);
  }

  /** 4-bit as in pytorch/ao, blocks of 128. */
  public static StateFormat torchao4() {
    return new StateFormat(Kind.TORCHAO4, 128, THRESHOLD);
  }

  /** FP8 (E4M3) as in pytorch/ao, blocks of 256. */
  public static StateFormat fp8() {
    return new StateFormat(Kind.FP8, 256, THRESHOLD);
  }

  /** This, with another block size. */
  public StateFormat withBlockSize(int newBlockSize) {
    return new StateFormat(kind, newBlockSize, threshold);
  }

  /** This, with another threshold. */
  public StateFormat withThreshold(long newThreshold) {
    return new StateFormat(kind, blockSize, newThreshold);
  }

  /** Whether the states of a tensor of so many elements are stored so. */
  boolean fits(long elements) {
    return elements >= threshold && !(kind.wholeBlocks && elements % blockSize != 0);
  }

  /** How a state of a rule is stored. */
  BlockFormat of(Rule rule, int state) {
    boolean single = kind == Kind.DYNAMIC8 && rule.states().size() == 1;
    return of(rule.isNonNegative(state) && !single);
  }

  /** How a state is stored that may be negative, or not. */
  BlockFormat of(boolean nonNegative) {
    return nonNegative ? kind.positive : kind.signed;
  }
}
