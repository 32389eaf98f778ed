/** Fused optimizer steps: hand-written C++ and CUDA kernels behind a thin Java API. */
module org.fettle {
  requires com.google.gson;
  requires transitive org.bytedeco.javacpp;

  exports org.fettle;
  exports org.fettle.recipes;
  exports org.fettle.rules;
  exports org.fettle.sparsity;
}
