package org.fettle.replay;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Set;
import org.fettle.DType;
import org.fettle.Hyper;
import org.fettle.Tensor;
import org.fettle.internal.Engine;
import org.fettle.internal.Engines;
import org.fettle.internal.Formats;
import org.fettle.internal.Scratch;
import org.fettle.sparsity.BlockMatrix;
import org.fettle.sparsity.CsrMatrix;
import org.fettle.sparsity.EdgeScores;
import org.fettle.sparsity.FilterMass;
import org.fettle.sparsity.Fraction;
import org.fettle.sparsity.Masks;
import org.fettle.sparsity.Selection;
import org.fettle.sparsity.Semi24;
import org.fettle.sparsity.SparseFeatures;

/** Formats and products of sparse matrices, sparse activations, graphs. */
final class SparseFormatReplay implements MethodReplay {
  @Override
  public Set<String> methods() {
    return Set.of("semi24", "sparse-formats", "ftwt-mask", "sae-topk", "teddy-edge");
  }

  @Override
  public void replay(GoldenCase golden, Workbench bench, Outputs outputs) {
    switch (golden.method()) {
      case "semi24" -> semi24(golden, bench, outputs);
      case "sparse-formats" -> formats(golden, bench, outputs);
      case "ftwt-mask" -> filterMass(golden, bench, outputs);
      case "sae-topk" -> features(golden, bench, outputs);
      default -> edges(golden, bench, outputs);
    }
  }

  private static Tensor tensor(GoldenCase golden, Workbench bench, String name) {
    return SelectionReplay.tensor(golden, bench, name);
  }

  private static Tensor integers(GoldenCase golden, Workbench bench, String name) {
    Values array = golden.array(name);
    Tensor tensor = bench.tensor(DType.I32, array.shape());
    int[] values = new int[array.length()];
    for (int i = 0; i < values.length; i++) {
      values[i] = (int) array.get(i);
    }
    Scratch.write(Engines.named(bench.backend().name()), tensor, values);
    return tensor;
  }

  private static void semi24(GoldenCase golden, Workbench bench, Outputs outputs) {
    String element = golden.hyper().word("element_type");
    if (!Set.of("half", "int8").contains(element)) {
      throw new IllegalArgumentException("element_type is " + element + ": expected half or int8");
    }
    Engine engine = Engines.named(bench.backend().name());
    DType dtype = element.equals("half") ? DType.F16 : DType.I8;
    float[] values = golden.array("dense").floats();
    long[] shape = golden.array("dense").shape();
    Tensor dense = bench.tensor(dtype, shape);
    Tensor kept = bench.tensor(dtype, shape[0], shape[1] / 2);
    Tensor codes = bench.tensor(DType.U8, shape[0], shape[1] / 8);
    byte[] bytes = new byte[Math.toIntExact(dense.bytes())];
    ByteBuffer stored = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    for (float value : values) {
      if (dtype == DType.F16) {
        stored.putShort(Formats.nearest(DType.F16, value));
      } else {
        stored.put((byte) value);
      }
    }
    Scratch.write(engine, dense, bytes);
    Semi24 format = Semi24.on(bench.backend());
    format.compress(dense, null, kept, codes, Semi24.Layout.CANONICAL);
    ByteBuffer out = ByteBuffer.wrap(Scratch.bytes(engine, kept)).order(ByteOrder.LITTLE_ENDIAN);
    while (out.hasRemaining()) {
      outputs.add(
          "values",
          dtype == DType.F16 ? Formats.decode(DType.F16, out.getShort()) : (double) out.get());
    }
    Tensor positions = bench.tensor(DType.U8, shape[0], shape[1] / 2);
    format.positions(codes, positions);
    outputs.add("index", bench.integers(positions));
    outputs.add("meta_bytes", bench.integers(codes));
    words(outputs, "meta_linear", dtype, Scratch.bytes(engine, codes));
    Tensor reordered = bench.tensor(DType.U8, codes.shape());
    format.compress(dense, null, kept, reordered, Semi24.Layout.CUTLASS);
    words(outputs, "meta_cutlass", dtype, Scratch.bytes(engine, reordered));
    Tensor back = bench.tensor(dtype, shape);
    format.decompress(kept, reordered, Semi24.Layout.CUTLASS, back);
    byte[] round = Scratch.bytes(engine, back);
    for (int i = 0; i < values.length; i++) {
      double value =
          dtype == DType.F16
              ? Formats.decode(
                  DType.F16, (short) ((round[2 * i] & 0xFF) | (round[2 * i + 1] & 0xFF) << 8))
              : round[i];
      if (value != values[i]) {
        throw new IllegalStateException("decompressed " + value + " at " + i + ": " + values[i]);
      }
    }
  }

  private static void words(Outputs outputs, String name, DType dtype, byte[] bytes) {
    ByteBuffer words = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    while (words.hasRemaining()) {
      outputs.add(name, dtype == DType.F16 ? (double) words.getShort() : (double) words.getInt());
    }
  }

