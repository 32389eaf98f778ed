/** Self-contained HTML pages with SVG charts: what the demo and the benchmarks share. */
package org.fettle.page;
