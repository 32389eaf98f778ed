package org.fettle.internal;

/** Where the fields of {@code native/include/fettle/primitives.h} lie, as the library tells it. */
final class BatchLayout {
  private static int next;

  // fettle_batch
  static final int SIZE_FIELD = offset();
  static final int ITEMS = offset();
  static final int ITEM_COUNT = offset();
  static final int UNIT_COUNT = offset();
  static final int SUM_COUNT = offset();
  static final int PLANES = offset();
  static final int RANGE_UNITS = offset();
  static final int CURSOR = offset();
  static final int SUMS = offset();
  static final int BYTES = offset();

  // fettle_item
  static final int ITEM_ARRAY = offset();
  static final int ITEM_LABELS = offset();
  static final int ITEM_PRIMITIVE = offset();
  static final int ITEM_ELEMENTS = offset();
  static final int ITEM_ROW = offset();
  static final int ITEM_PIXELS = offset();
  static final int ITEM_FIRST_UNIT = offset();
  static final int ITEM_UNITS = offset();
  static final int ITEM_FIRST_SUM = offset();
  static final int ITEM_FACTORS = offset();
  static final int ITEM_SUMS = offset();
  static final int ITEM_BYTES = offset();

  static {
    if (Native.batchField(next) != -1) {
      throw new IllegalStateException(
          "the library's batches have fields that these classes do not know");
    }
  }

  private BatchLayout() {}

  private static int offset() {
    long offset = Native.batchField(next++);
    if (offset < 0) {
      throw new IllegalStateException("the library's batches lack fields that these classes know");
    }
    return (int) offset;
  }
}
