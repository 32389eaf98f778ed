package org.fettle.nd4j;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import org.fettle.Rule;
import org.fettle.Tensor;
import org.fettle.rules.Adam;
import org.fettle.rules.AdamW;
import org.fettle.rules.Sgd;
import org.junit.jupiter.api.Test;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.indexing.NDArrayIndex;

class Nd4jTest {
  @Test
  void trainsARegressionInTheArraysThemselves() {
    Nd4j.getRandom().setSeed(3);
    INDArray x = Nd4j.randn(DataType.FLOAT, 64, 8);
    INDArray wanted = x.mmul(Nd4j.randn(DataType.FLOAT, 8, 2));
    INDArray weight = Nd4j.zeros(DataType.FLOAT, 8, 2);
    INDArray gradient = Nd4j.zeros(DataType.FLOAT, 8, 2);
    double first = 0;
    double last = 0;
    try (Nd4jOptimizer optimizer =
        new Nd4jOptimizer(new AdamW().withLr(0.05), List.of(weight), List.of(gradient))) {
      Tensor view = optimizer.plan().parameter(0).value();
      assertEquals(weight.data().address(), view.address(), "no copy");
      for (int i = 0; i < 200; i++) {
        INDArray error = x.mmul(weight).sub(wanted);
        gradient.assign(x.transpose().mmul(error).mul(2.0 / 64));
        last = error.norm2Number().doubleValue();
        first = i == 0 ? last : first;
        optimizer.step();
      }
      assertEquals(200, optimizer.plan().stepCount(0));
    }
    assertTrue(last < 0.2 * first, "error from " + first + " to " + last);
  }

  @Test
  void viewsOfPartsPointIntoTheWhole() {
    INDArray whole = Nd4j.arange(12).castTo(DataType.FLOAT).reshape('c', 3, 4);
    INDArray row = whole.getRow(1);
    INDArray gradient = Nd4j.ones(DataType.FLOAT, row.shape());
    try (Nd4jOptimizer optimizer =
        new Nd4jOptimizer(new Sgd().withLr(0.5), List.of(row), List.of(gradient))) {
      optimizer.step();
    }
    assertEquals(
        Nd4j.create(new float[][] {{0, 1, 2, 3}, {3.5f, 4.5f, 5.5f, 6.5f}, {8, 9, 10, 11}}), whole);
  }

  @Test
  void updaterGivesWhatTheRuleSubtracts() {
    INDArray gradient = Nd4j.createFromArray(0.5f, -2f, 0f, 1e-3f);
    try (FettleUpdater updater = new FettleUpdater(new Adam().withLr(0.1), null)) {
      INDArray update = gradient.dup();
      updater.applyUpdater(update, 0, 0);
      // Adam's first step is lr * sign(g), but for eps.
      assertEquals(0.1, update.getDouble(0), 1e-6);
      assertEquals(-0.1, update.getDouble(1), 1e-6);
      assertEquals(0, update.getDouble(2), 0);
      assertEquals(0.1, update.getDouble(3), 1e-5);
      assertEquals(1, updater.plan().stepCount(0));
    }
  }

  @Test
  void updaterGoesOnFromAState() {
    INDArray gradient = Nd4j.createFromArray(0.5f, -2f, 0.25f, 1e-3f);
    Rule rule = new Adam().withLr(0.1);
    try (FettleUpdater first = new FettleUpdater(rule, null);
        FettleUpdater later = new FettleUpdater(rule, null);
        FettleUpdater running = new FettleUpdater(rule, null)) {
      assertEquals(Map.of(), first.getState());
      first.applyUpdater(gradient.dup(), 0, 0);
      first.applyUpdater(gradient.mul(3), 1, 0);
      Map<String, INDArray> state = first.getState();
      running.applyUpdater(gradient.dup(), 0, 0);
      running.setState(state, false);
      later.setState(state, true);
      INDArray expected = gradient.dup();
      first.applyUpdater(expected, 2, 0);
      for (FettleUpdater other : List.of(running, later)) {
        INDArray actual = gradient.dup();
        other.applyUpdater(actual, 2, 0);
        assertEquals(expected, actual);
        assertEquals(3, other.plan().stepCount(0));
      }
      assertThrows(IllegalArgumentException.class, () -> first.setState(Map.of(), true));
      INDArray damaged = state.get(FettleUpdater.STATE).dup();
      damaged.putScalar(damaged.length() - 1, ~damaged.getInt((int) damaged.length() - 1));
      assertThrows(
          IllegalArgumentException.class,
          () -> first.setState(Map.of(FettleUpdater.STATE, damaged), true));
      try (FettleUpdater fresh = new FettleUpdater(rule, null)) {
        fresh.setState(Map.of(FettleUpdater.STATE, damaged), true);
        for (int attempt = 0; attempt < 2; attempt++) {
          assertThrows(
              IllegalArgumentException.class, () -> fresh.applyUpdater(gradient.dup(), 0, 0));
        }
        fresh.setState(state, true);
        INDArray last = gradient.dup();
        fresh.applyUpdater(last, 2, 0);
        assertEquals(expected, last);
      }
      Throwable error =
          assertThrows(
              IllegalArgumentException.class,
              () -> first.setStateViewArray(gradient, new long[] {4}, 'c', true));
      assertTrue(error.getMessage().contains("viewArray has 4"), error.getMessage());
    }
  }

  @Test
  void refusesWhatItWouldHaveToCopy() {
    INDArray whole = Nd4j.zeros(DataType.FLOAT, 4, 6);
    INDArray columns = whole.get(NDArrayIndex.all(), NDArrayIndex.interval(0, 3));
    Throwable error =
        assertThrows(IllegalArgumentException.class, () -> Nd4jTensors.of("columns", columns));
    assertTrue(error.getMessage().contains("columns has stride 6"), error.getMessage());
    INDArray flags = Nd4j.zeros(DataType.BOOL, 4);
    error = assertThrows(IllegalArgumentException.class, () -> Nd4jTensors.of("flags", flags));
    assertTrue(error.getMessage().contains("flags has type BOOL"), error.getMessage());
    assertEquals(
        24,
        Nd4jTensors.flat("f", Nd4j.createUninitialized(DataType.FLOAT, new long[] {4, 6}, 'f'))
            .elements());
  }
}
