package org.fettle.examples.distributed;

import java.util.ArrayList;
import java.util.List;
import org.fettle.Tensor;
import org.fettle.distributed.Compression;
import org.fettle.distributed.GradientDecoder;
import org.fettle.distributed.GradientEncoder;
import org.fettle.distributed.GradientEncoder.Message;
import org.fettle.distributed.ShardLayout;

/**
 * Reduce-scatter with a fixed order: every worker's gradient, encoded, cut into shards, sent to the
 * shards' owners, and added there in the order of the workers.
 */
final class Exchange implements AutoCloseable {
  private final Group group;
  private final Settings settings;
  private final ShardLayout layout;
  private final ShardLayout processes;
  private final List<GradientEncoder> encoders = new ArrayList<>();
  private final List<GradientDecoder> decoders = new ArrayList<>();
  private final List<Message> received = new ArrayList<>();

  Exchange(Group group, Settings settings, ShardLayout layout, Compression compression) {
    this.group = group;
    this.settings = settings;
    this.layout = layout;
    processes = ShardLayout.of(settings.processes());
    for (int i = 0; i < settings.workersHere(); i++) {
      encoders.add(new GradientEncoder(group.backend(), compression, layout.elements()));
      decoders.add(
          new GradientDecoder(group.backend(), compression, layout, settings.firstWorker() + i));
      received.add(null);
    }
  }

  /** What a worker of this process has not sent yet. */
  Tensor error(int workerHere) {
    return encoders.get(workerHere).error();
  }

  /** Sends the gradient of one of this process's workers, and gets what the others' sent. */
  void send(int workerHere, Tensor gradient) throws Group.Lost {
    Message message = encoders.get(workerHere).encode(gradient);
    if (received.get(workerHere) == null) {
      received.set(workerHere, room(message));
    }
    Message room = received.get(workerHere);
    for (int i = 0; i < message.split().size(); i++) {
      group.exchange(message.split().get(i), room.split().get(i));
    }
    for (int i = 0; i < message.whole().size(); i++) {
      group.gather(message.whole().get(i), room.whole().get(i));
    }
  }

  private Message room(Message message) {
    return new Message(
        message.split().stream().map(t -> group.tensor(t.dtype(), t.elements())).toList(),
        message.whole().stream()
            .map(t -> group.tensor(t.dtype(), t.elements() * settings.processes()))
            .toList());
  }

  /** The mean of all workers' gradients on one of this process's shards. */
  void mean(int shardHere, Tensor mean) {
    List<Message> messages = new ArrayList<>();
    for (int process = 0; process < settings.processes(); process++) {
      for (Message message : received) {
        int part = process * settings.workersHere() + shardHere;
        int source = process;
        messages.add(
            new Message(
                message.split().stream().map(t -> layout.shard(t, part)).toList(),
                message.whole().stream().map(t -> processes.shard(t, source)).toList()));
      }
    }
    decoders.get(shardHere).mean(messages, mean);
  }

  @Override
  public void close() {
    encoders.forEach(GradientEncoder::close);
    decoders.forEach(GradientDecoder::close);
  }
}
