package org.fettle.internal;

import java.nio.ByteBuffer;
import java.nio.LongBuffer;
import org.bytedeco.javacpp.annotation.Cast;
import org.bytedeco.javacpp.annotation.Name;
import org.bytedeco.javacpp.annotation.NoException;
import org.bytedeco.javacpp.annotation.Platform;

/**
 * The C ABI, one method per function; the contracts are in {@code native/include/fettle}. Memory is
 * passed as {@code long} addresses: nothing here keeps an owner reachable or checks anything.
 *
 * <p>Call only after {@link NativeLibrary} says that the library is loaded.
 */
@Platform(
    include = {"fettle/fettle.h", "fettle/cuda.h"},
    library = "jnifettle")
@NoException
public final class Native {
  private Native() {}

  @Name("fettle_abi_version")
  public static native int abiVersion();

  @Name("fettle_build_id")
  public static native String buildId();

  @Name("fettle_cpu_tiers")
  public static native long cpuTiers();

  @Name("fettle_status_text")
  public static native String statusText(int status);

  @Name("fettle_cuda_open")
  static native int cudaOpen(
      String path,
      @Cast("fettle_cuda**") LongBuffer cuda,
      @Cast("char*") ByteBuffer reason,
      long reasonBytes);

  @Name("fettle_cuda_call_device_count")
  static native int cudaDeviceCount(
      @Cast("fettle_cuda*") long cuda,
      @Cast("int32_t*") ByteBuffer count,
      @Cast("char*") ByteBuffer reason,
      long reasonBytes);

  @Name("fettle_cuda_call_device_info")
  static native int cudaDeviceInfo(
      @Cast("fettle_cuda*") long cuda,
      int device,
      @Cast("fettle_cuda_device*") ByteBuffer info,
      @Cast("char*") ByteBuffer reason,
      long reasonBytes);

  @Name("fettle_layout")
  public static native long layout(int index);

  @Name("fettle_rule_id")
  public static native String ruleId(int rule);

  @Name("fettle_allocate")
  public static native @Cast("intptr_t") long allocate(long bytes, long skew);

  @Name("fettle_release")
  public static native void release(@Cast("void*") long memory, long bytes, long skew);

  @Name("fettle_cpu_step")
  public static native int cpuStep(@Cast("fettle_plan*") long plan, int tier);

  @Name("fettle_cpu_begin")
  public static native int cpuBegin(@Cast("fettle_plan*") long plan, int tier);

  @Name("fettle_cpu_prepare")
  public static native int cpuPrepare(@Cast("fettle_plan*") long plan, int tier);

  @Name("fettle_cpu_combine")
  public static native int cpuCombine(@Cast("fettle_plan*") long plan, int tier, int gather);

  @Name("fettle_cpu_run")
  public static native int cpuRun(@Cast("fettle_plan*") long plan, int tier, int phase, int gather);

  @Name("fettle_cpu_commit")
  public static native int cpuCommit(@Cast("fettle_plan*") long plan);

  @Name("fettle_batch_layout")
  static native int batchLayout(@Cast("fettle_batch*") long batch);

  @Name("fettle_cpu_batch_run")
  static native int cpuBatchRun(@Cast("fettle_batch*") long batch, int tier);

  @Name("fettle_batch_finish")
  static native int batchFinish(@Cast("fettle_batch*") long batch);

  @Name("fettle_cpu_call")
  static native int cpuCall(@Cast("fettle_call*") long call, int tier);

  @Name("fettle_kernel_id")
  public static native String kernelId(int kernel);

  @Name("fettle_primitive_id")
  public static native String primitiveId(int primitive);

  @Name("fettle_batch_field")
  public static native long batchField(int index);

  @Name("fettle_cuda_call_allocate")
  static native int cudaAllocate(
      @Cast("fettle_cuda*") long cuda,
      int device,
      long bytes,
      @Cast("void**") long memory,
      @Cast("char*") long reason,
      long reasonBytes);

  @Name("fettle_cuda_call_release")
  static native int cudaRelease(
      @Cast("fettle_cuda*") long cuda,
      int device,
      @Cast("void*") long memory,
      @Cast("char*") long reason,
      long reasonBytes);