  private static void formats(GoldenCase golden, Workbench bench, Outputs outputs) {
    int size = (int) golden.hyper().number("block_size");
    double[] flags = golden.array("mask").doubles();
    long[] shape = golden.array("mask").shape();
    Tensor mask = bench.mask(flags, shape);
    Tensor w = tensor(golden, bench, "w");
    Tensor x = tensor(golden, bench, "x");
    Tensor dy = tensor(golden, bench, "dy");
    Tensor bytes = bench.tensor(DType.U8, shape);
    Masks masks = Masks.on(bench.backend());
    masks.unpack(mask, bytes);
    Tensor words = bench.tensor(DType.I32, (bytes.elements() + 31) / 32);
    masks.pack(bytes, words);
    outputs.add("bits", bench.integers(words));
    Tensor rowWords = bench.tensor(DType.I32, shape[0], (shape[1] + 31) / 32);
    masks.packRows(bytes, rowWords);
    outputs.add("bits_rows", bench.integers(rowWords));
    try (CsrMatrix csr = CsrMatrix.of(bench.backend(), mask, w)) {
      outputs.add("csr_row_ptr", bench.integers(csr.rowPointers()));
      outputs.add("csr_col", bench.integers(csr.columnIndices()));
      outputs.add("csr_val", bench.floats(csr.values()));
      Tensor y = bench.tensor(DType.F32, x.shape()[0], shape[0]);
      csr.multiply(x, y);
      outputs.add("spmm_y", bench.floats(y));
      Tensor dx = bench.tensor(DType.F32, x.shape());
      csr.multiplyTransposed(dy, dx);
      outputs.add("spmm_dx", bench.floats(dx));
      csr.sample(dy, x, csr.values());
      outputs.add("sddmm_val", bench.floats(csr.values()));
    }
    try (BlockMatrix bsr = BlockMatrix.compressedRows(bench.backend(), size, mask, w)) {
      outputs.add("bsr_row_ptr", bench.integers(bsr.rowPointers()));
      outputs.add("bsr_col", bench.integers(bsr.blockColumns()));
      outputs.add("bsr_val", bench.floats(bsr.values()));
    }
    try (BlockMatrix ell = BlockMatrix.ell(bench.backend(), size, mask, w)) {
      outputs.add("bell_col", bench.integers(ell.blockColumns()));
      outputs.add("bell_val", bench.floats(ell.values()));
    }
  }

  private static void filterMass(GoldenCase golden, Workbench bench, Outputs outputs) {
    Tensor x = tensor(golden, bench, "x");
    Tensor criterion = bench.tensor(DType.F32, x.shape()[0], x.shape()[1]);
    Tensor mask = bench.tensor(DType.BIT, criterion.shape());
    int[] kept =
        FilterMass.on(bench.backend())
            .byMass(
                golden.hyper().number("mass"), golden.hyper().number("delta"), x, criterion, mask);
    outputs.add("criterion", bench.floats(criterion));
    outputs.add("mask", bench.bits(mask));
    for (int count : kept) {
      outputs.add("k", count);
    }
  }

  private static void features(GoldenCase golden, Workbench bench, Outputs outputs) {
    Hyper hyper = golden.hyper();
    Tensor pre = tensor(golden, bench, "pre");
    Tensor x = tensor(golden, bench, "x");
    Tensor decoder = tensor(golden, bench, "decoder");
    long batch = pre.shape()[0];
    int k = (int) hyper.number("k");
    int auxk = (int) hyper.number("auxk");
    SparseFeatures features = SparseFeatures.on(bench.backend());
    Tensor values = bench.tensor(DType.F32, batch, k);
    Tensor columns = bench.tensor(DType.I32, batch, k);
    features.topK(k, pre, values, columns);
    Tensor dense = bench.tensor(DType.F32, pre.shape());
    features.dense(values, columns, dense);
    outputs.add("topk", bench.floats(dense));
    Tensor recon = bench.tensor(DType.F32, x.shape());
    features.decode(values, columns, decoder, recon);
    outputs.add("recon", bench.floats(recon));
    outputs.add("loss_nmse", features.loss(x, recon, false));
    Tensor counters = integers(golden, bench, "steps_since_fired");
    features.count(values, columns, counters);
    outputs.add("steps_after", bench.integers(counters));
    Tensor dead = bench.tensor(DType.BIT, counters.shape());
    features.dead((long) hyper.number("dead_steps_threshold"), counters, dead);
    Tensor auxValues = bench.tensor(DType.F32, batch, auxk);
    Tensor auxColumns = bench.tensor(DType.I32, batch, auxk);
    features.auxiliaryTopK(auxk, pre, dead, auxValues, auxColumns);
    features.dense(auxValues, auxColumns, dense);
    outputs.add("auxk", bench.floats(dense));
    Tensor auxRecon = bench.tensor(DType.F32, x.shape());
    features.decode(auxValues, auxColumns, decoder, auxRecon);
    outputs.add("loss_auxk_nmse", features.auxiliaryLoss(x, recon, auxRecon, false));
    features.featureChoice((int) hyper.number("m"), pre, dense);
    outputs.add("feature_choice", bench.floats(dense));
    features.mutualChoice((long) hyper.number("budget"), pre, dense);
    outputs.add("mutual_choice", bench.floats(dense));
  }

  private static void edges(GoldenCase golden, Workbench bench, Outputs outputs) {
    Hyper hyper = golden.hyper();
    Tensor rows = integers(golden, bench, "row");
    Tensor columns = integers(golden, bench, "col");
    EdgeScores edges = EdgeScores.on(bench.backend());
    double[] scores = edges.scores((int) golden.array("num_nodes").get(0), rows, columns);
    outputs.add("score", scores);
    Tensor keep = bench.tensor(DType.BIT, rows.shape());
    edges.prune(hyper.number("edge_fraction"), scores, rows, columns, keep);
    outputs.add("keep", bench.bits(keep));
    Tensor param = tensor(golden, bench, "param");
    Tensor mask = bench.tensor(DType.BIT, param.shape());
    long dropped = Fraction.CEIL.of(hyper.number("weight_fraction"), param.elements());
    Selection.on(bench.backend())
        .dropSmallest(dropped, java.util.List.of(param), java.util.List.of(mask));
    Masks.on(bench.backend()).apply(mask, param, param);
    outputs.add("param_projected", bench.floats(param));
  }
}
