package org.fettle.replay;

import java.util.List;
import java.util.Set;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Hyper;
import org.fettle.Tensor;
import org.fettle.internal.Engine;
import org.fettle.internal.Engines;
import org.fettle.internal.Scratch;
import org.fettle.recipes.BitAllocation;
import org.fettle.recipes.BooleanThreshold;
import org.fettle.recipes.BooleanThresholdNetwork;
import org.fettle.recipes.CompressedCommunication;

/** Compressed communication, allocation of bits, Boolean threshold functions. */
final class CompressionReplay implements MethodReplay {
  @Override
  public Set<String> methods() {
    return Set.of(
        "onebit-ef",
        "sign-majority",
        "topk-ef",
        "int8-block-ef",
        "baq",
        "btf-neuron-projection",
        "btf-rrr");
  }

  @Override
  public void replay(GoldenCase golden, Workbench bench, Outputs outputs) {
    switch (golden.method()) {
      case "onebit-ef" -> oneBit(golden, bench, outputs);
      case "sign-majority" -> majority(golden, bench, outputs);
      case "topk-ef" -> topK(golden, bench, outputs);
      case "int8-block-ef" -> blocks(golden, bench, outputs);
      case "baq" -> allocation(golden, outputs);
      case "btf-neuron-projection" -> projection(golden, outputs);
      default -> network(golden, outputs);
    }
  }

  private static void oneBit(GoldenCase golden, Workbench bench, Outputs outputs) {
    Backend backend = bench.backend();
    Values input = golden.array("input");
    Tensor value = bench.tensor(DType.F32, input.stepShape());
    Tensor error = bench.tensor(DType.F32, input.stepShape());
    Tensor bits = bench.tensor(DType.BIT, input.stepShape());
    float[] zeros = new float[(int) value.elements()];
    for (int step = 0; step < golden.steps(); step++) {
      bench.put(value, input.floats(step));
      double scale = CompressedCommunication.encodeSigns(backend, value, error, bits);
      Tensor sum = bench.tensor(zeros, input.stepShape());
      CompressedCommunication.addSigns(backend, bits, scale, 1.0, sum);
      outputs.add("scale", scale);
      outputs.add("error", bench.floats(error));
      outputs.add("sent", bench.floats(sum));
      bench.put(sum, zeros);
      CompressedCommunication.addSigns(backend, bits, 1.0, 1.0, sum);
      outputs.add("sign", bench.floats(sum));
    }
  }

  private static void majority(GoldenCase golden, Workbench bench, Outputs outputs) {
    Backend backend = bench.backend();
    Engine engine = Engines.named(backend.name());
    Values gradients = golden.array("grad");
    int workers = (int) gradients.shape()[0];
    if (golden.hyper().number("workers") != workers) {
      throw new IllegalArgumentException(
          "workers is " + golden.hyper().number("workers") + ": expected " + workers);
    }
    long[] shape = {gradients.length() / workers};
    Tensor value = bench.tensor(DType.F32, shape);
    Tensor bits = bench.tensor(DType.BIT, shape);
    int stride = (int) bits.bytes();
    byte[] all = new byte[workers * stride];
    for (int worker = 0; worker < workers; worker++) {
      bench.put(value, gradients.floats(worker));
      CompressedCommunication.packSigns(backend, value, bits);
      System.arraycopy(Scratch.bytes(engine, bits), 0, all, worker * stride, stride);
    }
    Tensor gathered = bench.tensor(DType.U8, workers, stride);
    Scratch.write(engine, gathered, all);
    Tensor votes = bench.tensor(DType.I32, shape);
    Tensor direction = bench.tensor(DType.I8, shape);
    CompressedCommunication.majority(backend, gathered, votes, direction);
    for (int vote : Scratch.ints(engine, votes)) {
      outputs.add("vote", vote);
    }
    for (byte sign : Scratch.bytes(engine, direction)) {
      outputs.add("direction", sign);
    }
  }

  private static void topK(GoldenCase golden, Workbench bench, Outputs outputs) {
    Backend backend = bench.backend();
    Engine engine = Engines.named(backend.name());
    Values input = golden.array("input");
    long k = (long) golden.hyper().number("k");
    Tensor value = bench.tensor(DType.F32, input.stepShape());
    Tensor error = bench.tensor(DType.F32, input.stepShape());
    Tensor indices = bench.tensor(DType.I32, k);
    Tensor values = bench.tensor(DType.F32, k);
    for (int step = 0; step < golden.steps(); step++) {
      bench.put(value, input.floats(step));
      CompressedCommunication.encodeLargest(backend, value, error, indices, values);
      Tensor sum = bench.tensor(DType.F32, input.stepShape());
      CompressedCommunication.addSparse(backend, indices, values, 1.0, sum);
      outputs.add("sent", bench.floats(sum));
      outputs.add("error", bench.floats(error));
      for (int index : Scratch.ints(engine, indices)) {
        outputs.add("index", index);
      }
    }
  }