  @Name("fettle_cuda_call_copy")
  static native int cudaCopy(
      @Cast("fettle_cuda*") long cuda,
      int device,
      @Cast("void*") long to,
      @Cast("const void*") long from,
      long bytes,
      @Cast("void*") long stream,
      @Cast("char*") long reason,
      long reasonBytes);

  @Name("fettle_cuda_call_fill")
  static native int cudaFill(
      @Cast("fettle_cuda*") long cuda,
      int device,
      @Cast("void*") long memory,
      int value,
      long bytes,
      @Cast("void*") long stream,
      @Cast("char*") long reason,
      long reasonBytes);

  @Name("fettle_cuda_call_stream_create")
  static native int cudaStreamCreate(
      @Cast("fettle_cuda*") long cuda,
      int device,
      @Cast("void**") long stream,
      @Cast("char*") long reason,
      long reasonBytes);

  @Name("fettle_cuda_call_stream_destroy")
  static native int cudaStreamDestroy(
      @Cast("fettle_cuda*") long cuda,
      int device,
      @Cast("void*") long stream,
      @Cast("char*") long reason,
      long reasonBytes);

  @Name("fettle_cuda_call_stream_synchronize")
  static native int cudaStreamSynchronize(
      @Cast("fettle_cuda*") long cuda,
      int device,
      @Cast("void*") long stream,
      @Cast("char*") long reason,
      long reasonBytes);

  @Name("fettle_cuda_call_event_create")
  static native int cudaEventCreate(
      @Cast("fettle_cuda*") long cuda,
      int device,
      @Cast("void**") long event,
      @Cast("char*") long reason,
      long reasonBytes);

  @Name("fettle_cuda_call_event_record")
  static native int cudaEventRecord(
      @Cast("fettle_cuda*") long cuda,
      int device,
      @Cast("void*") long event,
      @Cast("void*") long stream,
      @Cast("char*") long reason,
      long reasonBytes);

  @Name("fettle_cuda_call_event_elapsed")
  static native int cudaEventElapsed(
      @Cast("fettle_cuda*") long cuda,
      int device,
      @Cast("void*") long first,
      @Cast("void*") long second,
      @Cast("float*") long milliseconds,
      @Cast("char*") long reason,
      long reasonBytes);

  @Name("fettle_cuda_call_event_destroy")
  static native int cudaEventDestroy(
      @Cast("fettle_cuda*") long cuda,
      int device,
      @Cast("void*") long event,
      @Cast("char*") long reason,
      long reasonBytes);

  @Name("fettle_cuda_call_capture_begin")
  static native int cudaCaptureBegin(
      @Cast("fettle_cuda*") long cuda,
      int device,
      @Cast("void*") long stream,
      @Cast("char*") long reason,
      long reasonBytes);

  @Name("fettle_cuda_call_capture_end")
  static native int cudaCaptureEnd(
      @Cast("fettle_cuda*") long cuda,
      int device,
      @Cast("void*") long stream,
      @Cast("void**") long graph,
      @Cast("char*") long reason,
      long reasonBytes);

  @Name("fettle_cuda_call_graph_launch")
  static native int cudaGraphLaunch(
      @Cast("fettle_cuda*") long cuda,
      int device,
      @Cast("void*") long graph,
      @Cast("void*") long stream,
      @Cast("char*") long reason,
      long reasonBytes);

  @Name("fettle_cuda_call_graph_destroy")
  static native int cudaGraphDestroy(
      @Cast("fettle_cuda*") long cuda,
      int device,
      @Cast("void*") long graph,
      @Cast("char*") long reason,
      long reasonBytes);

  @Name("fettle_cuda_call_plan_open")
  static native int cudaPlanOpen(
      @Cast("fettle_cuda*") long cuda,
      @Cast("const fettle_plan*") long plan,
      @Cast("const fettle_cuda_options*") long options,
      @Cast("fettle_cuda_plan**") long handle,
      @Cast("char*") long reason,
      long reasonBytes);

  @Name("fettle_cuda_call_plan_close")
  static native int cudaPlanClose(
      @Cast("fettle_cuda*") long cuda,
      @Cast("fettle_cuda_plan*") long handle,
      @Cast("char*") long reason,
      long reasonBytes);

  @Name("fettle_cuda_call_plan_stage")
  static native int cudaPlanStage(
      @Cast("fettle_cuda*") long cuda,
      @Cast("fettle_cuda_plan*") long handle,
      @Cast("const fettle_cuda_arguments*") long arguments,
      @Cast("void*") long stream,
      @Cast("char*") long reason,
      long reasonBytes);

