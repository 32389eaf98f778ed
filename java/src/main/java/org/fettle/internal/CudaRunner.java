package org.fettle.internal;

import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import org.fettle.NonFinite;
import org.fettle.Step;
import org.fettle.Tensor;

/**
 * A plan on a CUDA device. A step enqueues a bounded number of kernels on the caller's stream and
 * returns; coefficients, clip factors and step counters are formed on the device. What reads
 * results waits for the stream.
 */
final class CudaRunner implements Runner {
  private static final int NON_FINITE = 5;

  // struct fettle_cuda_options: size, device, threads, blocks; struct fettle_cuda_arguments: size,
  // lr, active, loss_scale.
  private static final int STRUCT_BYTES = 4 * Long.BYTES;
  private static final int ARGUMENTS = CudaCall.FREE;
  private static final int LR = ARGUMENTS + STRUCT_BYTES;

  private final PlanSpec plan;
  private final long cuda = CudaLibrary.handle();
  private final PlanTable table;
  private final CudaCall call;
  private final ByteBuffer block;
  private final int active;
  private final boolean hasInputs;
  private final long handle;
  private long stream;

  CudaRunner(PlanSpec plan, int device) {
    this.plan = plan;
    hasInputs = plan.rules().stream().anyMatch(rule -> !rule.inputs().isEmpty());
    int groups = plan.rules().size();
    int tensors = plan.tensors().size();
    active = LR + groups * Double.BYTES;
    table = new PlanTable(plan, 1, false);
    call = new CudaCall(STRUCT_BYTES + groups * Double.BYTES + tensors);
    block = call.block();
    boolean opened = false;
    try {
      block.putLong(ARGUMENTS, STRUCT_BYTES);
      block.putLong(ARGUMENTS + Long.BYTES, device);
      block.putLong(ARGUMENTS + 2 * Long.BYTES, Integer.getInteger("fettle.cuda.threads", 0));
      block.putLong(ARGUMENTS + 3 * Long.BYTES, Integer.getInteger("fettle.cuda.blocks", 0));
      check(
          Native.cudaPlanOpen(
              cuda,
              table.address(),
              call.at(ARGUMENTS),
              call.at(CudaCall.OUT),
              call.reason(),
              CudaCall.REASON_BYTES),
          "opening a plan");
      handle = call.out();
      opened = true;
    } finally {
      if (!opened) {
        call.close();
        table.close();
      }
    }
    block.putLong(ARGUMENTS + Long.BYTES, call.at(LR));
    block.putLong(ARGUMENTS + 2 * Long.BYTES, call.at(active));
    put(new Step());
  }

  private void put(Step step) {
    table.step(step);
    for (int group = 0; group < plan.rules().size(); group++) {
      block.putDouble(LR + group * Double.BYTES, step.lrOf(group, plan.rules().get(group).lr()));
    }
    for (int i = 0; i < plan.tensors().size(); i++) {
      block.put(active + i, (byte) (table.isActive(i) ? 1 : 0));
    }
    block.putDouble(ARGUMENTS + 3 * Long.BYTES, step.lossScale());
  }

  @Override
  public boolean step(Step step) {
    if (hasInputs) {
      stage(step);
      return stepStaged();
    }
    put(step);
    return run(call.at(ARGUMENTS));
  }

  @Override
  public void stage(Step step) {
    if (hasInputs) {
      // The arguments of a step carry no inputs of rules: these go with the groups' numbers, which
      // waits.
      read();
      table.step(step);
      write();
    }
    put(step);
    sendStaged();
  }

  @Override
  public boolean stepStaged() {
    return run(0);
  }

  private boolean run(long arguments) {
    try {
      int status =
          Native.cudaPlanStep(
              cuda, handle, arguments, stream, call.reason(), CudaCall.REASON_BYTES);
      if (status == NON_FINITE) {
        return false;
      }
      check(status, "a step");
      return true;
    } finally {
      Reference.reachabilityFence(this);
    }
  }

  @Override
  public boolean stopped() {
    read();
    return table.nonFinite() && plan.nonFinite() != NonFinite.PASS;
  }

  @Override
  public void stream(long newStream) {
    stream = newStream;
  }

  @Override
  public void gradient(int tensor, Tensor gradient) {
    table.gradient(tensor, gradient);
    if (gradient != null) {
      check(
          Native.cudaPlanRebind(
              cuda,
              handle,
              tensor,
              1,
              table.gradientOperand(tensor),
              stream,
              call.reason(),
              CudaCall.REASON_BYTES),
          "rebinding a gradient");
    }
    // What is staged may lose a gradient or find one: a kernel must never see one that is gone.
    block.put(active + tensor, (byte) (table.isActive(tensor) ? 1 : 0));
    sendStaged();
  }

  private void sendStaged() {
    check(
        Native.cudaPlanStage(
            cuda, handle, call.at(ARGUMENTS), stream, call.reason(), CudaCall.REASON_BYTES),
        "staging a step");
  }

  @Override
  public void readRows() {
    read();
  }

  @Override
  public void writeRows() {
    write();
  }

  @Override
  public long stepCount(int tensor) {
    read();
    return table.stepCount(tensor);
  }

  @Override
  public void stepCount(int tensor, long count) {
    read();
    table.stepCount(tensor, count);
    write();
  }

  @Override
  public double scalar(int tensor, int index) {
    read();
    return table.scalar(tensor, index);
  }

  @Override
  public void scalar(int tensor, int index, double value) {
    read();
    table.scalar(tensor, index, value);
    write();
  }

  @Override
  public double gradientNorm() {
    read();
    return table.gradientNorm();
  }

  @Override
  public double gradientNorm(int tensor) {
    read();
    return table.gradientNorm(tensor);
  }

  private void read() {
    check(
        Native.cudaPlanRead(
            cuda, handle, table.address(), stream, call.reason(), CudaCall.REASON_BYTES),
        "reading a plan");
  }

  private void write() {
    check(
        Native.cudaPlanWrite(
            cuda, handle, table.address(), stream, call.reason(), CudaCall.REASON_BYTES),
        "writing a plan");
  }

  private void check(int status, String what) {
    call.check(status, what);
  }

  @Override
  public void close() {
    try {
      check(
          Native.cudaPlanClose(cuda, handle, call.reason(), CudaCall.REASON_BYTES),
          "closing a plan");
    } finally {
      call.close();
      table.close();
    }
  }
}
