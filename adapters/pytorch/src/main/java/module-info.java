/** Fettle on the tensors of the JavaCPP PyTorch preset. */
@SuppressWarnings("requires-automatic")
module org.fettle.pytorch {
  requires transitive org.fettle;
  requires transitive org.bytedeco.pytorch;

  exports org.fettle.pytorch;
}