  @Name("fettle_cuda_call_plan_step")
  static native int cudaPlanStep(
      @Cast("fettle_cuda*") long cuda,
      @Cast("fettle_cuda_plan*") long handle,
      @Cast("const fettle_cuda_arguments*") long arguments,
      @Cast("void*") long stream,
      @Cast("char*") long reason,
      long reasonBytes);

  @Name("fettle_cuda_call_plan_rebind")
  static native int cudaPlanRebind(
      @Cast("fettle_cuda*") long cuda,
      @Cast("fettle_cuda_plan*") long handle,
      long first,
      long count,
      @Cast("const fettle_operand*") long gradients,
      @Cast("void*") long stream,
      @Cast("char*") long reason,
      long reasonBytes);

  @Name("fettle_cuda_call_plan_read")
  static native int cudaPlanRead(
      @Cast("fettle_cuda*") long cuda,
      @Cast("fettle_cuda_plan*") long handle,
      @Cast("fettle_plan*") long into,
      @Cast("void*") long stream,
      @Cast("char*") long reason,
      long reasonBytes);

  @Name("fettle_cuda_call_plan_write")
  static native int cudaPlanWrite(
      @Cast("fettle_cuda*") long cuda,
      @Cast("fettle_cuda_plan*") long handle,
      @Cast("const fettle_plan*") long from,
      @Cast("void*") long stream,
      @Cast("char*") long reason,
      long reasonBytes);

  @Name("fettle_dlpack_take")
  static native int dlpackTake(
      @Cast("void**") LongBuffer managed,
      int versioned,
      @Cast("fettle_dlpack_view*") ByteBuffer view,
      @Cast("char*") ByteBuffer reason,
      long reasonBytes);

  @Name("fettle_dlpack_release")
  static native void dlpackRelease(@Cast("fettle_dlpack_view*") ByteBuffer view);

  @Name("fettle_dlpack_offer")
  static native int dlpackOffer(
      @Cast("const fettle_dlpack_view*") ByteBuffer view,
      int versioned,
      @Cast("void*") long owner,
      @Cast("fettle_release_function") long release,
      @Cast("void**") LongBuffer managed,
      @Cast("char*") ByteBuffer reason,
      long reasonBytes);

  @Name("fettle_dlpack_delete")
  static native void dlpackDelete(@Cast("void*") long managed, int versioned);

  @Name("fettle_cuda_call_batch_open")
  static native int cudaBatchOpen(
      @Cast("fettle_cuda*") long cuda,
      int device,
      @Cast("const fettle_batch*") long batch,
      @Cast("fettle_cuda_batch**") long handle,
      @Cast("char*") long reason,
      long reasonBytes);

  @Name("fettle_cuda_call_batch_run")
  static native int cudaBatchRun(
      @Cast("fettle_cuda*") long cuda,
      @Cast("fettle_cuda_batch*") long handle,
      @Cast("fettle_batch*") long batch,
      @Cast("void*") long stream,
      @Cast("char*") long reason,
      long reasonBytes);

  @Name("fettle_cuda_call_batch_close")
  static native int cudaBatchClose(
      @Cast("fettle_cuda*") long cuda,
      @Cast("fettle_cuda_batch*") long handle,
      @Cast("char*") long reason,
      long reasonBytes);

  @Name("fettle_cuda_call_kernel_run")
  static native int cudaKernelRun(
      @Cast("fettle_cuda*") long cuda,
      int device,
      @Cast("const fettle_call*") long call,
      @Cast("void*") long stream,
      @Cast("char*") long reason,
      long reasonBytes);

  @Name("fettle_cuda_call_sparse_open")
  static native int cudaSparseOpen(
      @Cast("fettle_cuda*") long cuda,
      int device,
      @Cast("fettle_cuda_sparse**") long handle,
      @Cast("char*") long reason,
      long reasonBytes);

  @Name("fettle_cuda_call_csr_multiply")
  static native int cudaCsrMultiply(
      @Cast("fettle_cuda*") long cuda,
      @Cast("fettle_cuda_sparse*") long handle,
      @Cast("const fettle_cuda_csr_product*") long product,
      @Cast("void*") long stream,
      @Cast("char*") long reason,
      long reasonBytes);
}
