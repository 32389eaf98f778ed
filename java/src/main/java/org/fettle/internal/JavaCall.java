package org.fettle.internal;

/** A {@link KernelCall} as the Java twins see it. */
public final class JavaCall {
  private final KernelCall call;
  private final Windows[] arrays = new Windows[KernelCall.SLOTS];

  JavaCall(KernelCall call) {
    this.call = call;
    for (int i = 0; i < arrays.length; i++) {
      arrays[i] = call.array(i) == null ? null : new Windows(call.array(i));
    }
  }

  /** The array of that position, or null. */
  public Windows array(int index) {
    return arrays[index];
  }

  /** Elements of the array of that position. */
  public long elements(int index) {
    return call.array(index).elements();
  }

  /** The integer of that position. */
  public long integer(int index) {
    return call.integer(index);
  }

  /** The number of that position. */
  public double number(int index) {
    return call.number(index);
  }
}
