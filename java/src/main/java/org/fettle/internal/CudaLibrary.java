package org.fettle.internal;

import java.io.File;
import java.io.IOException;
import java.net.URL;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.LongBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.javacpp.Loader;

/**
 * The CUDA library: opened, or not and why. It is opened by the CPU library, and only on a machine
 * that has a driver and a device.
 *
 * <p>System properties:
 *
 * <ul>
 *   <li>{@code fettle.cuda=off}: do not open it
 *   <li>{@code fettle.cuda.library.path=FILE}: open this {@code libfettle_cuda.so}, and nothing
 *       else
 * </ul>
 */
public final class CudaLibrary {
  static final String OFF_PROPERTY = "fettle.cuda";
  static final String PATH_PROPERTY = "fettle.cuda.library.path";
  private static final int OLDEST_COMPUTE_MAJOR = 8;
  private static final int REASON_BYTES = 1024;

  // struct fettle_cuda_device: seven 64-bit fields and a name.
  private static final int DEVICE_NAME = 7 * Long.BYTES;
  private static final int DEVICE_BYTES = DEVICE_NAME + 256;

  private static final CudaLibrary INSTANCE = open();

  /** One device, as the driver describes it. Versions are 1000 * major + 10 * minor. */
  public record Device(
      int index,
      String name,
      int computeMajor,
      int computeMinor,
      int multiprocessors,
      long memoryBytes,
      int driverVersion,
      int runtimeVersion) {}

  private final long handle;
  private final String origin;
  private final String reason;
  private final List<Device> devices;

  private CudaLibrary(long handle, String origin, String reason, List<Device> devices) {
    this.handle = handle;
    this.origin = origin;
    this.reason = reason;
    this.devices = List.copyOf(devices);
  }

  /** Whether the library is open and there is a device that it can use. */
  public static boolean isOpen() {
    return INSTANCE.reason == null;
  }

  /** Why CUDA cannot be used, for a person to read; null if it can. */
  public static String reason() {
    return INSTANCE.reason;
  }

  /** The file that was opened; null if none was. */
  public static String origin() {
    return INSTANCE.origin;
  }

  /** All devices of the machine, including those that are too old for Fettle. */
  public static List<Device> devices() {
    return INSTANCE.devices;
  }

  /** The address of the opened library's function table, for {@link Native}. */
  public static long handle() {
    if (INSTANCE.reason != null) {
      throw new IllegalStateException("CUDA cannot be used: " + INSTANCE.reason);
    }
    return INSTANCE.handle;
  }

  private static CudaLibrary open() {
    if ("off".equalsIgnoreCase(System.getProperty(OFF_PROPERTY))) {
      return unavailable("switched off by -D" + OFF_PROPERTY + "=off");
    }
    if (!NativeLibrary.isLoaded()) {
      return unavailable(
          "the CPU library, which opens it, is not loaded: " + NativeLibrary.reason());
    }
    String origin = System.getProperty(PATH_PROPERTY);
    if (origin == null) {
      URL resource =
          CudaLibrary.class.getResource(
              "/org/fettle/" + Loader.getPlatform() + "/libfettle_cuda.so");
      if (resource == null) {
        return unavailable(
            "the jar fettle:"
                + Loader.getPlatform()
                + "-cuda is not on the class path (or module path)");
      }
      try {
        File file = Loader.cacheResource(resource);
        origin = file.getPath();
      } catch (IOException e) {
        return unavailable("the CUDA library cannot be unpacked: " + e);
      }
    }
    ByteBuffer reason = buffer(REASON_BYTES);
    LongBuffer cuda = buffer(Long.BYTES).asLongBuffer();
    if (Native.cudaOpen(origin, cuda, reason, REASON_BYTES) != 0) {
      return unavailable(text(reason, 0));
    }
    return inspect(cuda.get(0), origin, reason);
  }

  private static CudaLibrary inspect(long handle, String origin, ByteBuffer reason) {
    ByteBuffer count = buffer(Integer.BYTES);
    if (Native.cudaDeviceCount(handle, count, reason, REASON_BYTES) != 0) {
      return unavailable(text(reason, 0));
    }
    List<Device> devices = new ArrayList<>();
    for (int index = 0; index < count.getInt(0); index++) {
      ByteBuffer info = buffer(DEVICE_BYTES);
      info.putLong(0, DEVICE_BYTES);
      if (Native.cudaDeviceInfo(handle, index, info, reason, REASON_BYTES) != 0) {
        return unavailable("device " + index + ": " + text(reason, 0));
      }
      devices.add(
          new Device(
              index,
              text(info, DEVICE_NAME),
              (int) info.getLong(8),
              (int) info.getLong(16),
              (int) info.getLong(24),
              info.getLong(32),
              (int) info.getLong(40),
              (int) info.getLong(48)));
    }
    if (devices.stream().noneMatch(device -> device.computeMajor() >= OLDEST_COMPUTE_MAJOR)) {
      return new CudaLibrary(
          0, null, "no device of compute capability 8.0 or newer: " + devices, devices);
    }
    return new CudaLibrary(handle, origin, null, devices);
  }

  private static CudaLibrary unavailable(String reason) {
    return new CudaLibrary(0, null, reason, List.of());
  }

  private static ByteBuffer buffer(int bytes) {
    return ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder());
  }

  private static String text(ByteBuffer bytes, int start) {
    int end = start;
    while (end < bytes.capacity() && bytes.get(end) != 0) {
      end++;
    }
    byte[] copy = new byte[end - start];
    bytes.get(start, copy);
    return new String(copy, StandardCharsets.UTF_8);
  }
}
