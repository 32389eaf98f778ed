package org.fettle.demo;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.FloatBuffer;
import org.fettle.Tensor;
import org.junit.jupiter.api.Test;

class NetworkTest {
  private static final int N = 9;
  private static final float STEP = 1e-2f;

  private final Network network = new Network(Products.openBlas(), 16, 6, 8, 5, 4);
  private final float[] inputs = new float[N * 6];
  private final int[] labels = new int[N];

  NetworkTest() {
    network.initialise(3);
    SplitMix random = new SplitMix(4);
    for (int i = 0; i < inputs.length; i++) {
      inputs[i] = 2 * random.uniform() - 1;
    }
    for (int i = 0; i < N; i++) {
      labels[i] = random.below(4);
    }
    // Biases that are not 0, so that they matter everywhere.
    for (Dense layer : network.layers()) {
      FloatBuffer bias = layer.bias().buffer().asFloatBuffer();
      while (bias.hasRemaining()) {
        bias.put(random.uniform() - 0.3f);
      }
    }
  }

  @Test
  void gradientsAreTheLossesDifferences() {
    loss();
    network.backward(N);
    for (Dense layer : network.layers()) {
      compare(layer.weight(), layer.weightGradient());
      compare(layer.bias(), layer.biasGradient());
    }
  }

  /** Central differences; a kink of a ReLU within the step would show, and there is none here. */
  private void compare(Tensor value, Tensor gradient) {
    FloatBuffer values = value.buffer().asFloatBuffer();
    float[] gradients = new float[values.remaining()];
    gradient.buffer().asFloatBuffer().get(gradients);
    for (int i = 0; i < gradients.length; i++) {
      float kept = values.get(i);
      values.put(i, kept + STEP);
      double above = loss();
      values.put(i, kept - STEP);
      double below = loss();
      values.put(i, kept);
      assertEquals((above - below) / (2.0 * STEP), gradients[i], 2e-4, value + " element " + i);
    }
  }

  @Test
  void lossOfUnsureNetworkIsTheLogarithmOfTheClasses() {
    Network zero = new Network(Products.openBlas(), 16, 6, 8, 4);
    zero.forward(inputs, N);
    assertEquals(Math.log(4), zero.loss(labels, N), 1e-6);
  }

  @Test
  void largeScoresDoNotOverflow() {
    FloatBuffer bias = network.layers().get(2).bias().buffer().asFloatBuffer();
    bias.put(0, 1e30f);
    network.forward(inputs, N);
    int[] first = new int[N];
    assertEquals(0, network.loss(first, N), 1e-6);
  }

  @Test
  void smallerMiniBatchLeavesNoTrace() {
    double whole = loss();
    network.forward(inputs, 2);
    network.loss(labels, 2);
    network.backward(2);
    assertEquals(whole, loss());
  }

  private double loss() {
    network.forward(inputs, N);
    return network.loss(labels, N);
  }
}