  private static void blocks(GoldenCase golden, Workbench bench, Outputs outputs) {
    Backend backend = bench.backend();
    Engine engine = Engines.named(backend.name());
    Values input = golden.array("input");
    long block = (long) golden.hyper().number("block_size");
    long elements = input.length() / golden.steps();
    Tensor value = bench.tensor(DType.F32, elements);
    Tensor error = bench.tensor(DType.F32, elements);
    Tensor codes = bench.tensor(DType.I8, elements);
    Tensor scales = bench.tensor(DType.F32, (elements + block - 1) / block);
    for (int step = 0; step < golden.steps(); step++) {
      bench.put(value, input.floats(step));
      CompressedCommunication.encodeBlocks(backend, value, error, block, codes, scales);
      outputs.add("scale", bench.floats(scales));
      outputs.add("error", bench.floats(error));
      for (byte code : Scratch.bytes(engine, codes)) {
        outputs.add("code", code);
      }
    }
  }

  private static void allocation(GoldenCase golden, Outputs outputs) {
    Hyper hyper = golden.hyper();
    BitAllocation allocation =
        new BitAllocation(hyper.number("reference_bits"), hyper.number("exponent"));
    double[] losses = golden.array("loss").doubles();
    double[] levels = allocation.levels(losses, hyper.number("gain"));
    outputs.add("levels", levels);
    outputs.add("bits", BitAllocation.bits(levels));
    outputs.add("gain_from_loss", BitAllocation.gain(losses));
    outputs.add("bits_closed_form", allocation.closedForm(losses));
  }

  private static double[][] rows(Values values, int rows) {
    double[] all = values.doubles();
    double[][] result = new double[rows][all.length / rows];
    for (int i = 0; i < all.length; i++) {
      result[i / result[0].length][i % result[0].length] = all[i];
    }
    return result;
  }

  private static void projection(GoldenCase golden, Outputs outputs) {
    Hyper hyper = golden.hyper();
    BooleanThreshold threshold = new BooleanThreshold(hyper.number("sigma"));
    int degree = (int) hyper.number("degree");
    if (Math.abs(threshold.margin(degree) - hyper.number("margin")) > 1e-12) {
      throw new IllegalArgumentException(
          "margin is " + hyper.number("margin") + ": expected " + threshold.margin(degree));
    }
    int neurons = (int) hyper.number("neurons");
    double[][] w = rows(golden.array("w"), neurons);
    double[][] x = rows(golden.array("x"), neurons);
    for (int i = 0; i < neurons; i++) {
      outputs.add("y_A", threshold.project(w[i], x[i], golden.array("y").get(i)));
      outputs.add("w_A", w[i]);
      outputs.add("x_A", x[i]);
    }
  }

  private static int[] integers(Values values) {
    int[] result = new int[values.length()];
    for (int i = 0; i < result.length; i++) {
      result[i] = (int) values.get(i);
    }
    return result;
  }

  private static double[][] signs(Values values, int rows) {
    double[][] result = rows(values, rows);
    for (double[] row : result) {
      for (int i = 0; i < row.length; i++) {
        row[i] = 2.0 * row[i] - 1.0;
      }
    }
    return result;
  }

  private static void network(GoldenCase golden, Outputs outputs) {
    Hyper hyper = golden.hyper();
    int items = (int) hyper.number("items");
    // The widths only count the nodes, which the start has.
    if (!hyper.has("widths")) {
      throw new IllegalArgumentException("widths is missing: expected the widths of the layers");
    }
    int nodes = (int) golden.array("y0").shape()[1];
    BooleanThresholdNetwork network =
        new BooleanThresholdNetwork(
            hyper.number("sigma"),
            hyper.number("beta"),
            hyper.number("gamma"),
            nodes,
            integers(golden.array("edge_receiver")),
            integers(golden.array("edge_sender")),
            signs(golden.array("data_in"), items),
            signs(golden.array("data_out"), items),
            rows(golden.array("w0"), items),
            rows(golden.array("x0"), items),
            rows(golden.array("y0"), items));
    for (int step = 0; step < golden.steps(); step++) {
      network.step();
      List.of(network.weights()).forEach(row -> outputs.add("w", row));
      List.of(network.inputs()).forEach(row -> outputs.add("x", row));
      List.of(network.outputs()).forEach(row -> outputs.add("y", row));
      List.of(network.metric()).forEach(row -> outputs.add("g", row));
      outputs.add("w_B", network.agreedWeights());
      outputs.add("gap", network.gap());
    }
  }
}
