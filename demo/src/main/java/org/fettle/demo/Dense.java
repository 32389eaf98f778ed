package org.fettle.demo;

import java.nio.FloatBuffer;
import java.util.Arrays;
import org.bytedeco.javacpp.FloatPointer;
import org.fettle.DType;
import org.fettle.Tensor;

/**
 * A fully connected layer: {@code output = input weight^T + bias}, with a ReLU or without. What is
 * elementwise is plain Java over heap copies, which C2 vectorises.
 */
final class Dense {
  private final Products products;
  private final int inputs;
  private final int outputs;
  private final boolean relu;
  private final Tensor weight;
  private final Tensor bias;
  private final Tensor weightGradient;
  private final Tensor biasGradient;
  private final Matrix weightMatrix;
  private final Matrix weightGradientMatrix;
  private final FloatBuffer biasBuffer;
  private final FloatBuffer biasGradientBuffer;
  private final float[] biasValues;

  /** What this layer gave for the current mini-batch, on the heap and where OpenBLAS reads it. */
  private final float[] output;

  private final Matrix outputMatrix;

  /** The loss differentiated by the outputs before the ReLU. */
  private final float[] delta;

  private final Matrix deltaMatrix;

  /** What the gradient of the input is formed with: the weight, unless it is said otherwise. */
  private Matrix inputWeight;

  /** Dense rows of floats outside of the heap, as Java and as OpenBLAS see them. */
  record Matrix(Tensor tensor, FloatBuffer buffer, FloatPointer pointer) {
    static Matrix of(long... shape) {
      return of(Tensor.allocate(DType.F32, shape));
    }

    static Matrix of(Tensor tensor) {
      FloatBuffer buffer = tensor.buffer().asFloatBuffer();
      return new Matrix(tensor, buffer, new FloatPointer(buffer));
    }

    /** Rows are long. */
    int columns() {
      return (int) tensor.shape()[1];
    }

    /** The first n rows. */
    Tensor rows(int n) {
      return Tensor.of(tensor.buffer(), DType.F32, n, columns());
    }
  }

  Dense(Products products, int capacity, int inputs, int outputs, boolean relu) {
    this.products = products;
    this.inputs = inputs;
    this.outputs = outputs;
    this.relu = relu;
    weight = Tensor.allocate(DType.F32, outputs, inputs);
    bias = Tensor.allocate(DType.F32, outputs);
    weightGradient = Tensor.allocate(DType.F32, outputs, inputs);
    biasGradient = Tensor.allocate(DType.F32, outputs);
    weightMatrix = Matrix.of(weight);
    inputWeight = weightMatrix;
    weightGradientMatrix = Matrix.of(weightGradient);
    biasBuffer = Matrix.of(bias).buffer();
    biasGradientBuffer = Matrix.of(biasGradient).buffer();
    biasValues = new float[outputs];
    output = new float[capacity * outputs];
    outputMatrix = Matrix.of(capacity, outputs);
    delta = new float[capacity * outputs];
    deltaMatrix = Matrix.of(capacity, outputs);
  }

  /** Shape outputs x inputs. The network reads it in every pass; a format writes it. */
  Tensor weight() {
    return weight;
  }

  /** Forms the gradients of the inputs with other weights, of the weight's shape, from now on. */
  void backwardThrough(Tensor other) {
    inputWeight = Matrix.of(other);
  }

  Tensor bias() {
    return bias;
  }

  Tensor weightGradient() {
    return weightGradient;
  }

  Tensor biasGradient() {
    return biasGradient;
  }

  int inputs() {
    return inputs;
  }

  int outputs() {
    return outputs;
  }

  float[] output() {
    return output;
  }

  Matrix outputMatrix() {
    return outputMatrix;
  }

  float[] delta() {
    return delta;
  }

  /** He's uniform weights, biases 0. */
  void initialise(SplitMix random) {
    float bound = (float) Math.sqrt(6.0 / inputs);
    FloatBuffer weights = weight.buffer().asFloatBuffer();
    while (weights.hasRemaining()) {
      weights.put((2 * random.uniform() - 1) * bound);
    }
    for (int i = 0; i < outputs; i++) {
      biasBuffer.put(i, 0f);
    }
  }

  void forward(Matrix input, int n) {
    products.forward(input, weightMatrix, outputMatrix, n);
    outputMatrix.buffer().get(0, output, 0, n * outputs);
    biasBuffer.get(0, biasValues);
    for (int i = 0; i < n; i++) {
      addBias(output, i * outputs, biasValues, relu);
    }
    outputMatrix.buffer().put(0, output, 0, n * outputs);
  }

  /**
   * From {@link #delta} to the gradients, and to the layer before.
   *
   * @param input what {@link #forward} was given
   * @param before the layer that gave the input, or null
   */
  void backward(Matrix input, Dense before, int n) {
    deltaMatrix.buffer().put(0, delta, 0, n * outputs);
    products.weightGradient(deltaMatrix, input, weightGradientMatrix, n);
    float[] sums = biasValues;
    Arrays.fill(sums, 0f);
    for (int i = 0; i < n; i++) {
      addRow(sums, delta, i * outputs);
    }
    biasGradientBuffer.put(0, sums);
    if (before != null) {
      products.inputGradient(deltaMatrix, inputWeight, before.deltaMatrix, n);
      before.deltaMatrix.buffer().get(0, before.delta, 0, n * inputs);
      if (before.relu) {
        stopWhereZero(before.delta, before.output, n * inputs);
      }
    }
  }

  private static void addBias(float[] rows, int from, float[] bias, boolean relu) {
    for (int j = 0; j < bias.length; j++) {
      rows[from + j] += bias[j];
    }
    if (relu) {
      for (int j = 0; j < bias.length; j++) {
        rows[from + j] = Math.max(rows[from + j], 0f);
      }
    }
  }

  private static void addRow(float[] sums, float[] rows, int from) {
    for (int j = 0; j < sums.length; j++) {
      sums[j] += rows[from + j];
    }
  }

  private static void stopWhereZero(float[] delta, float[] output, int n) {
    for (int i = 0; i < n; i++) {
      delta[i] = output[i] > 0f ? delta[i] : 0f;
    }
  }
}
