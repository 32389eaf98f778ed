package org.fettle.benchmarks;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.fettle.Plan;
import org.fettle.Tensor;

/** Another library. Implementations are compiled in the Maven profile {@code peers} only. */
public interface Peer {
  /** The classes that implement this, if the profile was on. */
  List<String> CLASSES =
      List.of("org.fettle.benchmarks.Libtorch", "org.fettle.benchmarks.Nd4jAdam");

  /** What the contestants of all peers are called. */
  List<String> CONTESTANTS = List.of("libtorch", "libtorch-step", "nd4j");

  /**
   * The peer's ways to do the workload's step.
   *
   * @param arrays what the step works on
   * @param plan Fettle's plan on the same arrays: its states may be used as the peer's
   * @param threads the most threads
   * @return none if the peer does not have such a step
   */
  List<Contestant> contestants(Workload workload, Arrays arrays, Plan plan, int threads);

  /**
   * An operation of a peer's.
   *
   * @param name what tables call it
   * @param run does it once
   * @param operations that it does per multiply-add of a dense product; 0: as many as the case
   * @param bytes per multiply-add that it cannot do without; 0: as many as the case
   */
  record Operation(String name, Runnable run, double operations, double bytes) {
    Operation(String name, Runnable run) {
      this(name, run, 0, 0);
    }
  }

  /**
   * The peer's way to do what a kernel does, on one thread.
   *
   * @param name of the {@link KernelCase}
   * @param arrays what the kernel works on
   * @return null if the peer has none
   */
  default Operation kernel(String name, Map<String, Tensor> arrays) {
    return null;
  }

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
