package org.fettle.distributed;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.fettle.DType;
import org.fettle.Range;
import org.fettle.Tensor;

/**
 * How a model's tensors lie one behind the other in a flat buffer, and how that buffer is cut into
 * shards of one length (ZeRO-1, arXiv:1910.02054): whoever owns a shard keeps the states of its
 * elements, and no others.
 *
 * <p>Shards start at multiples of 4,096 elements, so that no block of a code and no byte of bits
 * belongs to two. The last shard ends in padding, which belongs to no tensor. An elementwise rule
 * gives the same bits on a shard as on the whole; a rule that needs a tensor's norm or rows does
 * not.
 */
public final class ShardLayout {
  /** Elements that a shard's length is a multiple of. */
  public static final long ALIGNMENT = 4096;

  private final long[] offsets;
  private final int shards;
  private final long shardElements;

  /**
   * What a shard has of a tensor.
   *
   * @param tensor the tensor's number
   * @param first the first of its elements
   * @param elements how many of them
   * @param offset where they start in the shard
   */
  public record Piece(int tensor, long first, long elements, long offset) {}

  private ShardLayout(long[] offsets, int shards) {
    this.offsets = offsets;
    this.shards = shards;
    long total = offsets[offsets.length - 1];
    long unit = Math.multiplyExact(ALIGNMENT, shards);
    shardElements = Math.multiplyExact(Math.addExact(total, unit - 1) / unit, ALIGNMENT);
    Math.multiplyExact(shardElements, shards);
  }

  /**
   * Lays out tensors.
   *
   * @param shards how many; at least 1
   * @param elements of each tensor, in order
   */
  public static ShardLayout of(int shards, long... elements) {
    Range.check("shards", shards, shards >= 1, ">= 1");
    long[] offsets = new long[elements.length + 1];
    for (int i = 0; i < elements.length; i++) {
      Range.check("elements of tensor " + i, elements[i], elements[i] >= 0, ">= 0");
      offsets[i + 1] = Math.addExact(offsets[i], elements[i]);
    }
    return new ShardLayout(offsets, shards);
  }

  /** The number of shards. */
  public int shards() {
    return shards;
  }

  /** The number of tensors. */
  public int tensors() {
    return offsets.length - 1;
  }

  /** Elements of a shard, with padding: the same for all. */
  public long shardElements() {
    return shardElements;
  }

  /** Elements of the flat buffer, with padding. */
  public long elements() {
    return shardElements * shards;
  }

  /** Where a tensor starts in the flat buffer. */
  public long offset(int tensor) {
    checkTensor(tensor);
    return offsets[tensor];
  }

  /** What a shard has of the tensors, in their order; empty for a shard of padding. */
  public List<Piece> pieces(int shard) {
    checkShard(shard);
    long start = shard * shardElements;
    long end = start + shardElements;
    List<Piece> pieces = new ArrayList<>();
    for (int i = 0; i < tensors(); i++) {
      long first = Math.max(start, offsets[i]);
      long last = Math.min(end, offsets[i + 1]);
      if (first < last) {
        pieces.add(new Piece(i, first - offsets[i], last - first, first - start));
      }
    }
    return pieces;
  }

  /** A tensor of the flat buffer, in its shape. */
  public Tensor tensor(Tensor flat, int tensor, long... shape) {
    checkTensor(tensor);
    checkFlat(flat);
    long elements = offsets[tensor + 1] - offsets[tensor];
    Tensor view = part(flat, offsets[tensor], elements, shape);
    if (view.elements() != elements) {
      throw new IllegalArgumentException(
          "tensor " + tensor + " as " + view + ": expected " + elements + " elements");
    }
    return view;
  }

  /**
   * A shard of the flat buffer, or of what encodes it: any tensor whose elements are shared out
   * evenly, such as codes, bits or the scales of blocks.
   */
  public Tensor shard(Tensor flat, int shard) {
    return shards(flat, shard, 1);
  }

  /** Some neighbouring shards of the flat buffer, or of what encodes it. */
  public Tensor shards(Tensor flat, int first, int count) {
    checkShard(first);
    Range.check("count", count, count >= 1 && count <= shards - first, "1 to " + (shards - first));
    Objects.requireNonNull(flat, "flat");
    long each = flat.elements() / shards;
    if (each * shards != flat.elements() || (flat.dtype() == DType.BIT && each % 8 != 0)) {
      throw new IllegalArgumentException(
          flat + " cannot be cut into " + shards + " equal shards of whole bytes");
    }
    return part(flat, first * each, count * each, count * each);
  }

  /** A piece's elements, in a tensor that has one shard. */
  public Tensor piece(Tensor shard, Piece piece) {
    Objects.requireNonNull(shard, "shard");
    if (shard.elements() != shardElements) {
      throw new IllegalArgumentException(
          "shard " + shard + ": expected " + shardElements + " elements");
    }
    return part(shard, piece.offset(), piece.elements(), piece.elements());
  }

  /** A part of a dense tensor; of bits, one that starts at a byte. */
  static Tensor part(Tensor whole, long first, long elements, long... shape) {
    boolean fits = first >= 0 && elements >= 0 && first <= whole.elements() - elements;
    if (!fits || (whole.dtype() == DType.BIT && first % 8 != 0)) {
      throw new IllegalArgumentException(
          elements
              + " elements from "
              + first
              + " on: expected a part of "
              + whole
              + (whole.dtype() == DType.BIT ? " that starts at a whole byte" : ""));
    }
    long start = whole.dtype().bytes(first);
    long bytes = whole.dtype().bytes(elements);
    if (whole.buffer() == null) {
      // The memory's own owner knows when it is freed; the view of one without must not lose it.
      Object owner = whole.owner() == null ? whole : whole.owner();
      return Tensor.ofAddress(
          whole.address() + start, bytes, owner, whole.device(), whole.dtype(), shape);
    }
    ByteBuffer buffer = whole.buffer();
    return Tensor.of(buffer.slice((int) start, (int) bytes), whole.dtype(), shape);
  }

  private void checkTensor(int tensor) {
    Range.check("tensor", tensor, tensor >= 0 && tensor < tensors(), "below " + tensors());
  }

  private void checkShard(int shard) {
    Range.check("shard", shard, shard >= 0 && shard < shards, "below " + shards);
  }

  private void checkFlat(Tensor flat) {
    Objects.requireNonNull(flat, "flat");
    if (flat.elements() != elements()) {
      throw new IllegalArgumentException("flat " + flat + ": expected " + elements() + " elements");
    }
  }
}
