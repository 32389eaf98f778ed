package org.fettle.benchmarks;

import java.util.ArrayList;
import java.util.List;
import org.fettle.Plan;

/** Another library. Implementations are compiled in the Maven profile {@code peers} only. */
public interface Peer {
  /** The classes that implement this, if the profile was on. */
  List<String> CLASSES = List.of("org.fettle.benchmarks.Libtorch");

  /**
   * The peer's ways to do the workload's step.
   *
   * @param arrays what the step works on
   * @param plan Fettle's plan on the same arrays: its states may be used as the peer's
   * @param threads the most threads
   * @return none if the peer does not have such a step
   */
  List<Contestant> contestants(Workload workload, Arrays arrays, Plan plan, int threads);

  /** All peers that were compiled and are on the class path. */
  static List<Peer> all() {
    List<Peer> peers = new ArrayList<>();
    for (String name : CLASSES) {
      try {
        peers.add(
            Class.forName(name).asSubclass(Peer.class).getDeclaredConstructor().newInstance());
      } catch (ClassNotFoundException | NoClassDefFoundError e) {
        System.err.println("no peer " + name + " in this build (Maven profile peers)");
      } catch (ReflectiveOperationException e) {
        throw new IllegalStateException(name + " cannot be made", e);
      }
    }
    return peers;
  }
}
