package org.fettle.examples.spark;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.spark.BarrierTaskContext;
import org.apache.spark.BarrierTaskInfo;
import org.apache.spark.SparkConf;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.rdd.RDD;
import org.apache.spark.resource.ResourceInformation;
import org.fettle.examples.distributed.Group;
import org.fettle.examples.distributed.Meeting;
import org.fettle.examples.distributed.Worker;
import scala.collection.Iterator;
import scala.jdk.javaapi.CollectionConverters;
import scala.reflect.ClassTag;
import scala.runtime.AbstractFunction1;

/**
 * The training of {@link Worker} as a barrier stage: all tasks start together, the partition is the
 * rank. Spark starts processes and tells where they are; gradients and parameters go from task to
 * task without it. A task that fails ends the stage, and Spark starts all of it again, which goes
 * on from the last complete checkpoint.
 */
public final class SparkTraining {
  private SparkTraining() {}

  /**
   * Runs the stage and waits for it.
   *
   * @param processes tasks that run at once: as many cores must be free
   * @param arguments of {@link Worker}; {@code --folder} and {@code --data} name folders that all
   *     executors see. {@code --device cuda} is the GPU that Spark gave the task, if it gave one. A
   *     {@code --fault} strikes the first attempt only
   * @return the results of all ranks, sorted
   */
  public static List<String> run(JavaSparkContext spark, int processes, List<String> arguments) {
    List<Integer> ranks = IntStream.range(0, processes).boxed().toList();
    RDD<String> results =
        spark
            .parallelize(ranks, processes)
            .rdd()
            .barrier()
            .mapPartitions(new Task(arguments), false, ClassTag.apply(String.class));
    // Spark repeats a barrier stage only if another stage comes after it.
    return results.toJavaRDD().repartition(1).collect().stream().sorted().toList();
  }

  /** One task of the stage. */
  private static final class Task extends AbstractFunction1<Iterator<Integer>, Iterator<String>>
      implements java.io.Serializable {
    private static final long serialVersionUID = 1;

    private final ArrayList<String> arguments;

    Task(List<String> arguments) {
      this.arguments = new ArrayList<>(arguments);
    }

    @Override
    public Iterator<String> apply(Iterator<Integer> ranks) {
      try {
        return CollectionConverters.asScala(train().iterator());
      } catch (IOException | Group.Lost e) {
        // Fails the task, and with it the stage.
        throw new IllegalStateException("rank " + ranks.next() + ": " + e.getMessage(), e);
      }
    }

    private List<String> train() throws IOException, Group.Lost {
      BarrierTaskContext task = BarrierTaskContext.get();
      int rank = task.partitionId();
      BarrierTaskInfo[] tasks = task.getTaskInfos();
      String offer = "tcp://" + host(tasks[0]) + ":0";
      // Rank 0 opens a port, and Spark tells the others which.
      try (Meeting served = rank == 0 ? Meeting.open(offer, 0, tasks.length) : null) {
        String address = task.allGather(served == null ? "" : served.address())[0];
        try (Meeting joined = rank == 0 ? null : Meeting.open(address, rank, tasks.length)) {
          List<String> all = new ArrayList<>(arguments);
          all.addAll(List.of("--rank", "" + rank, "--processes", "" + tasks.length));
          all.addAll(List.of("--listen", host(tasks[rank])));
          ResourceInformation gpu = task.resourcesJMap().get("gpu");
          int device = all.indexOf("--device");
          if (gpu != null && device >= 0 && all.get(device + 1).equals("cuda")) {
            all.set(device + 1, "cuda:" + gpu.addresses()[0]);
          }
          if (task.stageAttemptNumber() > 0) {
            all.addAll(List.of("--resume", "true"));
            int fault = all.indexOf("--fault");
            if (fault >= 0) {
              all.subList(fault, fault + 2).clear();
            }
          }
          return Worker.run(rank == 0 ? served : joined, all);
        }
      }
    }

    /** Of {@code HOST:PORT}: the port is the executor's own. */
    private static String host(BarrierTaskInfo task) {
      return task.address().substring(0, task.address().lastIndexOf(':'));
    }
  }

  /** {@code --processes N} and the arguments of a worker; the rest is spark-submit's. */
  public static void main(String[] arguments) {
    List<String> rest = new ArrayList<>(List.of(arguments));
    int at = rest.indexOf("--processes");
    int processes = at < 0 ? 1 : Integer.parseInt(rest.get(at + 1));
    if (at >= 0) {
      rest.subList(at, at + 2).clear();
    }
    SparkConf settings = new SparkConf().setIfMissing("spark.app.name", "Fettle");
    try (JavaSparkContext spark = new JavaSparkContext(settings)) {
      run(spark, processes, rest).forEach(System.out::println);
    }
  }
}
