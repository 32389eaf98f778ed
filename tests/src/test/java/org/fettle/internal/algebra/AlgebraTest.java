package org.fettle.internal.algebra;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.ref.WeakReference;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Tensor;
import org.fettle.internal.Access;
import org.fettle.internal.Engine;
import org.fettle.testkit.Machine;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Products and factorisations of every backend, by what they must satisfy. On CUDA all of them go
 * to the device, however small.
 */
class AlgebraTest {
  private static final double ROUNDING = 1e-12;
  private static final int[][] SHAPES = {
    {1, 1, 1}, {2, 3, 4}, {5, 1, 7}, {1, 6, 2}, {17, 9, 33}, {40, 64, 31}
  };

  static List<Backend> backends() {
    return Machine.productBackends();
  }

  @BeforeAll
  static void everythingIsLarge() {
    System.setProperty(CudaHandles.LEAST_PROPERTY, "1");
  }

  @AfterAll
  static void asItWas() {
    System.clearProperty(CudaHandles.LEAST_PROPERTY);
  }

  private static Products products(Backend backend) {
    return Products.of(Access.engine(backend));
  }

  private static Matrix draws(SplittableRandom random, int rows, int columns) {
    Matrix matrix = Matrix.zeros(rows, columns);
    for (int i = 0; i < matrix.values.length; i++) {
      matrix.values[i] = random.nextDouble() - 0.5;
    }
    return matrix;
  }

  /** The product in plain loops. */
  private static Matrix plain(Matrix a, Matrix b) {
    Matrix c = Matrix.zeros(a.rows, b.columns);
    for (int i = 0; i < a.rows; i++) {
      for (int j = 0; j < b.columns; j++) {
        double sum = 0;
        for (int k = 0; k < a.columns; k++) {
          sum += a.get(i, k) * b.get(k, j);
        }
        c.set(i, j, sum);
      }
    }
    return c;
  }

  private static void assertNear(Matrix expected, Matrix actual, double tolerance) {
    assertEquals(expected.rows, actual.rows);
    assertEquals(expected.columns, actual.columns);
    assertArrayEquals(expected.values, actual.values, tolerance);
  }

  private static void assertOrthonormal(Matrix columns) {
    assertNear(Matrix.diagonal(columns.columns, 1), plain(columns.transposed(), columns), 1e-11);
  }

  private static Matrix definite(SplittableRandom random, int n) {
    Matrix a = draws(random, n, n);
    return plain(a, a.transposed()).addToDiagonal(0.1);
  }

  @ParameterizedTest
  @MethodSource("backends")
  void productsInDoubleAreTheSumsOfProducts(Backend backend) {
    Products products = products(backend);
    SplittableRandom random = new SplittableRandom(21);
    for (int[] shape : SHAPES) {
      Matrix a = draws(random, shape[0], shape[2]);
      Matrix b = draws(random, shape[2], shape[1]);
      Matrix expected = plain(a, b);
      Matrix across = a.transposed();
      Matrix over = b.transposed();
      assertNear(expected, products.multiply(a, b), ROUNDING);
      assertNear(expected, products.multiply(across, true, b, false), ROUNDING);
      assertNear(expected, products.multiply(a, false, over, true), ROUNDING);
      assertNear(expected, products.multiply(across, true, over, true), ROUNDING);
    }
  }

  @ParameterizedTest
  @MethodSource("backends")
  void productsOfTensorsTakeFactorsAndTransposes(Backend backend) {
    Products products = products(backend);
    Engine engine = Access.engine(backend);
    SplittableRandom random = new SplittableRandom(22);
    for (int[] shape : SHAPES) {
      for (int way = 0; way < 8; way++) {
        boolean transposeA = (way & 1) != 0;
        boolean transposeB = (way & 2) != 0;
        float beta = (way & 4) != 0 ? 0.5f : 0f;
        Matrix a = draws(random, shape[0], shape[2]);
        Matrix b = draws(random, shape[2], shape[1]);
        Matrix before = draws(random, shape[0], shape[1]);
        Tensor first = tensor(engine, transposeA ? a.transposed() : a);
        Tensor second = tensor(engine, transposeB ? b.transposed() : b);
        Tensor out = tensor(engine, before);
        products.multiply(
            transposeA, transposeB, shape[0], shape[1], shape[2], 2f, first, second, beta, out);
        assertNear(
            plain(a, b).mix(2, beta, before), Matrix.of(engine, out, shape[0], shape[1]), 1e-5);
        List.of(first, second, out).forEach(engine::release);
      }
    }
  }

  private static Tensor tensor(Engine engine, Matrix matrix) {
    Tensor tensor = engine.allocate(DType.F32, new long[] {matrix.rows, matrix.columns}, 0);
    matrix.writeTo(engine, tensor);
    return tensor;
  }

  @ParameterizedTest
  @MethodSource("backends")
  void eigenvaluesFallAndVectorsSatisfyTheirEquation(Backend backend) {
    Algebra algebra = products(backend).algebra();
    SplittableRandom random = new SplittableRandom(23);
    for (int n : new int[] {1, 2, 7, 40}) {
      Matrix half = draws(random, n, n);
      Matrix a = half.copy().mix(1, 1, half.transposed());
      Algebra.Eigen eigen = algebra.eigen(a);
      assertFalls(eigen.values());
      assertOrthonormal(eigen.vectors());
      assertNear(
          plain(a, eigen.vectors()), eigen.vectors().copy().scaleColumns(eigen.values()), 1e-11);
    }
  }

