package org.fettle.benchmarks;

import static org.fettle.benchmarks.KernelCases.bytes;
import static org.fettle.benchmarks.KernelCases.floats;

import java.util.ArrayList;
import java.util.List;
import org.fettle.BinaryProduct;
import org.fettle.DType;
import org.fettle.IntegerProduct;
import org.fettle.Tensor;
import org.fettle.internal.Access;
import org.fettle.internal.algebra.Products;
import org.fettle.sparsity.BlockMatrix;
import org.fettle.sparsity.CsrMatrix;
import org.fettle.sparsity.NmPattern;
import org.fettle.sparsity.Selection;
import org.fettle.sparsity.Semi24;
import org.fettle.sparsity.StructuredMasks;
import org.fettle.sparsity.StructuredScores;
import org.fettle.steps.NewtonSchulz;

/**
 * Products of matrices. Times are per multiply-add of the dense product, so that sparse ones
 * compare with it.
 */
final class ProductCases {
  private static final int SIDE = 1_024;

  /** How much of a multiply-add's two operations a product of two entries out of four does. */
  private static final double HALF = 0.5;

  /** Rows and columns of a block. */
  private static final int BLOCK = 16;

  private ProductCases() {}

  /** With a few sparsities: {@code ./fettle bench --kernels}. */
  static List<KernelCase> all() {
    List<KernelCase> cases = new ArrayList<>();
    for (int side : new int[] {1024, 2048}) {
      cases.add(integers("product.int8", side, side, side));
    }
    cases.add(integers("product.int8.tall", 8192, 64, 300));
    cases.add(integers("product.int8.skinny", 16, 4096, 1000));
    cases.add(binary());
    for (int percent : new int[] {50, 80, 90, 95, 98, 99}) {
      cases.add(csr(percent));
    }
    cases.add(bsr(90));
    cases.add(semi24());
    if (hasBlas()) {
      cases.add(floatProduct());
      cases.add(newtonSchulz());
    }
    return cases;
  }

  /** Whether the BLAS that belongs to the cpu backend is there: it comes with the peers. */
  private static boolean hasBlas() {
    try {
      Class.forName(
          "org.bytedeco.openblas.global.openblas", false, ProductCases.class.getClassLoader());
      return true;
    } catch (ClassNotFoundException e) {
      return false;
    }
  }

  /** The product that steps with matrices are made of: the backend's BLAS. */
  private static KernelCase floatProduct() {
    return product(
        "product.f32",
        new int[] {SIDE, SIDE, SIDE},
        12.0 * SIDE * SIDE,
        1,
        (backend, arrays) -> {
          Tensor left = KernelCases.floats(arrays, "left", SIDE, SIDE);
          Tensor right = KernelCases.floats(arrays, "right", SIDE, SIDE);
          Tensor y = Tensor.allocate(DType.F32, SIDE, SIDE);
          Products products = Products.of(Access.engine(backend));
          return () -> products.multiply(false, true, SIDE, SIDE, SIDE, 1f, left, right, 0f, y);
        });
  }

  /** Muon's orthogonalisation: products, whose rate compares with {@code product.f32}. */
  private static KernelCase newtonSchulz() {
    NewtonSchulz.Options options = new NewtonSchulz.Options();
    int products = 3 * options.iterations();
    double multiplyAdds = (double) products * SIDE * SIDE * SIDE;
    return KernelCase.product(
        "product.newton-schulz",
        products + "x" + SIDE + "^3",
        multiplyAdds,
        12.0 * products * SIDE * SIDE / multiplyAdds,
        2,
        (backend, arrays) -> {
          Tensor x = KernelCases.floats(arrays, "left", SIDE, SIDE);
          Tensor y = Tensor.allocate(DType.F32, SIDE, SIDE);
          NewtonSchulz iteration = new NewtonSchulz(backend, options, x, y);
          return iteration::run;
        });
  }

  /** Sparse products against the dense one: {@code ./fettle bench --sparse}. */
  static List<KernelCase> sparse() {
    List<KernelCase> cases = new ArrayList<>();
    for (int percent : new int[] {50, 60, 70, 75, 80, 85, 88, 90, 92, 94, 95, 96, 97, 98, 99}) {
      cases.add(csr(percent));
      cases.add(bsr(percent));
    }
    cases.add(semi24());
    return cases;
  }

  private static KernelCase integers(String name, int rows, int columns, int depth) {
    double moved = (double) rows * depth + (double) columns * depth + 4.0 * rows * columns;
    return product(
        name,
        new int[] {rows, columns, depth},
        moved,
        1,
        (backend, arrays) -> {
          Tensor left = bytes(arrays, "left", rows, depth);
          Tensor right = bytes(arrays, "right", columns, depth);
          Tensor result = Tensor.allocate(DType.I32, rows, columns);
          IntegerProduct product = IntegerProduct.on(backend);
          return () -> product.multiply(left, right, IntegerProduct.Epilogue.NONE, result);
        });
  }

