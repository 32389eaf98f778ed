package org.fettle.benchmarks;

/** Whose work a mark on the page shows. */
enum Who {
  /** The best native backend. */
  FETTLE("Fettle", 0),
  /** The native backend for CPUs without AVX-512. */
  FETTLE_V3("Fettle, AVX2", 5),
  /** The backend in Java. */
  FETTLE_JAVA("Fettle in Java", 2),
  /** One operator that does the whole task. */
  LIBTORCH("libtorch", 1),
  /** libtorch's optimizer, as C++ users call it. */
  LIBTORCH_STEP("torch::optim::AdamW", 3),
  /** The other JVM library. */
  ND4J("ND4J's Adam", 4);

  private final String title;
  private final int colour;

  Who(String title, int colour) {
    this.title = title;
    this.colour = colour;
  }

  String title() {
    return title;
  }

  /** The custom property that the page's style draws with. */
  String style() {
    return "--c:var(--s" + colour + ")";
  }

  boolean isPeer() {
    return compareTo(LIBTORCH) >= 0;
  }

  /** Whose a contestant of a step is, where {@code ours} is Fettle's best; null for ceilings. */
  static Who of(String contestant, String ours) {
    if (contestant.equals(ours)) {
      return FETTLE;
    }
    return switch (contestant) {
      case "cpu-v3" -> FETTLE_V3;
      case "java" -> FETTLE_JAVA;
      case "libtorch" -> LIBTORCH;
      case "libtorch-step" -> LIBTORCH_STEP;
      case "nd4j" -> ND4J;
      default -> null;
    };
  }
}
