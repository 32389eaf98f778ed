/** Fettle on TensorFlow Java's tensors. */
@SuppressWarnings("requires-automatic")
module org.fettle.tensorflow {
  requires transitive org.fettle;
  requires transitive tensorflow;
  requires org.tensorflow.ndarray;
  requires tensorflow.nativelib;

  exports org.fettle.tensorflow;
}
