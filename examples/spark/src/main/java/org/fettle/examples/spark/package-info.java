/** Training in several processes that Spark starts: a barrier stage whose tasks are the ranks. */
package org.fettle.examples.spark;