  private static void assertFalls(double[] values) {
    for (int i = 1; i < values.length; i++) {
      assertTrue(values[i - 1] >= values[i], values[i - 1] + " before " + values[i]);
    }
  }

  @ParameterizedTest
  @MethodSource("backends")
  void singularValuesFallAndTheirVectorsMakeTheMatrix(Backend backend) {
    Algebra algebra = products(backend).algebra();
    SplittableRandom random = new SplittableRandom(24);
    for (int[] shape : new int[][] {{1, 1}, {1, 5}, {5, 1}, {6, 6}, {13, 30}, {30, 13}}) {
      Matrix a = draws(random, shape[0], shape[1]);
      Algebra.Singular singular = algebra.singular(a);
      assertFalls(singular.values());
      assertEquals(Math.min(shape[0], shape[1]), singular.values().length);
      assertOrthonormal(singular.left());
      assertOrthonormal(singular.right());
      assertNear(
          a,
          plain(
              singular.left().copy().scaleColumns(singular.values()),
              singular.right().transposed()),
          1e-11);
    }
    Matrix single = plain(draws(random, 9, 1), draws(random, 1, 12));
    Algebra.Singular singular = algebra.singular(single);
    assertEquals(0, singular.values()[1], ROUNDING);
    assertEquals(single.norm(), singular.values()[0], ROUNDING);
  }

  @ParameterizedTest
  @MethodSource("backends")
  void orthogonalFactorsLeaveATriangle(Backend backend) {
    Algebra algebra = products(backend).algebra();
    SplittableRandom random = new SplittableRandom(25);
    for (int n : new int[] {1, 2, 9, 40}) {
      Matrix a = draws(random, n, n);
      Matrix q = algebra.orthogonal(a);
      assertOrthonormal(q);
      Matrix r = plain(q.transposed(), a);
      for (int i = 0; i < n; i++) {
        for (int j = 0; j < i; j++) {
          assertEquals(0, r.get(i, j), ROUNDING);
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("backends")
  void definiteSystemsAreSolvedAndOthersAreNot(Backend backend) {
    Algebra algebra = products(backend).algebra();
    SplittableRandom random = new SplittableRandom(26);
    for (int n : new int[] {1, 2, 9, 40}) {
      Matrix a = definite(random, n);
      Matrix b = draws(random, n, 3);
      assertNear(b, plain(a, algebra.solve(a, b)), 1e-10);
      assertNear(Matrix.diagonal(n, 1), plain(a, algebra.inverse(a)), 1e-10);
      Matrix lower = algebra.cholesky(a);
      assertNear(a, plain(lower, lower.transposed()), 1e-11);
      for (int i = 0; i < n; i++) {
        for (int j = i + 1; j < n; j++) {
          assertEquals(0, lower.get(i, j));
        }
      }
      a.set(n - 1, n - 1, -1);
      assertNull(algebra.solve(a, b));
      assertNull(algebra.cholesky(a));
      a.set(0, 0, Double.NaN);
      assertNull(algebra.solve(a, b));
      assertNull(algebra.cholesky(a));
    }
  }

  @ParameterizedTest
  @MethodSource("backends")
  void threadsMayShareTheProductsOfABackend(Backend backend) {
    Products products = products(backend);
    SplittableRandom random = new SplittableRandom(27);
    Matrix a = definite(random, 24);
    Matrix b = draws(random, 24, 24);
    Matrix product = plain(a, b);
    IntStream.range(0, 64)
        .parallel()
        .forEach(
            i -> {
              assertNear(product, products.multiply(a, b), ROUNDING);
              assertNear(b, plain(a, products.algebra().solve(a, b)), 1e-10);
            });
  }

  /** Otherwise each backend that was ever named would keep its work space on the device. */
  @ParameterizedTest
  @MethodSource("backends")
  void whatIsOpenedGoesWithItsBackend(Backend backend) throws InterruptedException {
    WeakReference<Products> gone = new WeakReference<>(products(Backend.named(backend.name())));
    for (int i = 0; i < 100 && gone.get() != null; i++) {
      System.gc();
      Thread.sleep(20);
    }
    assertNull(gone.get());
  }

  @ParameterizedTest
  @MethodSource("backends")
  void nothingIsAnOrdinaryMatrix(Backend backend) {
    Products products = products(backend);
    Algebra algebra = products.algebra();
    Matrix none = Matrix.zeros(0, 0);
    assertEquals(0, algebra.eigen(none).values().length);
    assertEquals(0, algebra.singular(Matrix.zeros(0, 4)).values().length);
    assertEquals(0, algebra.orthogonal(none).rows);
    assertNotNull(algebra.cholesky(none));
    assertEquals(0, algebra.solve(Matrix.diagonal(3, 1), Matrix.zeros(3, 0)).columns);
    assertNear(Matrix.zeros(2, 3), products.multiply(Matrix.zeros(2, 0), Matrix.zeros(0, 3)), 0);
  }
}
