/** Fettle on DJL's arrays. */
@SuppressWarnings({"requires-automatic", "requires-transitive-automatic"})
module org.fettle.djl {
  requires transitive org.fettle;
  requires transitive ai.djl.api;

  exports org.fettle.djl;
}
