package org.fettle.demo;

import org.fettle.Parameter;
import org.fettle.Tensor;

/**
 * A parameter of a run.
 *
 * @param place where it belongs
 * @param stored how it is stored
 * @param parameter what is updated, with what the recipe hung onto it
 * @param moved whether a mover updates it, else the plan
 */
record Slot(Place place, Format.Stored stored, Parameter parameter, boolean moved) {
  Tensor view() {
    return place.view();
  }
}
