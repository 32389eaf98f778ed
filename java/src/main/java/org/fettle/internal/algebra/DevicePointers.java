package org.fettle.internal.algebra;

import org.bytedeco.javacpp.DoublePointer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.Pointer;

/** Addresses as the presets take them. */
final class DevicePointers {
  private DevicePointers() {}

  private static final class Floats extends FloatPointer {
    private static final long serialVersionUID = 1;

    Floats(long at) {
      super((Pointer) null);
      address = at;
    }
  }

  private static final class Doubles extends DoublePointer {
    private static final long serialVersionUID = 1;

    Doubles(long at) {
      super((Pointer) null);
      address = at;
    }
  }

  private static final class Integers extends IntPointer {
    private static final long serialVersionUID = 1;

    Integers(long at) {
      super((Pointer) null);
      address = at;
    }
  }

  static FloatPointer floats(long address) {
    return new Floats(address);
  }

  static DoublePointer doubles(long address) {
    return new Doubles(address);
  }

  static IntPointer integers(long address) {
    return new Integers(address);
  }
}