  private static KernelCase binary() {
    return product(
        "product.binary",
        new int[] {SIDE, SIDE, SIDE},
        2.0 * SIDE * SIDE / 8 + 4.0 * SIDE * SIDE,
        1,
        (backend, arrays) -> {
          BinaryProduct product = BinaryProduct.on(backend);
          Tensor packed = Tensor.allocate(DType.I64, SIDE, BinaryProduct.words(SIDE));
          product.pack(floats(arrays, "x", SIDE, SIDE), packed);
          Tensor result = Tensor.allocate(DType.I32, SIDE, SIDE);
          return () -> product.multiply(SIDE, packed, packed, null, result);
        });
  }

  private static KernelCase csr(int percent) {
    double density = (100 - percent) / 100.0;
    return product(
        "product.csr" + percent,
        new int[] {SIDE, SIDE, SIDE},
        // A value and a column index per entry that is kept.
        (4.0 + 4.0 + 8.0 * density) * SIDE * SIDE,
        density,
        (backend, arrays) -> {
          Tensor weight = floats(arrays, "right", SIDE, SIDE);
          Tensor mask = Tensor.allocate(DType.BIT, SIDE, SIDE);
          long kept = weight.elements() * (100 - percent) / 100;
          Selection.on(backend).keepLargest(kept, weight, mask);
          CsrMatrix matrix = CsrMatrix.of(backend, mask, weight);
          Tensor x = floats(arrays, "left", SIDE, SIDE);
          Tensor y = Tensor.allocate(DType.F32, SIDE, SIDE);
          return () -> matrix.multiply(x, y);
        });
  }

  /** The largest blocks stay, whole. */
  private static KernelCase bsr(int percent) {
    double density = (100 - percent) / 100.0;
    return product(
        "product.bsr" + percent,
        new int[] {SIDE, SIDE, SIDE},
        (4.0 + 4.0 + 4.0 * density) * SIDE * SIDE,
        density,
        (backend, arrays) -> {
          Tensor weight = floats(arrays, "right", SIDE, SIDE);
          int across = SIDE / BLOCK;
          Tensor scores = Tensor.allocate(DType.F32, across, across);
          StructuredScores.on(backend).blocks(StructuredScores.Norm.L2, weight, BLOCK, scores);
          Tensor blocks = Tensor.allocate(DType.BIT, across, across);
          Selection.on(backend)
              .keepLargest(Math.round(density * scores.elements()), scores, blocks);
          Tensor mask = Tensor.allocate(DType.BIT, SIDE, SIDE);
          StructuredMasks.on(backend).blocks(blocks, BLOCK, mask);
          BlockMatrix matrix = BlockMatrix.compressedRows(backend, BLOCK, mask, weight);
          Tensor x = floats(arrays, "left", SIDE, SIDE);
          Tensor y = Tensor.allocate(DType.F32, SIDE, SIDE);
          return () -> matrix.multiply(x, y);
        });
  }

  private static KernelCase semi24() {
    return product(
        "product.2:4",
        new int[] {SIDE, SIDE, SIDE},
        (4.0 + 4.0 + 2.0 + 1.0 / 8) * SIDE * SIDE,
        HALF,
        (backend, arrays) -> {
          Tensor weight = floats(arrays, "right", SIDE, SIDE);
          Tensor mask = Tensor.allocate(DType.BIT, SIDE, SIDE);
          new NmPattern(2, 4).mask(backend, weight, mask);
          Tensor values = Tensor.allocate(DType.F32, SIDE, SIDE / 2);
          Tensor codes = Tensor.allocate(DType.U8, SIDE, SIDE / 8);
          Semi24 format = Semi24.on(backend);
          format.compress(weight, mask, values, codes, Semi24.Layout.CANONICAL);
          Tensor x = floats(arrays, "left", SIDE, SIDE);
          Tensor y = Tensor.allocate(DType.F32, SIDE, SIDE);
          return () -> format.multiply(values, codes, x, y);
        });
  }

  /**
   * A product of these rows, columns and depth.
   *
   * @param moved bytes of operands and result, each once
   * @param share of the dense product's multiply-adds that has to be done
   */
  private static KernelCase product(
      String name, int[] extents, double moved, double share, KernelCase.Make make) {
    int rows = extents[0];
    int columns = extents[1];
    int depth = extents[2];
    String size =
        rows == columns && rows == depth ? rows + "^3" : rows + "x" + columns + "x" + depth;
    double multiplyAdds = (double) rows * columns * depth;
    return KernelCase.product(name, size, multiplyAdds, moved / multiplyAdds, 2 * share, make);
  }
}
