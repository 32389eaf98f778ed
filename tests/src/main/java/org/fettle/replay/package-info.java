/** Replays golden vectors through the public API, on any backend. */
package org.fettle.replay;
