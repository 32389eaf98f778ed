/** Fused optimizer steps: hand-written C++ and CUDA kernels behind a thin Java API. */
@SuppressWarnings("requires-automatic")
module org.fettle {
  requires com.google.gson;
  requires transitive org.bytedeco.javacpp;
  requires static org.bytedeco.cuda;
  requires static org.bytedeco.openblas;
  requires ojalgo;

  exports org.fettle;
  exports org.fettle.averages;
  exports org.fettle.distributed;
  exports org.fettle.merge;
  exports org.fettle.recipes;
  exports org.fettle.pruning;
  exports org.fettle.rules;
  exports org.fettle.sparsity;
  exports org.fettle.steps;
}
