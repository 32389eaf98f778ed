/** The code in README.md and docs/: found, compiled and run. */
package org.fettle.documentation;
