/** Commands that do work with the library. */
package org.fettle.tools;
