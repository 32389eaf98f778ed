// What a primitive may say; elements.h, rows.h and pixels.h hold them all.
#pragma once

#include "core/numeric.h"
#include "core/rule.h"

namespace fettle {
namespace FETTLE_TIER {

// A primitive whose output at i depends on the inputs at i and on factors:
//
//   apply(c, in, out, terms)   c: the item's factors rounded to float
//
// It may add to sums over all elements as well: sum k is the sum of terms.a[k] * terms.b[k].
struct ElementsDefaults {
  static constexpr int inputs = 1;
  static constexpr int outputs = 0;
  static constexpr int sums = 0;
  static constexpr bool maximum = false;  // sum 0 is the largest terms.a[0] instead, which is not below 0; NaN comes out
  static constexpr bool saves = false;    // the array behind the outputs receives the bytes of array 0 first
};

// What a row's sum makes of the factors, rounded once each.
struct RowFactors {
  float c[3];
};

// A primitive with one sum per row of array 0:
//
//   term(x, a, b)              the sum of a * b
//   begin(f, sum, at, row)     the row's factors, from the item's factors, the sum, and the element at the row's label;
//                              answers what the row adds to the item's sum
//   apply(c, in, out)          the outputs, with c of the row's factors
struct RowsDefaults {
  static constexpr int inputs = 1;
  static constexpr int outputs = 0;
  static constexpr bool labelled = false;  // the row's label points to an element, which `applyLabel` makes instead
};

}  // namespace FETTLE_TIER
}  // namespace fettle
