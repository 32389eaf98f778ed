package org.fettle.misuse;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Tensor;
import org.fettle.sparsity.BlockMatrix;
import org.fettle.sparsity.CsrMatrix;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Index arrays that are overwritten after a sparse matrix was made: refused, nothing written. */
class SparseIndexMisuseTest {
  private static final int ROWS = 40;
  private static final int COLUMNS = 48;
  private static final int BATCH = 5;
  private static final int[] BAD = {-2, Integer.MIN_VALUE, COLUMNS, Integer.MAX_VALUE};

  /** Memory of a matrix, as somebody who has its address sees it. */
  private static final class At extends BytePointer {
    At(long address) {
      super((Pointer) null);
      this.address = address;
    }
  }

  static List<String> hosts() {
    return Backend.all().stream()
        .filter(Backend.Availability::isAvailable)
        .map(Backend.Availability::name)
        .filter(name -> !name.equals("cuda"))
        .toList();
  }

  private static Tensor mask() {
    Tensor mask = Tensor.allocate(DType.BIT, ROWS, COLUMNS);
    byte[] bits = new byte[(int) mask.bytes()];
    for (int i = 0; i < bits.length; i++) {
      bits[i] = (byte) (i * 37 | 1);
    }
    mask.buffer().put(0, bits);
    return mask;
  }

  private static Tensor ones(long... shape) {
    Tensor tensor = Tensor.allocate(DType.F32, shape);
    FloatBuffer values = tensor.buffer().order(ByteOrder.nativeOrder()).asFloatBuffer();
    while (values.hasRemaining()) {
      values.put(1);
    }
    return tensor;
  }

  private static IntBuffer ints(Tensor tensor) {
    return new At(tensor.address())
        .capacity(tensor.bytes())
        .asByteBuffer()
        .order(ByteOrder.nativeOrder())
        .asIntBuffer();
  }

  private static byte[] bytes(Tensor tensor) {
    byte[] bytes = new byte[(int) tensor.bytes()];
    tensor.buffer().get(0, bytes);
    return bytes;
  }

  private static void refused(List<Executable> calls, List<Tensor> outputs, String... words) {
    List<byte[]> before = outputs.stream().map(SparseIndexMisuseTest::bytes).toList();
    for (Executable call : calls) {
      Refusal.ofArgument(call, words);
    }
    for (int i = 0; i < outputs.size(); i++) {
      assertArrayEquals(before.get(i), bytes(outputs.get(i)));
    }
  }

  @ParameterizedTest
  @MethodSource("hosts")
  void compressedRows(String name) {
    Backend backend = Backend.named(name);
    Tensor x = ones(BATCH, COLUMNS);
    Tensor y = ones(BATCH, ROWS);
    Tensor dense = ones(ROWS, COLUMNS);
    Tensor mask = mask();
    try (CsrMatrix matrix = CsrMatrix.of(backend, mask, ones(ROWS, COLUMNS))) {
      Tensor sampled = ones(matrix.values().elements());
      List<Executable> calls =
          List.of(
              () -> matrix.multiply(x, y),
              () -> matrix.multiplyTransposed(y, x),
              () -> matrix.sample(y, x, sampled),
              () -> matrix.toDense(dense),
              () -> matrix.toMask(mask),
              matrix::transposed);
      List<Tensor> outputs = List.of(x, y, dense, mask, sampled);
      IntBuffer places = ints(matrix.columnIndices());
      int last = places.capacity() - 1;
      for (int bad : BAD) {
        for (int at : new int[] {0, last / 2, last}) {
          int kept = places.get(at);
          places.put(at, bad);
          refused(calls, outputs, "columnIndices of row ", "has 1 out of range", "0 to 47");
          places.put(at, kept);
        }
      }
      IntBuffer pointers = ints(matrix.rowPointers());
      for (int bad : new int[] {-1, places.capacity() + 1, Integer.MIN_VALUE, Integer.MAX_VALUE}) {
        for (int at : new int[] {0, 7, ROWS}) {
          int kept = pointers.get(at);
          pointers.put(at, bad);
          refused(calls, outputs, "rowPointers of row ", "0 to " + places.capacity());
          pointers.put(at, kept);
        }
      }
      matrix.multiply(x, y);
    }
  }

  @ParameterizedTest
  @MethodSource("hosts")
  void blocks(String name) {
    Backend backend = Backend.named(name);
    Tensor x = ones(BATCH, COLUMNS);
    Tensor y = ones(BATCH, ROWS);
    Tensor dense = ones(ROWS, COLUMNS);
    for (boolean ell : new boolean[] {false, true}) {
      try (BlockMatrix matrix =
          ell
              ? BlockMatrix.ell(backend, 8, mask(), ones(ROWS, COLUMNS))
              : BlockMatrix.compressedRows(backend, 8, mask(), ones(ROWS, COLUMNS))) {
        Tensor sampled = ones(matrix.values().shape());
        List<Executable> calls =
            List.of(
                () -> matrix.multiply(x, y),
                () -> matrix.sample(y, x, sampled),
                () -> matrix.toDense(dense));
        List<Tensor> outputs = List.of(y, dense, sampled);
        IntBuffer places = ints(matrix.blockColumns());
        for (int bad : BAD) {
          int kept = places.get(3);
          places.put(3, bad);
          refused(calls, outputs, "blockColumns of row ", (ell ? -1 : 0) + " to 5");
          places.put(3, kept);
        }
        if (!ell) {
          IntBuffer pointers = ints(matrix.rowPointers());
          pointers.put(1, Integer.MAX_VALUE);
          refused(calls, outputs, "rowPointers of row 0");
        }
        // Its own index, which nobody else holds.
        matrix.multiplyTransposed(y, x);
      }
    }
  }

  @Test
  void ofTheCallersOwn() {
    Tensor pointers = Tensor.allocate(DType.I32, 3);
    Tensor places = Tensor.allocate(DType.I32, 4);
    ints(pointers).put(new int[] {0, 2, 4});
    ints(places).put(new int[] {0, 3, 1, 2});
    for (String name : hosts()) {
      Refusal.ofArgument(
          () -> CsrMatrix.view(Backend.named(name), 3, pointers, places, ones(4)),
          "columnIndices has 3 in row 0");
      CsrMatrix matrix = CsrMatrix.view(Backend.named(name), 4, pointers, places, ones(4));
      ints(places).put(1, 4);
      Tensor dense = ones(2, 4);
      Refusal.ofArgument(() -> matrix.toDense(dense), "columnIndices of row 0", "0 to 3");
      ints(places).put(1, 3);
      matrix.toDense(dense);
      float[] seen = new float[8];
      dense.buffer().order(ByteOrder.nativeOrder()).asFloatBuffer().get(seen);
      assertArrayEquals(new float[] {1, 0, 0, 1, 0, 1, 1, 0}, seen, Arrays.toString(seen));
    }
  }
}
